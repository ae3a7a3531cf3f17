package handler

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

const (
	// purposeNotMe is the purpose of the key that links of mails are sealed with.
	purposeNotMe seal.Purpose = "not-me"
	// notMeFor is how long such a link works.
	notMeFor = 14 * 24 * time.Hour
	// maxNotMe bounds what such a link carries.
	maxNotMe = 1 << 10
	// fieldLink is the field of it, in addresses and forms.
	fieldLink = "t"
	// changedFor is how long after a change of a factor 'this was not me' suspends
	// the account: the factor may be the thief's.
	changedFor = 7 * 24 * time.Hour
)

// notMeClaim is what such a link says: whose account it is, and since when.
type notMeClaim struct {
	Account string    `json:"account"`
	At      time.Time `json:"at"`
}

// notMeLink is the address of 'this was not me' for a mail. Whoever has it can end
// the sessions of the account and nothing else.
func (v *visit) notMeLink(acc string) string {
	plain, err := json.Marshal(notMeClaim{acc, v.now.UTC().Truncate(time.Second)})
	if err != nil {
		return ""
	}
	sealed := v.parts.Ring.Seal(purposeNotMe, []byte(v.g.Instance), plain, v.now)
	return v.link(pageNotMe, fieldLink, base64.RawURLEncoding.EncodeToString(sealed))
}

// claimOf reads such a link. One from before the operator has let the user in again
// is over: whoever has the mailbox could else lock the user out with it once more.
func (v *visit) claimOf(text string) (c notMeClaim, ok bool) {
	if text == "" || len(text) > maxNotMe {
		return c, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return c, false
	}
	plain, err := v.parts.Ring.Open(purposeNotMe, []byte(v.g.Instance), sealed, v.now)
	if err != nil || json.Unmarshal(plain, &c) != nil {
		return c, false
	}
	if acc, err := v.parts.Store.Account(v.r.Context(), v.g.Instance, c.Account); err == nil && c.At.Before(acc.Activated) {
		return c, false
	}
	return c, v.now.Before(c.At.Add(notMeFor))
}

// showNotMe asks once more, in the session or by the link of a mail.
func (p *person) showNotMe() error {
	text := p.orig.Query().Get(fieldLink)
	v := page.NotMePage{Host: p.site()}
	switch c, ok := p.claimOf(text); {
	case ok:
		v.Post = &page.Post{Action: p.g.Prefix + pageNotMe, Fields: []page.Hidden{{Name: fieldLink, Value: text}}}
		v.User = p.nameOf(c.Account)
	case text == "" && p.verified():
		post := p.form(pageNotMe)
		v.Post, v.User = &post, p.session.User
	default:
		v.Expired = true
		v.Ways = p.ways(page.SignInNeeded)
	}
	return p.show(p.g.Pages.NotMe(p.language(), v))
}

// nameOf is the name of an account; empty if it is gone.
func (p *person) nameOf(acc string) string {
	a, err := p.parts.Store.Account(p.r.Context(), p.g.Instance, acc)
	if err != nil {
		return ""
	}
	return a.Name
}

// notMe ends every session and device of the account, forgets what is familiar,
// and has every login asked for a code until the operator says otherwise.
func (p *person) notMe(form url.Values) error {
	c, ok := p.claimOf(form.Get(fieldLink))
	switch {
	case ok:
	case p.verified() && p.isOwnForm(form):
		c.Account = p.session.Account
	default:
		return p.show(p.g.Pages.NotMe(p.language(), page.NotMePage{Host: p.site(), Expired: true, Ways: p.ways(page.SignInNeeded)}))
	}
	ctx, cancel := p.ctx()
	defer cancel()
	acc, err := p.parts.Store.Account(ctx, p.g.Instance, c.Account)
	if errors.Is(err, store.ErrNotFound) {
		return p.refuse(page.UnknownUser, nil)
	}
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	now := p.g.Clock()
	n := p.noticeTo(NoticeNotMe, &acc, acc.Name)
	var notices []account.Notice
	if acc.Alarm.IsZero() { // Said again, it is no news: a link must not fill the mailbox.
		if notices, err = p.noticesFor(acc.ID, n); err != nil {
			return p.refuse(page.StoreUnavailable, err)
		}
	}
	done, err := p.parts.Store.ChangeAccount(ctx, store.Change{
		Instance: p.g.Instance, Account: acc.ID, End: store.EndAll, Forget: true, Unlearn: true, Notices: notices,
		Edit: func(a *account.Account) error {
			if a.Alarm.IsZero() {
				a.Alarm = now
			}
			if a.Suspended == nil && (p.g.Enrolment.NotMe == NotMeSuspend || now.Before(changedAt(a).Add(changedFor))) {
				a.Suspended = &account.Suspension{At: now}
			}
			return nil
		},
	}, now)
	if err != nil {
		return p.notApplied(err)
	}
	p.record(Event{Kind: NotMeSaid, Result: Done, User: acc.Name, Account: acc.ID})
	p.g.Logger.Error("a user says that somebody else has signed in: all sessions of the account have ended; look at 'caddy two-factor audit', and let the user in again with 'caddy two-factor activate'",
		zap.String("user", acc.Name), zap.Bool("suspended", done.Account.Suspended != nil))
	if p.found && p.session.Account == acc.ID {
		p.dropOwn(p.w.Header())
	}
	return p.show(p.g.Pages.NotMe(p.language(), page.NotMePage{
		Host: p.site(), User: acc.Name, Done: true, Suspended: done.Account.Suspended != nil, Ways: p.ways(page.SignInNeeded),
	}))
}
