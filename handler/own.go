package handler

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// The pages on which people look after their own second factor. They belong to a
// verified session, and those of enrolment also to a login that waits for one.
const (
	pageSettings      = ""
	pageEnrol         = "enrol"
	pageEnrolApp      = "enrol/app"
	pageEnrolProposed = "enrol/proposed"
	pageEnrolPhone    = "enrol/phone"
	pageEnrolCode     = "enrol/code"
	pageEnrolSend     = "enrol/send"
	pageConfirm       = "confirm"
	pageConfirmMail   = "confirm/mail"
	pageInvite        = "invite"
	pageRecovery      = "recovery"
	pageRename        = "factor/rename"
	pageRemove        = "factor/remove"
	pageChange        = "factor/change"
	pageOff           = "off"
	pageActivity      = "activity"
	pageEnd           = "activity/end"
	pageForget        = "activity/forget"
	pageEndAll        = "activity/all"
	pageNotMe         = "not-me"
	pageTeam          = "team"
	pageTeamNumber    = "team/number"
	pageTeamDemand    = "team/demand"
)

// ownRoute is one of these pages.
type ownRoute struct {
	// inLogin says that it is also there for a login that waits for an enrolment,
	// anybody that it needs no session.
	inLogin, anybody bool
	// get shows it, post takes its form; nil: there is none.
	get  func(*person) error
	post func(*person, url.Values) error
}

func ownRoutes() map[string]ownRoute {
	return map[string]ownRoute{
		pageSettings:      {get: (*person).showSettings},
		pageEnrol:         {inLogin: true, get: (*person).showEnrol},
		pageEnrolApp:      {inLogin: true, get: (*person).showApp, post: (*person).checkApp},
		pageEnrolProposed: {inLogin: true, post: (*person).takeProposed},
		pageEnrolPhone:    {inLogin: true, get: (*person).showPhone, post: (*person).takeNumber},
		pageEnrolCode:     {inLogin: true, get: (*person).showCode, post: (*person).checkPhone},
		pageEnrolSend:     {inLogin: true, post: (*person).sendAgain},
		pageConfirm:       {inLogin: true, get: (*person).showConfirm, post: (*person).takeConfirm},
		pageConfirmMail:   {inLogin: true, post: (*person).sendConfirm},
		pageInvite:        {anybody: true, get: (*person).showInvite, post: (*person).takeInvite},
		pageRecovery:      {inLogin: true, get: (*person).askRecovery, post: (*person).makeRecovery},
		pageRename:        {post: (*person).rename},
		pageRemove:        {get: (*person).askRemove, post: (*person).remove},
		pageChange:        {get: (*person).change},
		pageOff:           {get: (*person).askOff, post: (*person).switchOff},
		pageActivity:      {get: (*person).showActivity},
		pageEnd:           {post: (*person).end},
		pageForget:        {post: (*person).forget},
		pageEndAll:        {post: (*person).endAll},
		pageNotMe:         {anybody: true, get: (*person).showNotMe, post: (*person).notMe},
		pageTeam:          {get: (*person).showTeam},
		pageTeamNumber:    {get: (*person).showMemberNumber, post: (*person).setMemberNumber},
		pageTeamDemand:    {post: (*person).demand},
	}
}

// person is whoever looks after their own factors.
type person struct {
	*visit
	// acc is the account; where there is none in the store yet, what it would be.
	acc   account.Account
	known bool
	// ch is the enrolment that the login waits for; nil in a verified session.
	ch *account.Challenge
}

// lookAfter answers for one of these pages.
func (v *visit) lookAfter(route ownRoute) error {
	get := v.r.Method == http.MethodGet || v.r.Method == http.MethodHead
	var form url.Values
	if v.r.Method == http.MethodPost {
		var err error
		if !v.smallForm() {
			return v.refuse(page.FormExpired, nil)
		}
		if form, err = v.readForm(); err != nil {
			return v.refuse(page.FormExpired, err)
		}
		if v.hasSteps() && form.Has(page.FieldChallenge) && v.isStepForm(form) {
			return v.answer(form)
		}
	}
	switch {
	case get && route.get == nil:
		return v.redirect(v.g.Prefix)
	case !get && (form == nil || route.post == nil):
		v.w.Header().Set("Allow", "GET, HEAD, POST")
		return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("own pages take GET, HEAD and POST"))
	}
	p := &person{visit: v}
	if !route.anybody {
		if done, err := p.enter(route); done || err != nil {
			return err
		}
	}
	if get {
		return route.get(p)
	}
	if !isSameOrigin(v.r) {
		v.record(Event{Kind: FromElsewhere, Result: InForm})
		return v.refuse(page.FormExpired, nil)
	}
	if !route.anybody && !p.isOwnForm(form) {
		return v.refuse(page.FormExpired, nil)
	}
	return route.post(p, form)
}

// enter finds whose session it is. It returns true if the request has been
// answered: there is no session for this page.
func (p *person) enter(route ownRoute) (bool, error) {
	switch {
	case p.pending():
		ch, err := p.enrolling()
		if errors.Is(err, store.ErrNotFound) {
			return true, p.redirect(p.challengeAddress())
		}
		if err != nil {
			return true, p.refuse(page.StoreUnavailable, err)
		}
		if !route.inLogin {
			return true, p.redirect(p.g.Prefix + pageEnrol)
		}
		p.ch = &ch
	case p.verified():
		if asked, err := p.askAgain(); asked || err != nil {
			return true, err
		}
	case p.found && p.session.Suspended():
		return true, p.refuse(page.LoginRunning, nil)
	case p.identity != "":
		return true, p.askIdentity()
	default:
		return true, p.askForLogin()
	}
	return p.readAccount()
}

