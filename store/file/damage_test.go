package file

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// damage makes of a record what may stand in its place. sibling is the record
// of another key of the same bucket, foreign one of another bucket.
type damage struct {
	name string
	make func(bucket string, key, good, sibling, foreign []byte) []byte
}

func damages() []damage {
	all := []damage{
		{"nothing", func(string, []byte, []byte, []byte, []byte) []byte { return nil }},
		{"noise", func(_ string, _, good, _, _ []byte) []byte { return random(len(good)) }},
		{"text without a frame", func(_ string, _, good, _, _ []byte) []byte { return good[frameSize:] }},
		{"another key's record", func(_ string, _, _, sibling, _ []byte) []byte { return sibling }},
		{"another kind's record", func(_ string, _, _, _, foreign []byte) []byte { return foreign }},
		{"a record with more behind it", func(_ string, _, good, _, _ []byte) []byte { return append(good, 0) }},
	}
	for _, left := range []string{"1 byte", "the version and half a checksum", "the frame", "half", "all but the last byte"} {
		all = append(all, damage{"cut off after " + left, func(_ string, _, good, _, _ []byte) []byte {
			n := map[string]int{
				"1 byte": 1, "the version and half a checksum": 3, "the frame": frameSize,
				"half": len(good) / 2, "all but the last byte": len(good) - 1,
			}[left]
			return good[:n]
		}})
	}
	for _, version := range []byte{0, frameVersion + 1, '{', 0xff} {
		all = append(all, damage{fmt.Sprintf("version %d", version), func(_ string, _, good, _, _ []byte) []byte {
			good[0] = version
			return good
		}})
	}
	for _, at := range []int{1, 25, 50, 75, 99} {
		all = append(all, damage{fmt.Sprintf("a flipped bit at %d%%", at), func(_ string, _, good, _, _ []byte) []byte {
			good[len(good)*at/100] ^= 4
			return good
		}})
	}
	// What another program would write, with the frame that is right.
	for _, text := range []string{"", "{", "null", "{}", "[]", `"text"`, "\x00\xff", `{"state":"free"}`, `{"state":"","until":"2999-01-01T00:00:00Z"}`} {
		all = append(all, damage{fmt.Sprintf("framed %q", text), func(bucket string, key, _, _, _ []byte) []byte {
			return frame(bucket, key, []byte(text))
		}})
	}
	return all
}

// scene is one user in the middle of a login, with a record of each kind.
type scene struct {
	t      *testing.T
	s      *Store
	now    time.Time
	acc    string
	b      store.Begin
	next   store.Pass
	line   account.LineKey
	login  account.LoginID
	handle string
	device account.Device
	// steps is nil until withSteps or withPass.
	steps *stepScene
	// changes is nil until withChanges.
	changes *changeScene
}

func newScene(t *testing.T, s *Store) *scene {
	t.Helper()
	sc := &scene{t: t, s: s, now: time.Now(), acc: newName(), line: newLine(), login: newLogin(), handle: newName()}
	ctx := t.Context()
	a := newAccount(sc.acc)
	a.Aliases = []string{sc.alias()}
	must(t, s.PutAccounts(ctx, []account.Account{a}))
	must(t, second(s.LockLine(ctx, sc.line, sc.login, sc.now, sc.now.Add(time.Hour))))
	sc.b = pending(sc.acc, sc.now, []byte("held"))
	must(t, s.BeginSession(ctx, sc.b, sc.now))
	must(t, sc.reserve())
	must(t, s.PutValue(ctx, sc.handle, []byte("value"), sc.now.Add(time.Hour)))
	sc.next = stepOf(sc.b, 1, sc.now)
	sc.device = newDevice(sc.acc, sc.now)
	sc.remember(sc.device)
	return sc
}

func (sc *scene) alias() string { return sc.acc + "@example.com" }

func (sc *scene) suspend() {
	sc.t.Helper()
	must(sc.t, second(sc.s.SuspendSession(sc.t.Context(), sc.b.Session.ID, sc.login, sc.now)))
}

