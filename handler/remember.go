package handler

import (
	"crypto/subtle"
	"net/url"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// fieldTicked is the field of the challenge page's address that says that the
// box was ticked before. It is a token of this challenge: a link from elsewhere
// ticks nothing (rule 21: off until ticked).
const fieldTicked = "remember"

// offer is the box of the challenge page; nil if there is none.
func (v *visit) offer(ch *account.Challenge) *page.Remember {
	if !ch.Remember || v.g.RememberFor <= 0 {
		return nil
	}
	got, want := v.orig.Query().Get(fieldTicked), v.tickToken(ch)
	return &page.Remember{For: v.g.RememberFor, Ticked: subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1}
}

// isTicked reports whether the box was ticked in a form.
func isTicked(form url.Values) bool {
	box := form[page.FieldRemember]
	return len(box) == 1 && box[0] == "1"
}

// ticked is an address of the challenge page, which keeps the tick if there is
// one.
func (v *visit) ticked(address string, ch *account.Challenge, is bool) string {
	if !is || !ch.Remember {
		return address
	}
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + url.Values{fieldTicked: {v.tickToken(ch)}}.Encode()
}

func (v *visit) tickToken(ch *account.Challenge) string {
	return v.formToken(v.sessionID, ch.ID+" "+fieldTicked)
}
