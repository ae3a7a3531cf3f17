package challenge

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func TestRule12TheAuthenticatorIsOfferedFirst(t *testing.T) {
	f := newFixture(t)
	ch := f.login("alice").challenge
	if !slices.Equal(ch.Factors, []string{testApp, testPhone}) {
		t.Errorf("offered are %v, want the authenticator first", ch.Factors)
	}
}

func TestAChallengeIsNewOpenAndBound(t *testing.T) {
	f := newFixture(t)
	acc, session := f.account("alice"), sessionID(7, "x")
	ch, err := f.service.Open(acc, "main", session, account.PurposeLogin, "/login?next=/x", start)
	if err != nil {
		t.Fatal(err)
	}
	if len(ch.ID) != 22 || ch.Instance != "main" || ch.Account != "alice" || ch.Purpose != account.PurposeLogin ||
		ch.State != account.ChallengeOpen || ch.Session != session || ch.Address != "/login?next=/x" ||
		!ch.Created.Equal(start) || !ch.Expires.Equal(start.Add(10*time.Minute)) || len(ch.Codes)+len(ch.Tries) != 0 {
		t.Errorf("challenge %+v", ch)
	}
	next, err := f.service.Open(acc, "main", session, account.PurposeLogin, "/login", start)
	if err != nil || next.ID == ch.ID {
		t.Errorf("the next has the id %q, %v", next.ID, err)
	}
}

func TestChallengesThatNobodyCouldAnswerAreNotOpened(t *testing.T) {
	f := newFixture(t)
	noSender := f.newService(f.service.log, func(c *Config) { c.Sender = nil })
	session := sessionID(7, "x")
	only := func(kinds ...account.Kind) *account.Account {
		a := f.account("alice")
		a.Factors = slices.DeleteFunc(a.Factors, func(f account.Factor) bool { return !slices.Contains(kinds, f.Kind) })
		return a
	}
	tests := []struct {
		name     string
		service  *Service
		account  *account.Account
		instance string
		session  account.SessionID
		purpose  account.Purpose
		want     error
		factors  []string
	}{
		{"both factors", f.service, f.account("alice"), "main", session, account.PurposeLogin, nil, []string{testApp, testPhone}},
		{"no sender leaves the authenticator", noSender, f.account("alice"), "main", session, account.PurposeLogin, nil, []string{testApp}},
		{"a phone alone", f.service, only(account.KindPhone), "main", session, account.PurposeLogin, nil, []string{testPhone}},
		{"a phone alone without a sender", noSender, only(account.KindPhone), "main", session, account.PurposeLogin, ErrNoSender, nil},
		{"no factor", f.service, only(), "main", session, account.PurposeLogin, ErrNoFactor, nil},
		{"another instance", f.service, f.account("alice"), "other", session, account.PurposeLogin, errAny, nil},
		{"no session", f.service, f.account("alice"), "main", account.SessionID{}, account.PurposeLogin, errAny, nil},
		{"no purpose", f.service, f.account("alice"), "main", session, "", errAny, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ch, err := tt.service.Open(tt.account, tt.instance, tt.session, tt.purpose, "", start)
			switch {
			case tt.want == nil && err != nil, tt.want == errAny && err == nil,
				tt.want != nil && tt.want != errAny && !errors.Is(err, tt.want):
				t.Errorf("Open = %v, want %v", err, tt.want)
			case tt.want == ErrNoSender && !errors.Is(err, ErrNoFactor):
				t.Errorf("Open = %v, want ErrNoFactor too", err)
			case !slices.Equal(ch.Factors, tt.factors):
				t.Errorf("offered are %v, want %v", ch.Factors, tt.factors)
			}
		})
	}
}

// errAny stands in tables for any error.
var errAny = errors.New("any error")

func TestRule02LimitsWeakerThanTheRulesAreRefused(t *testing.T) {
	f := newFixture(t)
	tests := []struct {
		name   string
		limits Limits
		ok     bool
	}{
		{"the defaults", Limits{}, true},
		{"a code of 10 minutes", Limits{CodeLife: 10 * time.Minute}, true},
		{"a code of more than 10 minutes", Limits{CodeLife: 10*time.Minute + 1}, false},
		{"a code of negative life", Limits{CodeLife: -1}, false},
		{"three tries", Limits{PerCode: 3}, true},
		{"six tries", Limits{PerCode: 6}, false},
		{"a negative number of tries", Limits{PerCode: -1}, false},
		{"101 failures in a row", Limits{InARow: 101}, false},
		{"a pause of a second", Limits{Pause: time.Second}, false},
		{"a challenge of a day", Limits{PendingLife: 24 * time.Hour}, false},
		{"one sending only", Limits{Waits: []time.Duration{}}, true},
		{"five sendings", Limits{Waits: []time.Duration{time.Minute, time.Minute, time.Minute, time.Minute}}, false},
		{"waits that shrink", Limits{Waits: []time.Duration{time.Minute, time.Second}}, false},
		{"no wait", Limits{Waits: []time.Duration{0}}, false},
		{"waiting longer than a sending takes", Limits{SendWait: 11 * time.Second}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(Config{Store: f.store, Sealer: f.sealer, Limits: tt.limits})
			if (err == nil) != tt.ok {
				t.Errorf("New = %v, want ok %v", err, tt.ok)
			}
		})
	}
	if _, err := New(Config{Sealer: f.sealer}); err == nil {
		t.Error("a service without a store was made")
	}
	if _, err := New(Config{Store: f.store}); err == nil {
		t.Error("a service without a sealer was made")
	}
}

