package file

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// garbage is what may stand in the place of a record.
func garbage() []string {
	return []string{"", "{", "null", "{}", "[]", `"text"`, `{"state":"free"}`, `{"state":"","until":"2999-01-01T00:00:00Z"}`, "\x00\xff"}
}

// openLogged opens a store whose log is kept.
func openLogged(t *testing.T, path string) (*Store, *memo) {
	t.Helper()
	m := &memo{}
	s, err := Open(path, Options{Logger: m.log})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s, m
}

// cannotSay checks that an engine neither answers nor opens.
func cannotSay(t *testing.T, method string, err error) {
	t.Helper()
	if err == nil || isAnswer(err) {
		t.Errorf("%s: got %v, want an error that is not an answer", method, err)
	}
}

func eachGarbage(t *testing.T, run func(t *testing.T, raw []byte)) {
	for _, raw := range garbage() {
		t.Run(fmt.Sprintf("%q", raw), func(t *testing.T) { run(t, []byte(raw)) })
	}
}

func TestALockThatCannotBeReadOpensNothing(t *testing.T) {
	eachGarbage(t, func(t *testing.T, raw []byte) {
		s, _ := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
		ctx, now, key, login := t.Context(), time.Now(), newLine(), newLogin()
		spoil(t, s, locks.bucket, lineKey(key), raw)

		_, err := s.LineState(ctx, key, now)
		cannotSay(t, "LineState", err)
		_, err = s.LockLine(ctx, key, login, now, now.Add(time.Hour))
		cannotSay(t, "LockLine", err)
		cannotSay(t, "LiftLine", s.LiftLine(ctx, key, login, now))
		cannotSay(t, "StandLine", s.StandLine(ctx, key, now, now.Add(time.Hour)))
		b := pending("ada", now, []byte("held"))
		b.Line, b.Login, b.LineUntil = &key, login, now.Add(time.Hour)
		cannotSay(t, "BeginSession", s.BeginSession(ctx, b, now))
		if _, err := s.Session(ctx, b.Session.ID, now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the session has begun: %v", err)
		}
		if !has(t, s, locks.bucket, lineKey(key)) {
			t.Error("the lock is gone")
		}
	})
}

func TestAChallengeThatCannotBeReadPassesNothing(t *testing.T) {
	eachGarbage(t, func(t *testing.T, raw []byte) {
		s, _ := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
		ctx, now := t.Context(), time.Now()
		must(t, s.PutAccounts(ctx, []account.Account{newAccount("ada")}))
		b := pending("ada", now, []byte("held"))
		must(t, s.BeginSession(ctx, b, now))
		spoil(t, s, challenges.bucket, []byte(b.Challenge.ID), raw)

		_, err := s.Challenge(ctx, b.Challenge.ID, now)
		cannotSay(t, "Challenge", err)
		askAll(t, s, b, now)
		cannotSay(t, "RecordSend", s.RecordSend(ctx, b.Challenge.ID, "phone", 1, account.SendTaken))
		must(t, s.EndSession(ctx, b.Session.ID))
		if _, err := s.Session(ctx, b.Session.ID, now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the session has not ended: %v", err)
		}
	})
}

func askAll(t *testing.T, s *Store, b store.Begin, now time.Time) {
	t.Helper()
	ctx := t.Context()
	_, err := s.CountAttempt(ctx, store.Attempt{Challenge: b.Challenge.ID, Session: b.Session.ID, Factor: "totp", PerCode: 5, InARow: 10}, now)
	cannotSay(t, "CountAttempt", err)
	p := stepOf(b, 1, now)
	_, err = s.PassChallenge(ctx, p, now)
	cannotSay(t, "PassChallenge", err)
	if _, err := s.Session(ctx, p.Next.ID, now); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the challenge was passed: %v", err)
	}
	_, err = s.ReserveSend(ctx, store.Send{
		Challenge: b.Challenge.ID, Session: b.Session.ID, Factor: "phone", PerCode: 5,
		New: account.Code{Hash: [32]byte{1}, Sealed: []byte("x"), Expires: now.Add(time.Minute)},
	}, now)
	cannotSay(t, "ReserveSend", err)
}

