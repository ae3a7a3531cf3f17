package page

import (
	"errors"
	"fmt"
	"html/template"
	"strings"
	"time"
)

// EnrolAppPage shows the secret of a new authenticator and asks for its first
// code, as a factor counts only after one was entered.
type EnrolAppPage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty.
	User string
	// Issuer and Account are how the app will call it.
	Issuer, Account string
	// URI is the otpauth://totp/ address that the picture holds, of at most
	// MaxOTPAuth bytes.
	URI string
	// Secret is the shared secret in base32, for typing by hand.
	Secret string
	// Digits is the number of digits of a code, 6 or 8.
	Digits int
	// Period is how long a code is shown, in whole seconds.
	Period time.Duration
	// Label is the name that the person gave the authenticator. It may be empty.
	Label string
	// Post takes FieldCode and FieldLabel, the name, of at most MaxLabel characters
	// and often empty.
	Post Post
	// Problem says what was wrong with the last code. With TooManyTries the page
	// shows neither secret nor field.
	Problem CodeProblem
	// TriesLeft is shown with WrongCode; 0: not said.
	TriesLeft int
	// Back is the address to go back to, fetched by GET. Empty: no link.
	Back string
	// Cancel ends the sign-in; nil: no button.
	Cancel *Post
}

// Limits of what stands on the page.
const (
	// MaxLabel is the number of characters of the name of a factor.
	MaxLabel = 40
	// MaxOTPAuth is the number of bytes of an otpauth address whose picture a camera
	// reads with ease: 136 for twice the issuer and the account, percent-encoded, where the
	// parameters are left out that every app takes for granted.
	MaxOTPAuth = 200
)

type enrolAppView struct {
	insideView
	// Picture is empty where no code is taken any more.
	Picture template.HTMLAttr
	Open    template.HTMLAttr
	Secret  string
	Account []part
	Kind    []part
	Form    *postView
	Code    inputView
	Label   inputView
}

// EnrolApp renders the page that sets up an authenticator. It returns an error, and
// no page, for a URI that is none or too long, and for a code of no digits.
func (s *Set) EnrolApp(l Lang, p EnrolAppPage) ([]byte, error) {
	if p.Digits <= 0 || p.Period < time.Second || p.Secret == "" {
		return nil, errors.New("page: enrol app: secret, digits and period are required")
	}
	if !strings.HasPrefix(p.URI, "otpauth://totp/") {
		return nil, fmt.Errorf("page: enrol app: %w: it does not begin with otpauth://totp/", ErrAddress)
	}
	sp, site := s.inside(l), given("site", s.siteOr(p.Host))
	var to target
	v := enrolAppView{
		Secret:  inFours(p.Secret),
		Account: sp.say("enrol.app.called", given("issuer", tidyTo(p.Issuer, MaxLabel)), given("account", tidyTo(p.Account, maxAccount))),
		Kind:    sp.say("enrol.app.kind", count(p.Digits), sp.wait(p.Period)),
		Label:   labelInput(sp, p.Label),
	}
	v.Heading = sp.say("enrol.app.title")
	v.Who = sp.who(site, tidyTo(p.User, maxRow))
	v.Back = to.local("href", "back", p.Back)
	v.Cancel = to.post("cancel", p.Cancel)
	v.Alert = p.alert(sp)
	if p.Problem != TooManyTries && p.Problem != Paused {
		drawn, err := picture(p.URI)
		if err != nil {
			return nil, err
		}
		v.Picture = drawn
		v.Open = attribute("href", percentEncode(p.URI, false))
		v.Form = to.post("post", &p.Post)
		v.Status = sp.say("enrol.app.status")
		v.Code = codeInput(sp.say("challenge.code", count(p.Digits)), sp.say("enrol.app.code.hint"), v.Alert != nil)
		// At first the picture has to be seen, which stands above the field.
		v.Code.Focus = v.Alert != nil
	}
	return s.renderInside(pageEnrolApp, sp, &to, p.Host, &v.insideView, &v)
}

// alert is the error summary of the code.
func (p EnrolAppPage) alert(sp *speaker) *alertView {
	a := ChallengePage{Digits: p.Digits, Problem: p.Problem, TriesLeft: p.TriesLeft}.alert(sp)
	if p.Problem == WrongCode {
		a.Lines = append(a.Lines, sp.say("enrol.app.clock"))
	}
	return a
}

// labelInput is the field for a person's own name of an authenticator.
func labelInput(sp *speaker, label string) inputView {
	return inputView{
		ID: "label", Name: FieldLabel, Value: tidyTo(label, MaxLabel),
		Label: sp.say("enrol.app.label"),
		Class: "line", Type: "text", Dir: "auto", Complete: "off", Max: MaxLabel, Optional: true,
	}
}

// maxAccount is the number of characters of the account that the page shows.
const maxAccount = 50

// inFours writes a secret in groups of four, as people copy it.
func inFours(secret string) string {
	var b strings.Builder
	for i, r := range secret {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}
