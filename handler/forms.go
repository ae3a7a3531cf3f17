package handler

import (
	"crypto/subtle"
	"encoding/base64"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// purposeForm is the purpose of the key that forms are bound with.
const purposeForm seal.Purpose = "form"

// formToken is the token of the forms of our own pages, bound to the session
// and its challenge, so that no page made for another browser can post here.
func (v *visit) formToken(id account.SessionID, challenge string) string {
	mac := v.parts.Ring.MAC(purposeForm, []byte(v.g.Instance), id[:], []byte(challenge))
	return base64.RawURLEncoding.EncodeToString(mac[:16])
}

// isOurForm reports whether a form was made for this session and posted from a
// page of this site (http.CrossOriginProtection).
func (v *visit) isOurForm(form url.Values, challenge string) bool {
	if !isSameOrigin(v.r) || len(form[page.FieldChallenge]) != 1 || form.Get(page.FieldChallenge) != challenge {
		return false
	}
	want := v.formToken(v.sessionID, challenge)
	got := form.Get(page.FieldToken)
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

func isSameOrigin(r *http.Request) bool { return http.NewCrossOriginProtection().Check(r) == nil }

// smallForm reports whether the request may be a form of ours by its headers:
// a POST, urlencoded, of a known length of at most 4 KiB.
func (v *visit) smallForm() bool {
	if v.r.Method != http.MethodPost || v.r.ContentLength < 0 || v.r.ContentLength > maxForm || len(v.r.Header["Content-Type"]) != 1 {
		return false
	}
	media, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type"))
	return err == nil && media == "application/x-www-form-urlencoded"
}

// readForm reads a small form and puts its bytes back for whoever reads them
// next.
func (v *visit) readForm() (url.Values, error) {
	raw, err := io.ReadAll(io.LimitReader(v.r.Body, maxForm+1))
	if err != nil {
		return nil, err
	}
	v.r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(string(raw)), v.r.Body), v.r.Body}
	form, err := url.ParseQuery(string(raw))
	if err != nil || len(raw) > maxForm {
		return nil, nil //nolint:nilerr // What cannot be parsed is no form of ours.
	}
	return form, nil
}

// answered takes the answer to a challenge where it is one: the code form,
// posted to the held request's own address. It is looked for only from a
// browser that had a challenge, and is never forwarded.
func (v *visit) answered() (bool, error) {
	if !v.hasToken || !v.smallForm() {
		return false, nil
	}
	here := !v.living() || v.session.Address != "" && v.address == v.session.Address
	if !here && !v.hasSteps() {
		return false, nil
	}
	form, err := v.readForm()
	if err != nil {
		return true, v.refuse(page.StoreUnavailable, err)
	}
	if !form.Has(page.FieldChallenge) || !here && !v.isStepForm(form) {
		return false, nil
	}
	return true, v.answer(form)
}

// answer checks a code that was posted, in whatever state the browser's
// session is by now: each ends in words.
func (v *visit) answer(form url.Values) error {
	switch {
	case !v.found, v.anothers:
		return v.refuse(page.ChallengeExpired, nil)
	case v.hasSteps() && v.isStepToken(form, form.Get(page.FieldChallenge)):
		return v.answerStep(form)
	case v.session.State == account.StatePassed, v.session.State == account.StateVerified:
		return v.refuse(page.AlreadyUsed, nil)
	case v.session.State == account.StateAgain:
		return v.signInOnceMore("")
	case v.session.State == account.StateCancelled:
		return v.refuse(page.Cancelled, nil)
	case v.session.Suspended():
		return v.refuse(page.LoginRunning, nil)
	case !v.isOurForm(form, v.session.Challenge):
		return v.refuseForm(form)
	}
	if form.Has(fieldGoOn) || !form.Has(page.FieldCode) {
		return v.goOnEnrolled(form)
	}
	return v.check(form.Get(page.FieldCode), form.Get(page.FieldFactor), isTicked(form))
}

// refuseForm refuses a form that was not made for the browser's open
// challenge: it is of one that a later login of this browser has replaced, or
// of no page of ours.
func (v *visit) refuseForm(form url.Values) error {
	if named := form[page.FieldChallenge]; len(named) == 1 && named[0] != v.session.Challenge && isSameOrigin(v.r) {
		return v.refuse(page.NewerSignIn, nil)
	}
	if !isSameOrigin(v.r) {
		v.record(Event{Kind: FromElsewhere, Result: InForm})
	}
	return v.refuse(page.FormExpired, nil)
}