func TestAnAccountThatCannotBeReadIsNotAbsent(t *testing.T) {
	eachGarbage(t, func(t *testing.T, raw []byte) {
		s, _ := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
		ctx, now := t.Context(), time.Now()
		must(t, s.PutAccounts(ctx, []account.Account{newAccount("ada"), newAccount("bob")}))
		b := pending("ada", now, []byte("held"))
		must(t, s.BeginSession(ctx, b, now))
		spoil(t, s, accounts.bucket, accountKey("crm", "ada"), raw)

		_, err := s.Account(ctx, "crm", "ada")
		cannotSay(t, "Account", err)
		cannotSay(t, "PutAccounts", s.PutAccounts(ctx, []account.Account{newAccount("ada")}))
		askAll(t, s, b, now)
		var read, failed int
		for _, err := range s.ListAccounts(ctx, "") {
			if err != nil {
				failed++
			} else {
				read++
			}
		}
		if read != 1 || failed != 1 {
			t.Errorf("the list has %d accounts and %d errors, want one of each", read, failed)
		}
	})
}

func TestANameOfAnAccountThatIsNotThereIsAnError(t *testing.T) {
	s, _ := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
	spoil(t, s, bucketNames, accountKey("crm", "ada"), []byte("ghost"))
	_, err := s.Account(t.Context(), "crm", "ada")
	cannotSay(t, "Account", err)
}

func TestAHoldThatCannotBeReadIsGone(t *testing.T) {
	eachGarbage(t, func(t *testing.T, raw []byte) {
		s, m := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
		ctx, now := t.Context(), time.Now()
		must(t, s.PutAccounts(ctx, []account.Account{newAccount("ada")}))
		b := pending("ada", now, []byte("held"))
		must(t, s.BeginSession(ctx, b, now))
		spoil(t, s, holds.bucket, []byte(b.Challenge.ID), raw)
		p := stepOf(b, 1, now)
		if _, err := s.PassChallenge(ctx, p, now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v, want not found", err)
		}
		if _, err := s.Session(ctx, p.Next.ID, now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the challenge was passed: %v", err)
		}
		if m.count() != 1 {
			t.Errorf("%d lines were logged, want one: %q", m.count(), m.lines)
		}
	})
}

func TestASessionThatCannotBeReadHasEnded(t *testing.T) {
	eachGarbage(t, func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "store.db")
		s, _ := openLogged(t, path)
		ctx, now := t.Context(), time.Now()
		good, bad := verified("ada", now), verified("ada", now)
		must(t, s.BeginSession(ctx, store.Begin{Session: good}, now))
		must(t, s.BeginSession(ctx, store.Begin{Session: bad}, now))
		spoil(t, s, sessions.bucket, bad.ID[:], raw)
		must(t, s.Close())

		s, m := openLogged(t, path)
		if _, err := s.Session(ctx, bad.ID, now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v, want not found", err)
		}
		_, err := s.Session(ctx, good.ID, now)
		must(t, err)
		if m.count() != 1 {
			t.Errorf("%d lines were logged, want one: %q", m.count(), m.lines)
		}
	})
}

func TestAValueThatCannotBeReadIsGoneAndCanBePutAgain(t *testing.T) {
	eachGarbage(t, func(t *testing.T, raw []byte) {
		s, m := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
		ctx, now := t.Context(), time.Now()
		spoil(t, s, values.bucket, []byte("handle"), raw)
		if _, err := s.Value(ctx, "handle", now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v, want not found", err)
		}
		if m.count() != 1 {
			t.Errorf("%d lines were logged, want one: %q", m.count(), m.lines)
		}
		must(t, s.PutValue(ctx, "handle", []byte("x"), now.Add(time.Hour)))
		got, err := s.Value(ctx, "handle", now)
		must(t, err)
		if !bytes.Equal(got, []byte("x")) {
			t.Errorf("got %q", got)
		}
	})
}
