package account_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }

func TestASessionWithoutStepUpsHasNothingOfThem(t *testing.T) {
	var none *account.Steps
	if none.Has("") || none.Has("c") {
		t.Error("it has a challenge")
	}
	if got := none.FreshAt("export"); !got.IsZero() {
		t.Errorf("a code was given at %s", got)
	}
	if p, ok := none.Pass(account.RequestID{}, began); ok {
		t.Errorf("there is a pass: %+v", p)
	}
	c := none.Clone()
	if c == nil || !reflect.DeepEqual(*c, account.Steps{}) {
		t.Errorf("its copy is %+v", c)
	}
	c.SetFresh("export", began)
	if raw, err := json.Marshal(account.Session{}); err != nil || slices.Contains(keys(t, raw), "steps") {
		t.Errorf("it is written: %s", raw)
	}
}

func keys(t *testing.T, raw []byte) []string {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	var all []string
	for k := range m {
		all = append(all, k)
	}
	return all
}

func TestACopyOfStepsMayBeChangedAndTheyStayAsTheyWere(t *testing.T) {
	made := func() *account.Steps {
		s := &account.Steps{Challenges: make([]string, 0, 8), Waiting: "b", MovedTo: account.SessionID{1}}
		s.Challenges = append(s.Challenges, "a", "b")
		for i, route := range []string{"export", "admin", "users"} {
			s.SetFresh(route, at(i))
			s.SetPass(account.Pass{Request: account.RequestID{byte(i)}, Until: at(100)}, at(i))
		}
		return s
	}
	for name, change := range map[string]func(*account.Steps){
		"a challenge more": func(s *account.Steps) { s.Challenges = append(s.Challenges, "c") },
		"other challenges": func(s *account.Steps) { s.Challenges[0] = "x" },
		"no one waiting":   func(s *account.Steps) { s.Waiting = "" },
		"a route anew":     func(s *account.Steps) { s.SetFresh("export", at(50)) },
		"a pass taken": func(s *account.Steps) {
			s.SetPass(account.Pass{Request: account.RequestID{0}, Until: at(100), Taken: true}, at(50))
		},
		"all passes over": func(s *account.Steps) { s.SetPass(account.Pass{Until: at(300)}, at(200)) },
	} {
		s := made()
		c := s.Clone()
		if !reflect.DeepEqual(c, s) {
			t.Fatalf("the copy is %+v, want %+v", c, s)
		}
		if change(c); reflect.DeepEqual(c, s) {
			t.Errorf("%s: the copy has not changed", name)
		}
		if want := made(); !reflect.DeepEqual(s, want) {
			t.Errorf("%s: what was copied changed to %+v, want %+v", name, s, want)
		}
	}
}

func TestAChallengeIsTheSessionsIfItHasItsID(t *testing.T) {
	s := &account.Steps{Challenges: []string{"a", ""}, Waiting: "w"}
	for id, want := range map[string]bool{"a": true, "w": false, "b": false, "": false} {
		if got := s.Has(id); got != want {
			t.Errorf("Has(%q) = %t, want %t", id, got, want)
		}
	}
}

// Invariant 7: a step-up opens the routes that asked, for as long as they say.
func TestInvariant07ARouteIsFreshByItsOwnNewestCode(t *testing.T) {
	s := &account.Steps{}
	s.SetFresh("export", at(1))
	s.SetFresh("admin", at(2))
	s.SetFresh("export", at(3))
	for route, want := range map[string]time.Time{"export": at(3), "admin": at(2), "users": {}, "": {}} {
		if got := s.FreshAt(route); !got.Equal(want) {
			t.Errorf("a code was given for %q at %s, want %s", route, got, want)
		}
	}
	if n := len(s.Fresh); n != 2 {
		t.Errorf("%d routes are kept, want each once: 2", n)
	}
}