func (l *login) view(factor string) View {
	l.f.t.Helper()
	ch := l.fresh()
	v, err := l.f.service.View(&ch, l.f.account(l.user), factor, l.f.clock.now())
	if err != nil {
		l.f.t.Fatal(err)
	}
	return v
}

func TestTheViewOfAPhoneFollowsItsCode(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	want := View{Kind: account.KindPhone, Label: "my phone", Hint: "78", Digits: 6, CanSend: true, SendingsLeft: 4}
	if got := l.view(testPhone); got != want {
		t.Errorf("before sending: %+v, want %+v", got, want)
	}

	code := l.mustSend()
	want.Sent, want.CodeExpires, want.TriesLeft = true, start.Add(5*time.Minute), 5
	want.Status, want.SendingsLeft, want.NextSend = account.SendTaken, 3, start.Add(30*time.Second)
	if got := l.view(testPhone); !sameView(got, want) {
		t.Errorf("after sending: %+v, want %+v", got, want)
	}

	wantResult[Wrong](t, l.check(testPhone, other(code)))
	f.clock.add(30 * time.Second)
	want.TriesLeft, want.NextSend = 4, time.Time{}
	if got := l.view(testPhone); !sameView(got, want) {
		t.Errorf("after a wrong code: %+v, want %+v", got, want)
	}

	f.clock.add(5 * time.Minute)
	want.Sent, want.CodeExpires, want.TriesLeft = false, time.Time{}, 0
	if got := l.view(testPhone); !sameView(got, want) {
		t.Errorf("after its life: %+v, want %+v", got, want)
	}
}

func TestTheViewOfAKilledCodeSaysThatNoneLives(t *testing.T) {
	f := newFixture(t)
	old := f.login("alice")
	old.mustSend()
	f.login("alice").mustSend()
	if got := old.view(testPhone); got.Sent || got.TriesLeft != 0 || got.SendingsLeft != 3 {
		t.Errorf("view %+v, want no living code", got)
	}
}

func TestTheViewAfterTheLastSendingOffersNone(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Limits.Waits = []time.Duration{} })
	l := f.login("alice")
	l.mustSend()
	if got := l.view(testPhone); got.SendingsLeft != 0 || !got.NextSend.IsZero() || !got.Sent {
		t.Errorf("view %+v, want none left", got)
	}
}

func TestTheViewOfAnAuthenticatorCountsItsTriesAndItsPause(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	want := View{Kind: account.KindTOTP, Label: "my app", Digits: 6, Period: 30 * time.Second, TriesLeft: 5}
	if got := l.view(testApp); got != want {
		t.Errorf("view %+v, want %+v", got, want)
	}
	for range 2 {
		l = f.login("alice")
		for range 5 {
			wantResult[Wrong](t, l.check(testApp, other(f.appCode(0))))
		}
	}
	want.TriesLeft, want.PausedUntil = 0, start.Add(30*time.Minute)
	if got := l.view(testApp); !sameView(got, want) {
		t.Errorf("view %+v, want %+v", got, want)
	}
}

func TestTheViewOfAFactorThatMayNotAnswerIsAnError(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	if v, err := f.service.View(&l.challenge, f.account("alice"), "unknown", start); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("View = %+v, %v, want ErrNotFound", v, err)
	}
	f.putAccount("bob", account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30})
	if v, err := f.service.View(&l.challenge, f.account("bob"), testApp, start); err == nil {
		t.Errorf("View of another's challenge = %+v", v)
	}
}

// sameView compares views by their instants, not by their time zones.
func sameView(a, b View) bool {
	utc := func(v View) View {
		for _, t := range []*time.Time{&v.PausedUntil, &v.CodeExpires, &v.NextSend} {
			*t = t.UTC()
		}
		return v
	}
	return utc(a) == utc(b)
}
