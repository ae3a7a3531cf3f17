package handler

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Any change of a factor needs a fresh code from one that the account has (rule
// 14). It is asked for as a step-up, whose form is posted to the page that asked;
// a code of the login counts too, for a few minutes.

const (
	// routeSettings is the route that is fresh after such a code. No handler's
	// route has this key, nor those that begin with routeNumber.
	routeSettings = "settings"
	// routeNumber begins the route of one phone whose number is to be changed.
	routeNumber = "number "
	// settingsAge is how long a code is fresh for changes.
	settingsAge = 5 * time.Minute
)

// isFresh reports whether a code was given just now, for changes or at the login.
func (p *person) isFresh() bool {
	return p.isWithin(p.session.FactorAt, settingsAge) || p.isWithin(p.session.Steps.FreshAt(routeSettings), settingsAge)
}

// needFresh asks for a code before a change. It returns true if the request has
// been answered. Without a factor there is no code to ask for: see mayAdd.
func (p *person) needFresh() (bool, error) {
	if isAlarmed(&p.acc) {
		return true, p.refuse(page.NotAllowed, nil)
	}
	if p.ch != nil || !hasAnyFactor(&p.acc) || p.isFresh() {
		return false, nil
	}
	return true, p.stepHere([]string{routeSettings}, nil)
}

func hasAnyFactor(acc *account.Account) bool { return len(acc.Factors) > 0 }

// stepHere opens a step-up for the page that the browser asks for, which only the
// given factors may answer; all, if there are none. What another site made the
// browser ask for opens none (rule 33), but leads to the settings.
func (p *person) stepHere(routes, factors []string) error {
	if p.r.Method == http.MethodPost || p.origin() != fromPerson {
		return p.problemOrSettings()
	}
	id, err := p.requestID()
	if err != nil {
		return p.refuse(page.FormExpired, err)
	}
	ch, acc, err := p.newStep(id, routes, false, "")
	if err == nil && factors != nil {
		ch.Factors = slices.DeleteFunc(ch.Factors, func(f string) bool { return !slices.Contains(factors, f) })
		if len(ch.Factors) == 0 {
			err = challenge.ErrNoFactor
		}
	}
	if errors.Is(err, challenge.ErrNoFactor) {
		return p.refuse(page.NotAllowed, nil)
	}
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	ch.Address, ch.Back = p.address, p.g.Prefix
	return p.openStep(store.StepUp{Challenge: ch}, acc, nil)
}

// problemOrSettings answers where no step-up is opened: a script is told that a
// code is needed, a person led to the settings, from where it can be asked for.
func (p *person) problemOrSettings() error {
	if !p.wantsPage() {
		return p.needsStep([]*StepUp{{MaxAge: caddy.Duration(settingsAge)}}, "")
	}
	if p.r.URL.Path == p.g.Prefix {
		return p.refuse(page.StepUpNeeded, nil)
	}
	return p.redirect(p.g.Prefix)
}
