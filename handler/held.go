package handler

import (
	"encoding/json"
	"fmt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/hold"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
)

// heldAnswer is what a hold keeps, sealed.
type heldAnswer struct {
	// Answer is the app's, without its cookies.
	Answer hold.Answer `json:"answer"`
	// Sets are the lines of the cookies that the answer and proofs set.
	Sets []string `json:"sets"`
	// Carried are the guarded cookies that the login went to the app with.
	Carried []carriedCookie `json:"carried"`
	// At is the raw path and query of the login.
	At string `json:"at"`
	// Script says that a script logged in, and Back which page it was on.
	Script bool   `json:"script,omitempty"`
	Back   string `json:"back,omitempty"`
}

type carriedCookie struct {
	Name       string `json:"name"`
	Value      string `json:"value"`
	Attributes []byte `json:"attributes"`
}

// held is the answer to a login of this account, with what belongs to it.
func (a *attempt) held(kept hold.Answer, accountID string) heldAnswer {
	h := heldAnswer{Answer: kept, At: a.address}
	if a.login.PasswordInQuery {
		h.At = a.orig.EscapedPath()
	}
	h.Answer.Header = kept.Header.Clone()
	h.Answer.Header.Del("Set-Cookie")
	for _, c := range a.sets {
		// The path is written out, so that the line means the same wherever
		// the answer is released.
		h.Sets = append(h.Sets, c.Rewrite(c.Value, a.orig.EscapedPath()))
	}
	for _, o := range a.opened {
		if a.wasVerified && a.old.Account != accountID && a.g.credentials.FoldMatch(o.name) {
			// Only a login sets it, and that was another user's.
			continue
		}
		h.Carried = append(h.Carried, carriedCookie{Name: o.name, Value: o.value, Attributes: o.attrs.Append(nil)})
	}
	return h
}

func (v *visit) sealHold(h heldAnswer, id string) ([]byte, error) {
	plain, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("hold: %w", err)
	}
	return v.parts.Ring.Seal(seal.PurposeHold, []byte(id), plain, v.now), nil
}

func (v *visit) openHold(h account.Hold) (heldAnswer, error) {
	plain, err := v.parts.Ring.Open(seal.PurposeHold, []byte(h.Challenge), h.Sealed, v.now)
	if err != nil {
		return heldAnswer{}, fmt.Errorf("hold: %w", err)
	}
	var held heldAnswer
	if err := json.Unmarshal(plain, &held); err != nil {
		return heldAnswer{}, fmt.Errorf("hold: %w", err)
	}
	return held, nil
}