func (sc *scene) account() error {
	_, err := sc.s.Account(sc.t.Context(), "crm", sc.acc)
	return err
}

func (sc *scene) put(id string, aliases ...string) error {
	a := newAccount(id)
	a.Aliases = aliases
	return sc.s.PutAccounts(sc.t.Context(), []account.Account{a})
}

func (sc *scene) begin(turn func(*store.Begin)) error {
	b := pending(sc.acc, sc.now, []byte("held"))
	b.Login, b.LineUntil = sc.login, sc.now.Add(time.Hour)
	turn(&b)
	err := sc.s.BeginSession(sc.t.Context(), b, sc.now)
	if _, ok := sc.s.table.get(b.Session.ID); ok != (err == nil) {
		sc.t.Errorf("the session has begun: %t, with error %v", ok, err)
	}
	return err
}

func (sc *scene) attempt() error {
	return second(sc.s.CountAttempt(sc.t.Context(), store.Attempt{
		Challenge: sc.b.Challenge.ID, Session: sc.b.Session.ID, Factor: "totp", PerCode: 5, InARow: 10,
	}, sc.now))
}

func (sc *scene) pass() error { return second(sc.s.PassChallenge(sc.t.Context(), sc.next, sc.now)) }

func (sc *scene) reserve() error {
	return second(sc.s.ReserveSend(sc.t.Context(), store.Send{
		Challenge: sc.b.Challenge.ID, Session: sc.b.Session.ID, Factor: "phone", PerCode: 5, Waits: []time.Duration{0, 0},
		New: account.Code{Hash: [32]byte{1}, Sealed: []byte("x"), Expires: sc.now.Add(time.Minute)},
	}, sc.now))
}

// closed checks that nothing was passed.
func (sc *scene) closed() {
	sc.t.Helper()
	if _, ok := sc.s.table.get(sc.next.Next.ID); ok {
		sc.t.Error("the challenge was passed")
	}
	if sc.changes != nil {
		if _, ok := sc.s.table.get(sc.changes.pass.Next.ID); ok {
			sc.t.Error("the enrolment was passed")
		}
	}
	if sc.steps == nil {
		return
	}
	if _, ok := sc.s.table.get(sc.steps.next); ok {
		sc.t.Error("the step-up was passed")
	}
}

// openLogged opens a store whose log is kept, and which syncs nothing.
func openLogged(t *testing.T, path string) (*Store, *memo) {
	t.Helper()
	m := &memo{}
	s, err := Open(path, Options{Logger: m.log})
	must(t, err)
	s.db.NoSync = true
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

// rawOf reads what stands at a key.
func rawOf(t *testing.T, s *Store, bucket string, key []byte) []byte {
	t.Helper()
	var raw []byte
	must(t, s.viewOnce(func(tx *bbolt.Tx) error {
		raw = bytes.Clone(tx.Bucket([]byte(bucket)).Get(key))
		return nil
	}))
	return raw
}

func TestWhatCannotBeReadIsAbsentWhereThatClosesAndElseAnError(t *testing.T) {
	for _, tg := range targets() {
		for _, d := range damages() {
			t.Run(tg.name+"/"+d.name, func(t *testing.T) {
				t.Parallel()
				tryDamage(t, tg, d)
			})
		}
	}
}

// tryDamage gives each method a scene of its own in one store, damages the
// record in all of them, and asks.
func tryDamage(t *testing.T, tg target, d damage) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, m := openLogged(t, path)
	must(t, s.PutAccounts(t.Context(), []account.Account{newAccount("healthy")}))
	sibling := newScene(t, s)
	scenes := make([]*scene, len(tg.probes))
	bad := make([][]byte, len(tg.probes))
	for i, p := range tg.probes {
		sc := newScene(t, s)
		if p.before != nil {
			p.before(sc)
		}
		foreign := rawOf(t, s, values.bucket, []byte(sc.handle))
		if tg.bucket == values.bucket {
			foreign = rawOf(t, s, locks.bucket, lineKey(sc.line))
		}
		key := tg.key(sc)
		bad[i] = d.make(tg.bucket, key, rawOf(t, s, tg.bucket, key), rawOf(t, s, tg.bucket, tg.key(sibling)), foreign)
		spoil(t, s, tg.bucket, key, bad[i])
		scenes[i] = sc
	}
	if tg.restart {
		must(t, s.Close())
		s, m = openLogged(t, path)
	}
	for i, p := range tg.probes {
		t.Run(p.name(), func(t *testing.T) {
			sc := scenes[i]
			sc.t, sc.s = t, s
			p.try(t, sc, tg, bad[i])
			if n := m.naming(tg.bucket, shownKey(tg.bucket, tg.key(sc))); n != 1 && !p.inMemory {
				t.Errorf("the log names the record %d times, want once", n)
			}
		})
	}
}