func TestTheRoutesWithTheNewestCodesAreKept(t *testing.T) {
	s := &account.Steps{}
	s.SetFresh("export", at(0))
	for i := range account.MaxFresh {
		s.SetFresh(fmt.Sprint(i), at(1+i))
		if i == 1 {
			// It is the newest again.
			s.SetFresh("export", at(2))
		}
	}
	if len(s.Fresh) != account.MaxFresh || !s.FreshAt("0").IsZero() || s.FreshAt("export").IsZero() || s.FreshAt("1").IsZero() {
		t.Errorf("%d routes are kept: %+v", len(s.Fresh), s.Fresh)
	}
}

// Rule 33: a pass is bound to its request and lives so long.
func TestRule33APassIsOneRequestsUntilItIsOver(t *testing.T) {
	s := &account.Steps{}
	a, b := account.RequestID{1}, account.RequestID{2}
	s.SetPass(account.Pass{Request: a, Until: at(10)}, at(0))
	for _, tt := range []struct {
		request account.RequestID
		now     time.Time
		want    bool
	}{
		{a, at(0), true}, {a, at(10).Add(-1), true}, {a, at(10), false}, {a, at(11), false},
		{b, at(0), false}, {account.RequestID{}, at(0), false},
	} {
		if p, ok := s.Pass(tt.request, tt.now); ok != tt.want || ok && p.Request != tt.request {
			t.Errorf("at %s there is a pass of %x: %t (%+v), want %t", tt.now, tt.request[0], ok, p, tt.want)
		}
	}
}

func TestAPassTakesThePlaceOfTheSameRequestsAndOfThoseThatAreOver(t *testing.T) {
	s := &account.Steps{}
	a, b, c := account.RequestID{1}, account.RequestID{2}, account.RequestID{3}
	s.SetPass(account.Pass{Request: a, Until: at(10)}, at(0))
	s.SetPass(account.Pass{Request: b, Until: at(20)}, at(0))
	s.SetPass(account.Pass{Request: b, Until: at(20), Taken: true}, at(1))
	if p, ok := s.Pass(b, at(1)); !ok || !p.Taken || len(s.Passes) != 2 {
		t.Errorf("there is %t, %+v, of %d", ok, p, len(s.Passes))
	}
	s.SetPass(account.Pass{Request: c, Until: at(30)}, at(10))
	if want := []account.Pass{{Request: b, Until: at(20), Taken: true}, {Request: c, Until: at(30)}}; !reflect.DeepEqual(s.Passes, want) {
		t.Errorf("the passes are %+v, want %+v", s.Passes, want)
	}
}

func TestTheNewestPassesAreKept(t *testing.T) {
	s := &account.Steps{}
	for i := range account.MaxPasses + 3 {
		s.SetPass(account.Pass{Request: account.RequestID{byte(i)}, Until: at(100)}, at(i))
	}
	for i := range account.MaxPasses + 3 {
		if _, ok := s.Pass(account.RequestID{byte(i)}, at(50)); ok != (i >= 3) {
			t.Errorf("pass %d is there: %t", i, ok)
		}
	}
}

func TestStepsAreReadAsTheyWereWritten(t *testing.T) {
	s := account.Session{Steps: &account.Steps{Challenges: []string{"a"}, Waiting: "a", MovedTo: account.SessionID{9}}}
	s.Steps.SetFresh("export", began)
	s.Steps.SetPass(account.Pass{Request: account.RequestID{7}, Until: at(9), Taken: true}, began)
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var got account.Session
	if err := json.Unmarshal(raw, &got); err != nil || !reflect.DeepEqual(got.Steps, s.Steps) {
		t.Errorf("%v: got %+v, want %+v", err, got.Steps, s.Steps)
	}
}

func TestASessionThatHasMovedOpensNothing(t *testing.T) {
	s := account.Session{State: account.StateMoved, Expires: at(30), Steps: &account.Steps{MovedTo: account.SessionID{1}}}
	if !s.Alive(began) || s.Usable(began) || s.Suspends() || s.Follows() {
		t.Errorf("alive %t, usable %t, suspends %t, follows %t", s.Alive(began), s.Usable(began), s.Suspends(), s.Follows())
	}
}
