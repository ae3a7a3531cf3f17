package handler

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// The first factor of a user must not be a thief's who has the password (rule
// 15): before it is added, something else has to show that this is the user.

const (
	// confirmTries is how many codes can be tried against an invitation or a mail.
	confirmTries = 5
	// confirmFor is how long a code that came by mail lives, and how long a
	// confirmation counts in a verified session.
	confirmFor = 15 * time.Minute
	// mailWait is how long it takes until a second mail can be asked for. It doubles
	// with each, up to mailWaitMost, and begins anew after mailsFor without any: a
	// thief of the password must not fill the mailbox.
	mailWait     = time.Minute
	mailWaitMost = time.Hour
	mailsFor     = 24 * time.Hour
	// fieldCode is the field of addresses with a code of a mail or an invitation.
	fieldCode = "code"
	// inviteFor is how long a browser keeps the code of an invitation until the
	// user has signed in.
	inviteFor = time.Hour
	// maxInvite bounds such a code.
	maxInvite = 64
)

// isConfirmed reports whether what is known of this login shows that it is the
// user.
func (a *attempt) isConfirmed(ctx context.Context, acc *account.Account, f *policy.Facts) (bool, error) {
	switch a.g.Enrolment.Confirm {
	case ConfirmOpen:
		return true, nil
	case ConfirmKnownDevice:
		if f.Device == policy.DeviceKnown {
			return true, nil
		}
		return a.g.knowsAddress(ctx, a.parts.Store, acc.ID, f)
	default:
		return false, nil
	}
}

// knowsAddress reports whether the user was here before, from this very address,
// on another day: also while the gateway only observed.
func (g *Gate) knowsAddress(ctx context.Context, s store.Histories, acc string, f *policy.Facts) (bool, error) {
	for _, owner := range []string{g.Instance, g.Instance + observedOwner} {
		raw, err := s.History(ctx, owner, acc)
		if err != nil {
			return false, err
		}
		h := g.parseHistory(raw, f.Time)
		if h.Knows(f.Address, f.Time) {
			return true, nil
		}
	}
	return false, nil
}

// mayAdd reports whether the person may add a factor; if not, the request has
// been answered: a fresh code is asked for, or that it is confirmed who this is.
func (p *person) mayAdd() (bool, error) {
	if p.ch != nil && (p.ch.Enrolled != "" || p.acc.HasFactor()) {
		// It was added meanwhile, in another browser or tab.
		return false, p.refuse(page.ChangedElsewhere, nil)
	}
	if p.ch == nil && hasAnyFactor(&p.acc) {
		asked, err := p.needFresh()
		return !asked && err == nil, err
	}
	if p.isConfirmedHere() {
		return true, nil
	}
	return false, p.redirect(p.to(pageConfirm))
}

// isConfirmedHere reports whether it is confirmed in this session that this is
// the user.
func (p *person) isConfirmedHere() bool {
	if p.ch != nil {
		return p.ch.Confirmed
	}
	return p.g.Enrolment.Confirm == ConfirmOpen || p.isWithin(p.session.Steps.FreshAt(account.RouteConfirmed), confirmFor) ||
		p.g.Enrolment.Confirm == ConfirmKnownDevice && p.isAddressKnown()
}

// isAddressKnown reports whether the user was at this address before. What the
// store cannot say is unknown.
func (p *person) isAddressKnown() bool {
	knows, err := p.g.knowsAddress(p.r.Context(), p.parts.Store, p.acc.ID, &policy.Facts{Time: p.now, Address: addressIn(p.clientIP())})
	return err == nil && knows
}

// showConfirm shows how it can be confirmed.
func (p *person) showConfirm() error {
	if p.isConfirmedHere() {
		return p.redirect(p.to(pageEnrol))
	}
	q := p.orig.Query()
	enter := p.form(pageConfirm)
	v := page.ConfirmPage{
		Host: p.site(), User: p.session.User, Enter: &enter, Cancel: p.cancelForm(), Back: p.backIn(p.g.Prefix),
		Code: clipCode(q.Get(fieldCode)), Problem: confirmProblem(q.Get(fieldProblem)),
	}
	if v.Code == "" {
		v.Code = clipCode(p.inviteCookie())
	}
	if p.ch != nil && p.ch.MayPutOff {
		v.NotNow = p.goOnForm(p.ch, goOnWithout)
	}
	if p.mayMail() {
		v.Mail = p.mailPart(q.Get(fieldProblem) == problemMail)
	}
	v.Operator = v.Mail == nil
	return p.show(p.g.Pages.Confirm(p.language(), v))
}

const problemMail = "mail"

func confirmProblem(name string) page.ConfirmProblem {
	switch name {
	case problemWrong:
		return page.ConfirmWrong
	case problemExpired:
		return page.ConfirmExpired
	case problemTries:
		return page.ConfirmTooMany
	default:
		return page.ConfirmNone
	}
}

// mayMail reports whether a mail to the address that the operator knows confirms
// who this is.
func (p *person) mayMail() bool {
	return p.g.Enrolment.Confirm == ConfirmMail && p.parts.Mails && p.acc.Mail != ""
}

func (p *person) mailPart(failed bool) *page.ConfirmMail {
	m := &page.ConfirmMail{Address: maskMail(p.acc.Mail), Send: p.form(pageConfirmMail), Failed: failed}
	if c := p.acc.MailCode; c != nil {
		m.SendIn = waitUntil(nextMail(c), p.now)
		m.Sent = p.now.Before(c.Expires) || m.SendIn > 0
	}
	return m
}

// nextMail is from when another mail can be asked for after one.
func nextMail(c *account.Invitation) time.Time {
	return c.At.Add(min(mailWait<<min(max(c.Sent-1, 0), 10), mailWaitMost))
}