// naming counts the lines that name a record.
func (m *memo) naming(bucket, key string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, line := range m.lines {
		if strings.Contains(line, "bucket"+bucket) && strings.Contains(line, key) {
			n++
		}
	}
	return n
}

// A flipped bit could make of a time another time and of a count a smaller one.
func TestEveryFlippedBitAndEveryCutOfARecordIsNoticed(t *testing.T) {
	s, _ := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
	sc := newScene(t, s)
	tryBits(t, s, accounts, accountKey("crm", sc.acc))
	tryBits(t, s, names, accountKey("crm", sc.acc))
	tryBits(t, s, locks, lineKey(sc.line))
	tryBits(t, s, sessions, sc.b.Session.ID[:])
	tryBits(t, s, challenges, []byte(sc.b.Challenge.ID))
	tryBits(t, s, holds, []byte(sc.b.Challenge.ID))
	tryBits(t, s, values, []byte(sc.handle))
	tryBits(t, s, devices, sc.deviceKey())
	tryBits(t, s, enrolments, sc.enrolmentKey())
	tryBits(t, s, notices, sc.noticeKey())
	tryBits(t, s, demands, []byte(sc.acc))
	sc.withPass()
	tryBits(t, s, sessions, sc.steps.v.ID[:])
	tryBits(t, s, sessions, sc.steps.old[:])
	tryBits(t, s, challenges, []byte(sc.steps.waits.Challenge.ID))
}

func tryBits[T any](t *testing.T, s *Store, k *kind[T], key []byte) {
	t.Helper()
	good := rawOf(t, s, k.bucket, key)
	if v, err := k.decode(key, good); err != nil {
		t.Fatal(err)
	} else if again, err := k.encode(key, v); err != nil || !bytes.Equal(again, good) {
		t.Errorf("%s: a record that was read is written otherwise: %v", k.bucket, err)
	}
	for bit := range len(good) * 8 {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := k.decode(key, bad); !isGarbage(err) {
			t.Errorf("%s: bit %d of %d flipped: %v", k.bucket, bit, len(good)*8, err)
		}
	}
	for n := range len(good) {
		if _, err := k.decode(key, good[:n]); !isGarbage(err) {
			t.Errorf("%s: cut off after %d of %d bytes: %v", k.bucket, n, len(good), err)
		}
	}
}

func TestTheLogNamesADamagedRecordOnceHoweverOftenItIsAskedFor(t *testing.T) {
	s, m := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
	key, now := newLine(), time.Now()
	spoil(t, s, locks.bucket, lineKey(key), []byte("{"))
	for range 1000 {
		_, err := s.LineState(t.Context(), key, now)
		cannotSay(t, "LineState", err)
		_, err = s.LockLine(t.Context(), key, newLogin(), now, now.Add(time.Hour))
		cannotSay(t, "LockLine", err)
	}
	if m.count() != 1 {
		t.Fatalf("%d lines were logged, want one: %q", m.count(), m.lines)
	}
	for _, want := range []string{"locks", `"crm/`, "stays locked", "fewer than any record"} {
		if !strings.Contains(m.lines[0], want) {
			t.Errorf("the line does not say %q: %s", want, m.lines[0])
		}
	}
}

