package account_test

import (
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

func TestRule18SpellingsThatAnAppTakesAsOneUserAreOneAccount(t *testing.T) {
	for _, name := range []string{
		"alice@example.com", "Alice@Example.COM", " alice@example.com", "alice@example.com\t", "\u00a0alice@example.com",
		"ａｌｉｃｅ@example.com", "ALICE＠example.com",
	} {
		if got := account.Fold(name); got != "alice@example.com" {
			t.Errorf("Fold(%q) = %q", name, got)
		}
	}
	if a, b := account.Fold("Stra\u00dfe"), account.Fold("STRASSE"); a != b {
		t.Errorf("ß and SS fold to %q and %q", a, b)
	}
	if a, b := account.Fold("e\u0301"), account.Fold("\u00e9"); a != b {
		t.Errorf("two forms of é fold to %q and %q", a, b)
	}
	if account.Fold("alice") == account.Fold("bob") {
		t.Error("two users are one account")
	}
}

func TestRule18WhatCannotBeANameIsNone(t *testing.T) {
	for _, name := range []string{"", " ", "a\x00b", "a\nb", "a\xffb", strings.Repeat("a", account.MaxName+1), strings.Repeat("\ufdfa", 80)} {
		if got := account.Fold(name); got != "" {
			t.Errorf("Fold(%q) = %q, want nothing", name, got)
		}
	}
}

func TestFoldingTwiceChangesNothing(t *testing.T) {
	for _, name := range []string{"Alice", "ſ", "İ", "ǰ", "ﬁ", "Ω", "ⅷ", "ß", "ŉ"} {
		if once := account.Fold(name); account.Fold(once) != once {
			t.Errorf("Fold(%q) = %q, and again %q", name, once, account.Fold(once))
		}
	}
}

func TestRule32SessionsEnd(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := account.Session{State: account.StateVerified, LastSeen: now, IdleFor: 8 * time.Hour, Expires: now.Add(24 * time.Hour)}
	for _, tc := range []struct {
		name  string
		at    time.Time
		seen  time.Time
		alive bool
	}{
		{"at once", now, now, true},
		{"just before it is idle for too long", now.Add(8*time.Hour - 1), now, true},
		{"when it is idle for too long", now.Add(8 * time.Hour), now, false},
		{"used in between", now.Add(10 * time.Hour), now.Add(3 * time.Hour), true},
		{"at its absolute end, however busy", now.Add(24 * time.Hour), now.Add(24*time.Hour - 1), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := s
			s.LastSeen = tc.seen
			if got := s.Alive(tc.at); got != tc.alive {
				t.Errorf("Alive = %v", got)
			}
			if got := s.Usable(tc.at); got != tc.alive {
				t.Errorf("Usable = %v", got)
			}
		})
	}
	s.SuspendedBy = account.LoginID{1}
	if s.Usable(now) {
		t.Error("a suspended session is usable")
	}
	s.SuspendedBy, s.State = account.LoginID{}, account.StatePending
	if s.Usable(now) {
		t.Error("a pending session is usable")
	}
}

func TestALockIsRunningThenStandingThenForgotten(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	l := &account.Lock{State: account.LockRunning, Since: now, Until: now.Add(30 * 24 * time.Hour)}
	for _, tc := range []struct {
		after time.Duration
		want  account.LockState
	}{
		{0, account.LockRunning},
		{account.RunningFor - 1, account.LockRunning},
		{account.RunningFor, account.LockStanding},
		{30*24*time.Hour - 1, account.LockStanding},
		{30 * 24 * time.Hour, account.LockFree},
	} {
		if got := l.At(now.Add(tc.after)); got != tc.want {
			t.Errorf("after %s the lock is %s, want %s", tc.after, got, tc.want)
		}
	}
	if (*account.Lock)(nil).At(now) != account.LockFree {
		t.Error("no lock is not free")
	}
}
