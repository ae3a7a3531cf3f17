package twofactor

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// factorRequest is about one factor of a user, by its id or kind, or about all.
type factorRequest struct {
	User   string `json:"user"`
	Factor string `json:"factor,omitempty"`
}

// names reports whether a factor is meant.
func (q *factorRequest) names(f *account.Factor) bool {
	return q.Factor == "" || q.Factor == f.ID || q.Factor == string(f.Kind)
}

// meant are the factors that are meant, in words for the audit log. It returns an
// inputError if there is none.
func (q *factorRequest) meant(a *account.Account) ([]string, error) {
	var meant, all []string
	for i := range a.Factors {
		f := viewFactor(a.Factors[i], time.Time{})
		all = append(all, string(f.Kind)+" "+f.ID)
		if q.names(&a.Factors[i]) {
			meant = append(meant, strings.TrimSpace(string(f.Kind)+" "+f.Hint))
		}
	}
	switch {
	case len(meant) > 0:
		return meant, nil
	case len(all) == 0:
		return nil, inputErrorf("%s has no factor", clip(a.Name))
	default:
		return nil, inputErrorf("%s has no factor %s: there are %s", clip(a.Name), clip(q.Factor), strings.Join(all, ", "))
	}
}

// unlock ends the pauses of factors and forgets their failures.
func (o *operator) unlock(ctx context.Context, q factorRequest) (*acted, error) {
	var meant []string
	paused := 0
	done, err := o.change(ctx, q.User, store.Change{Edit: func(a *account.Account) (err error) {
		if meant, err = q.meant(a); err != nil {
			return err
		}
		paused = 0
		for i := range a.Factors {
			f := &a.Factors[i]
			if !q.names(f) {
				continue
			}
			if o.now.Before(f.PausedUntil) {
				paused++
			}
			f.Failures, f.PausedUntil = 0, time.Time{}
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	o.record(ctx, done.Account, handler.ActUnlocked, strings.Join(meant, ", "))
	if paused == 0 {
		return o.did(done.Account, "no factor was paused; the failed codes are forgotten: "+strings.Join(meant, ", ")), nil
	}
	return o.did(done.Account, fmt.Sprintf("%s can be used again: %s", count1(paused, "factor"), strings.Join(meant, ", "))), nil
}

// resetNotice says what is removed; of all factors none is named.
func resetNotice(acc *account.Account, q *factorRequest) handler.NoticeText {
	t := handler.NoticeText{Kind: handler.NoticeReset}
	if q.Factor == "" {
		return t
	}
	for i := range acc.Factors {
		if f := &acc.Factors[i]; q.names(f) {
			t.Factor, t.Label, t.Ending = f.Kind, f.Label, f.Hint
		}
	}
	return t
}

// reset removes factors; with the last one besides recovery codes those go too.
func (o *operator) reset(ctx context.Context, q factorRequest) (*acted, error) {
	var meant []string
	left := false
	found, err := o.find(ctx, q.User)
	if err != nil {
		return nil, err
	}
	notices, err := o.noticesOf(&found, resetNotice(&found, &q))
	if err != nil {
		return nil, err
	}
	cut, err := o.cut(ctx, q.User, store.Change{Notices: notices, Edit: func(a *account.Account) (err error) {
		if meant, err = q.meant(a); err != nil {
			return err
		}
		a.Factors = slices.DeleteFunc(a.Factors, func(f account.Factor) bool { return q.names(&f) })
		if q.Factor == "" {
			a.Proposed = nil
		}
		a.DropIdleRecovery()
		left = a.HasFactor()
		return nil
	}})
	words := "removed: " + strings.Join(meant, ", ")
	if !left {
		words += "; there is no factor left, so that the user can add one at the next login (caddy two-factor invite confirms who it is)"
	}
	return o.didCut(ctx, handler.ActReset, strings.Join(meant, ", "), words, cut, err)
}

// The bounds of how long an invitation is good.
const (
	leastInvitation = 15 * time.Minute
	mostInvitation  = 30 * 24 * time.Hour
)

// inviteRequest makes an invitation.
type inviteRequest struct {
	User string         `json:"user"`
	For  caddy.Duration `json:"for"`
	// URL is the site as browsers see it; empty for no link.
	URL string `json:"url,omitempty"`
}

// invited is an invitation, which is shown this once.
type invited struct {
	Instance string    `json:"instance"`
	User     string    `json:"user"`
	Code     string    `json:"code"`
	Link     string    `json:"link,omitempty"`
	Until    time.Time `json:"until"`
}

// invite makes an invitation in the place of the one that there was.
func (o *operator) invite(ctx context.Context, q inviteRequest) (*invited, error) {
	if d := time.Duration(q.For); d < leastInvitation || d > mostInvitation {
		return nil, inputErrorf("--for: an invitation is good for 15m to 30d")
	}
	code, err := challenge.NewSecretCode(o.random)
	if err != nil {
		return nil, err
	}
	link, err := o.inviteLink(q.URL, code)
	if err != nil {
		return nil, err
	}
	acc, err := o.find(ctx, q.User)
	if err != nil {
		return nil, err
	}
	i := account.Invitation{
		Hash: challenge.InvitationHash(sealer{o.parts.Ring}, o.instance, acc.ID, code),
		At:   o.now, Expires: o.now.Add(time.Duration(q.For)),
	}
	done, err := o.changeOf(ctx, acc, store.Change{Edit: func(a *account.Account) error {
		if a.HasFactor() {
			return inputErrorf("%s has a factor, and an invitation confirms the first one: caddy two-factor reset removes it", clip(a.Name))
		}
		a.Invitation = &i
		return nil
	}})
	if err != nil {
		return nil, err
	}
	o.record(ctx, done.Account, handler.ActInvited, "until "+i.Expires.UTC().Format(time.RFC3339))
	return &invited{Instance: o.instance, User: done.Account.Name, Code: code, Link: link, Until: i.Expires.UTC()}, nil
}

// inviteLink is the address of an invitation on a site; empty if none is named.
func (o *operator) inviteLink(site, code string) (string, error) {
	if site == "" {
		return "", nil
	}
	u, err := url.Parse(site)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", inputErrorf("--url: want the address of the site, such as https://crm.example.com, without a path")
	}
	if o.gate == nil {
		return "", inputErrorf("--url: the link needs the config, which says where the pages are: name it with --config, or leave --url out and have the code typed")
	}
	return u.Scheme + "://" + u.Host + o.gate.Prefix + "invite?code=" + url.QueryEscape(code), nil
}

// write writes lines for people.
func (i *invited) write(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "code for %s in instance %s: %s\n", plain(i.User), i.Instance, i.Code)
	if i.Link != "" {
		fmt.Fprintf(&out, "link: %s\n", i.Link)
	}
	fmt.Fprintf(&out, "Good for one first enrolment, until %s, and shown this once. Give it to nobody but the user.\n", i.Until.Format(time.RFC3339))
	_, err := io.WriteString(w, out.String())
	return err
}