func TestTheLogOfAFileThatIsDamagedAllOverIsBounded(t *testing.T) {
	s, m := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
	must(t, s.db.Update(func(tx *bbolt.Tx) error {
		for range 5 * maxComplaints {
			if err := tx.Bucket([]byte(locks.bucket)).Put(lineKey(newLine()), []byte("{")); err != nil {
				return err
			}
			if err := tx.Bucket([]byte(values.bucket)).Put([]byte(newName()), []byte("{")); err != nil {
				return err
			}
		}
		return nil
	}))
	ask := func(bucket string, call func(key []byte)) {
		var keys [][]byte
		must(t, s.viewOnce(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte(bucket)).ForEach(func(k, _ []byte) error {
				keys = append(keys, bytes.Clone(k))
				return nil
			})
		}))
		for _, k := range keys {
			call(k)
		}
	}
	ask(locks.bucket, func(k []byte) {
		_, err := s.LineState(t.Context(), account.LineKey{Instance: "crm", Line: account.StandingID(k[len("crm")+1:])}, time.Now())
		cannotSay(t, "LineState", err)
	})
	ask(values.bucket, func(k []byte) {
		if _, err := s.Value(t.Context(), string(k), time.Now()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v, want not found", err)
		}
	})
	if n := m.count(); n != maxComplaints+1 {
		t.Errorf("%d lines were logged, want %d", n, maxComplaints+1)
	}
	if last := m.lines[len(m.lines)-1]; !strings.Contains(last, "more records") {
		t.Errorf("the last line does not say that there are more: %s", last)
	}
}

// The ids are looked up by, so a log that had them whole would open something.
func TestTheLogTellsNoKeyThatOpensSomething(t *testing.T) {
	s, m := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
	sc := newScene(t, s)
	sc.withChanges()
	for bucket, key := range map[string][]byte{
		enrolments.bucket: sc.enrolmentKey(), notices.bucket: sc.noticeKey(),
		locks.bucket: lineKey(sc.line), challenges.bucket: []byte(sc.b.Challenge.ID),
		holds.bucket: []byte(sc.b.Challenge.ID), values.bucket: []byte(sc.handle), sessions.bucket: sc.b.Session.ID[:],
		devices.bucket: sc.deviceKey(),
	} {
		spoil(t, s, bucket, key, []byte("{"))
	}
	_, err := s.LineState(t.Context(), sc.line, sc.now)
	cannotSay(t, "LineState", err)
	_, err = s.Challenge(t.Context(), sc.b.Challenge.ID, sc.now)
	cannotSay(t, "Challenge", err)
	_, _ = s.Value(t.Context(), sc.handle, sc.now)
	must(t, s.EndSession(t.Context(), sc.b.Session.ID))
	must(t, second(s.Devices(t.Context(), "crm", sc.acc, sc.now)))
	must(t, second(s.TakeNotices(t.Context(), 10, time.Minute, sc.now)))
	must(t, s.DropEnrolment(t.Context(), "crm", sc.changes.e.Standing))
	if m.count() != 8 {
		t.Errorf("%d lines were logged, want one for each record: %q", m.count(), m.lines)
	}
	for _, line := range m.lines {
		for _, secret := range []string{sc.b.Challenge.ID, sc.handle, fmt.Sprintf("%x", sc.line.Line), fmt.Sprintf("%x", sc.b.Session.ID), fmt.Sprintf("%x", sc.device.ID),
			fmt.Sprintf("%x", sc.changes.e.Standing), sc.changes.e.ID, sc.changes.notice.ID} {
			if strings.Contains(line, secret) {
				t.Errorf("the log has a whole id: %s", line)
			}
		}
	}
}