// sendConfirm sends the mail with a code for this session.
func (p *person) sendConfirm(url.Values) error {
	if !p.mayMail() || p.acc.HasFactor() {
		return p.redirect(p.to(pageConfirm))
	}
	code, err := challenge.NewMailCode(p.g.Rand)
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	now := p.g.Clock()
	made := account.Invitation{
		Hash: p.parts.Challenges.MailCodeHash(p.g.Instance, p.acc.ID, p.session.Standing, code), At: now, Expires: now.Add(confirmFor),
	}
	n := p.notice(NoticeConfirm)
	n.Code, n.Until, n.Link = code, made.Expires, p.link(pageConfirm, fieldCode, code)
	notices, err := p.noticesFor(p.acc.ID, n)
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	ctx, cancel := p.ctx()
	defer cancel()
	// The session keeps its token: nothing has changed of what it may do.
	_, err = p.parts.Store.ChangeAccount(ctx, store.Change{
		Instance: p.g.Instance, Account: p.acc.ID, Notices: notices,
		Edit: func(a *account.Account) error {
			made.Sent = 1
			if c := a.MailCode; c != nil {
				if now.Before(nextMail(c)) {
					return errElsewhere
				}
				if now.Before(c.At.Add(mailsFor)) {
					made.Sent += c.Sent
				}
			}
			a.MailCode = &made
			return nil
		},
	}, now)
	if err != nil && !errors.Is(err, errElsewhere) {
		return p.notApplied(err)
	}
	return p.redirect(p.to(pageConfirm))
}

// maskMail is what may be shown of an address after the password was right.
func maskMail(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 {
		return "…"
	}
	_, first := utf8.DecodeRuneInString(address)
	return address[:first] + "…" + address[at:]
}

// takeConfirm takes the code of a mail or an invitation.
func (p *person) takeConfirm(form url.Values) error {
	typed := form.Get(page.FieldConfirm)
	if len(typed) > maxInvite || challenge.FoldLetters(typed) == "" {
		return p.redirect(p.to(pageConfirm, fieldProblem, problemWrong))
	}
	hashes := p.parts.Challenges
	c := store.Confirm{Session: p.sessionID, PerCode: confirmTries, Codes: &[2][32]byte{
		hashes.InvitationHash(p.g.Instance, p.acc.ID, typed),
		hashes.MailCodeHash(p.g.Instance, p.acc.ID, p.session.Standing, typed),
	}}
	if p.ch != nil {
		c.Challenge = p.ch.ID
	}
	ctx, cancel := p.ctx()
	defer cancel()
	done, err := p.parts.Store.ConfirmEnrolment(ctx, c, p.g.Clock())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return p.refuse(page.ChallengeExpired, nil)
	case err != nil:
		return p.refuse(page.StoreUnavailable, err)
	case done.Right:
		p.dropInvite()
		p.recordConfirm(true)
		return p.redirect(p.to(pageEnrol))
	case done.None:
		p.dropInvite()
		p.recordConfirm(false)
		return p.redirect(p.to(pageConfirm, fieldProblem, problemExpired))
	}
	p.recordConfirm(false)
	if done.Left == 0 {
		return p.redirect(p.to(pageConfirm, fieldProblem, problemTries))
	}
	return p.redirect(p.to(pageConfirm, fieldProblem, problemWrong))
}

// clipCode is a code from an address or a cookie as it may stand in a page.
func clipCode(code string) string {
	if len(code) > maxInvite || challenge.FoldLetters(code) == "" {
		return ""
	}
	return code
}

// An invitation is opened before the user has signed in. Its code waits in a
// cookie until then, so that it stands in the field already: it is worth nothing
// before it is posted from there.

func (v *visit) inviteName() string { return v.ownName() + ".invite" }

func (v *visit) inviteCookie() string {
	for i := range v.pairs {
		if v.pairs[i].Name == v.inviteName() {
			return v.pairs[i].Value
		}
	}
	return ""
}

func (v *visit) dropInvite() {
	if v.inviteCookie() != "" {
		v.putCookie(v.w.Header(), v.inviteName(), "", -1)
	}
}

// showInvite shows what an invitation leads to. The link is opened by mail
// scanners too, so that nothing comes of it but a button.
func (p *person) showInvite() error {
	code := clipCode(p.orig.Query().Get(fieldCode))
	if code == "" {
		return p.refuse(page.NotFound, nil)
	}
	if p.pending() {
		return p.redirect(p.to(pageConfirm, fieldCode, code))
	}
	w := page.Way{Name: page.WaySignIn, To: p.g.Prefix + pageInvite, Post: true, ChallengeID: code, FormToken: p.inviteToken(code)}
	return p.message(page.MessagePage{Message: page.Invited, Host: p.site(), Ways: []page.Way{w}})
}

// inviteToken shows that a form is one of ours: the browser has no session yet.
func (p *person) inviteToken(code string) string {
	return p.formToken(account.SessionID{}, "invite "+code)
}

// takeInvite keeps the code of an invitation in the browser and leads to the
// sign-in page.
func (p *person) takeInvite(form url.Values) error {
	code := clipCode(form.Get(page.FieldChallenge))
	if code == "" || form.Get(page.FieldToken) != p.inviteToken(code) {
		return p.refuse(page.FormExpired, nil)
	}
	p.putCookie(p.w.Header(), p.inviteName(), code, int(inviteFor/time.Second))
	if p.verified() {
		return p.redirect(p.to(pageConfirm))
	}
	to := p.g.LoginPage
	if to == "" {
		to = "/"
	}
	p.w.Header().Set("Location", to)
	p.w.Header().Set("Cache-Control", "no-store")
	p.w.WriteHeader(http.StatusSeeOther)
	return nil
}
