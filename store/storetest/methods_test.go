package storetest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"

	"context"
)

func contract() map[string]bool {
	all := map[string]bool{}
	typ := reflect.TypeFor[store.Store]()
	for i := range typ.NumMethod() {
		all[typ.Method(i).Name] = true
	}
	return all
}

func TestEveryMethodThatDecidesIsRaced(t *testing.T) {
	raced := map[string]bool{}
	for _, r := range raceTests() {
		for _, m := range strings.Fields(r.methods) {
			raced[m] = true
		}
	}
	complete(t, raced, readsOnly(), "is in no race: write one in raceTests with its name, or say in readsOnly why it decides nothing")
}

func TestEveryMethodThatIsGivenATimeIsAskedWhenThingsExpire(t *testing.T) {
	asked := map[string]bool{}
	for _, e := range expiries() {
		asked[e.method] = true
	}
	complete(t, asked, timeless(), "has no case of expiry: write one in expiries, or say in timeless why nothing expires to it")
}

func TestEveryMethodIsCalledWithAContextThatIsOverAndOnAClosedStore(t *testing.T) {
	called := map[string]bool{}
	f := &fixture{t: t, ctx: t.Context(), now: time.Now()}
	f.calls(f.pending("ada"), account.Session{}, func(name string, _ func(context.Context) error) { called[name] = true })
	complete(t, called, map[string]string{
		"Close":   "the test closes the store itself",
		"NoteTry": "it has neither a context nor an error; see the tests of tries",
	}, "is not among the calls of engine.go")
}

// complete checks that each method of the contract is in exactly one of two
// lists, and nothing else is in either.
func complete(t *testing.T, have map[string]bool, but map[string]string, missing string) {
	t.Helper()
	all := contract()
	for m := range all {
		if _, excused := but[m]; !have[m] && !excused {
			t.Errorf("%s %s", m, missing)
		} else if have[m] && excused {
			t.Errorf("%s is excused (%s) and there nevertheless", m, but[m])
		}
	}
	for m := range have {
		if !all[m] {
			t.Errorf("the contract has no method %s", m)
		}
	}
	for m := range but {
		if !all[m] {
			t.Errorf("the contract has no method %s", m)
		}
	}
}