// readAccount reads the account of the session; true if there is none and none
// is to be made.
func (p *person) readAccount() (bool, error) {
	acc, err := p.parts.Store.Account(p.r.Context(), p.g.Instance, p.session.Account)
	switch {
	case err == nil:
		p.acc, p.known = acc, true
		return false, nil
	case !errors.Is(err, store.ErrNotFound):
		return true, p.refuse(page.StoreUnavailable, err)
	case p.g.UnknownUser != EnrolUnknown:
		return true, p.refuse(page.UnknownUser, nil)
	}
	now := p.g.Clock()
	p.acc = account.Account{Instance: p.g.Instance, ID: p.session.Account, Name: p.session.User, Created: now, Updated: now}
	return false, nil
}

// askAgain asks for a code where the policy does, since the session comes from
// another client than before: a copy of it must not look after anybody's factors.
func (p *person) askAgain() (bool, error) {
	changed, err := p.changeSteps()
	if err != nil {
		return true, p.refuse(page.StoreUnavailable, err)
	}
	stale, undecided, err := p.whereAsked(p.stale(changed))
	if err != nil || !undecided {
		return true, err
	}
	if len(stale) == 0 {
		return false, nil
	}
	return true, p.stepHere(keys(stale), nil)
}

// isOwnForm reports whether a form was made for this session.
func (p *person) isOwnForm(form url.Values) bool {
	return subtle.ConstantTimeCompare([]byte(form.Get(page.FieldToken)), []byte(p.ownToken())) == 1
}

// ownToken is the token of the forms of these pages. It is bound to what stays
// when the session gets a new id, so that another tab goes on.
func (p *person) ownToken() string {
	mac := p.parts.Ring.MAC(purposeForm, []byte(p.g.Instance), p.session.Standing[:], []byte("own"))
	return base64.RawURLEncoding.EncodeToString(mac[:16])
}

// form is a form of these pages, with further hidden fields, name and value by
// turns.
func (p *person) form(name string, fields ...string) page.Post {
	f := page.Post{Action: p.g.Prefix + name, Fields: []page.Hidden{{Name: page.FieldToken, Value: p.ownToken()}}}
	for i := 0; i+1 < len(fields); i += 2 {
		f.Fields = append(f.Fields, page.Hidden{Name: fields[i], Value: fields[i+1]})
	}
	return f
}

// to is the address of one of these pages, with a query of names and values by
// turns.
func (p *person) to(name string, query ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	if len(q) == 0 {
		return p.g.Prefix + name
	}
	return p.g.Prefix + name + "?" + q.Encode()
}

// cancelForm ends the login; nil in a verified session.
func (p *person) cancelForm() *page.Post {
	if p.ch == nil {
		return nil
	}
	return &page.Post{Action: p.g.Prefix + "cancel", Fields: []page.Hidden{
		{Name: page.FieldChallenge, Value: p.ch.ID}, {Name: page.FieldToken, Value: p.formToken(p.sessionID, p.ch.ID)},
	}}
}

// backIn is an address to go back to in a verified session; none in a login.
func (p *person) backIn(address string) string {
	if p.ch != nil {
		return ""
	}
	return address
}

// show writes one of these pages. Nobody may have it in a frame, or keep a window
// on it (rule 24), but for a login that began in a frame.
func (p *person) show(body []byte, err error) error {
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	if p.ch != nil {
		return p.g.Pages.Write(p.w, http.StatusOK, p.frame(), body)
	}
	return p.g.Pages.WriteInside(p.w, http.StatusOK, body)
}

// changed ends a change: the browser gets the session's new token.
func (p *person) changed(c store.Changed, token string) {
	p.acc, p.known = c.Account, true
	if p.ch == nil && token != "" {
		p.sessionID, p.session = c.Session.ID, c.Session
		p.setOwn(p.w.Header(), token)
	}
}

// apply changes the account in this session, which gets a new token (rule 19).
func (p *person) apply(ctx context.Context, c store.Change) (store.Changed, error) {
	now := p.g.Clock()
	c.Instance, c.Account, c.Session = p.g.Instance, p.acc.ID, p.sessionID
	if edit := c.Edit; edit != nil {
		c.Edit = func(a *account.Account) error {
			if isAlarmed(a) {
				return errNotAllowed
			}
			return edit(a)
		}
	}
	if !p.known {
		made := p.acc
		c.Create = &made
	}
	token := ""
	if p.ch != nil {
		c.Challenge = p.ch.ID
	} else {
		var err error
		if token, c.Next, err = p.g.newToken(); err != nil {
			return store.Changed{}, err
		}
	}
	done, err := p.parts.Store.ChangeAccount(ctx, c, now)
	if err == nil {
		p.changed(done, token)
	}
	return done, err
}

// isAlarmed reports whether nothing of an account may be changed until an operator
// says otherwise: the user has said 'this was not me', or it is suspended. Whoever
// is signed in may be the thief.
func isAlarmed(a *account.Account) bool { return a.Suspended != nil || !a.Alarm.IsZero() }

// notApplied says why a change was not made.
func (p *person) notApplied(err error) error {
	switch {
	case errors.Is(err, errNotAllowed):
		return p.refuse(page.NotAllowed, nil)
	case errors.Is(err, errElsewhere), errors.Is(err, store.ErrConflict):
		return p.refuse(page.ChangedElsewhere, nil)
	case errors.Is(err, store.ErrSpent), errors.Is(err, store.ErrNotFound):
		return p.refuse(page.EnrolmentExpired, nil)
	default:
		return p.refuse(page.StoreUnavailable, err)
	}
}

// Errors of the function that changes an account.
var (
	errNotAllowed = errors.New("only the operator may change this")
	errElsewhere  = errors.New("it was changed in the meantime")
)
