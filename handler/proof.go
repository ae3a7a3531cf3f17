package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/internal/hold"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// userPlaceholder stands for the user name of the login in a proof's address.
const userPlaceholder = "{http.two_factor.user}"

// maxHops is how many redirects a proof follows.
const maxHops = 3

// said is what a proof says.
type said struct {
	// yes: only a logged-in user sees this; no: only a visitor does. Both, or
	// neither, says nothing.
	yes, no bool
	// user is who is logged in; empty if the page does not say.
	user string
	// team is the one that this user belongs to; empty if the page does not say.
	team string
	// sets are the cookies that the app set on the way.
	sets []cookie.SetCookie
}

// decides reports whether the proof has signs of yes or no of its own.
func (p *Proof) decides() bool {
	return p != nil && (len(p.Yes) > 0 || len(p.No) > 0 || p.User != nil)
}

// askProof asks the app, with the cookies of the login overlaid with its
// answer's, and adds the cookies that the proof's answers set to the answer's.
func (a *attempt) askProof(p *Proof, kept hold.Answer) (said, error) {
	target, err := a.proofTarget(p, kept)
	if err != nil {
		return said{}, err
	}
	jar := a.jar()
	jar.Overlay(a.sets, a.orig.EscapedPath(), a.now)
	result, err := a.ask(p, target, jar)
	if err != nil {
		return result, err
	}
	a.merge(result.sets)
	return result, nil
}

// merge adds the cookies that a proof has set to those of the answer.
func (a *attempt) merge(sets []cookie.SetCookie) {
	if len(sets) > 0 {
		a.sets = cookie.Last(append(a.sets, sets...), a.orig.EscapedPath(), a.r.Host)
	}
}

// jar holds the cookies that the request went to the app with.
func (v *visit) jar() *cookie.Jar {
	jar := cookie.NewJar(v.r.Host)
	var readable []cookie.Pair
	for _, p := range v.pairs {
		if v.g.isReadable(p) {
			readable = append(readable, p)
		}
	}
	jar.FromRequest(readable)
	for _, o := range v.opened {
		jar.Add(o.name, o.value, o.attrs, v.now)
	}
	return jar
}

// proofTarget is the address that is asked.
func (a *attempt) proofTarget(p *Proof, kept hold.Answer) (*url.URL, error) {
	if p.Location {
		target, ok := a.answerOf(kept.Status, kept.Header, kept.Body).location()
		if !ok {
			return nil, errors.New("the answer has no Location on this site")
		}
		return target, nil
	}
	return a.fixedTarget(p, a.login.User)
}

func (v *visit) fixedTarget(p *Proof, user string) (*url.URL, error) {
	if user == "." || user == ".." {
		return nil, errors.New("the user name would change the proof's address")
	}
	path, query, _ := strings.Cut(p.Address, "?")
	path = strings.ReplaceAll(path, userPlaceholder, url.PathEscape(user))
	if query != "" {
		path += "?" + strings.ReplaceAll(query, userPlaceholder, url.QueryEscape(user))
	}
	ref, err := url.Parse(path)
	if err != nil {
		return nil, fmt.Errorf("proof: address: %w", err)
	}
	target := v.siteURL().ResolveReference(ref)
	if !sameHost(target, v.siteURL()) {
		return nil, errors.New("the proof's address is of another site")
	}
	return target, nil
}

// ask asks the app for a page and follows its redirects on this site.
func (v *visit) ask(p *Proof, target *url.URL, jar *cookie.Jar) (said, error) {
	v.calledOut = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), proofWait)
	defer cancel()
	var result said
	for range maxHops + 1 {
		got, sets, err := v.get(ctx, p, target, jar)
		if err != nil {
			return result, err
		}
		result.sets = append(result.sets, sets...)
		ans := &answer{status: got.Status, header: got.Header, at: target, sets: sets, now: v.now}
		next, redirected := ans.location()
		if got.Status >= 300 && got.Status < 400 {
			if !redirected {
				return result, nil
			}
			target = next
			continue
		}
		p.read(ans, got, &result)
		return result, nil
	}
	return result, nil
}

// read reads what a page says. A body that is empty or in a coding says
// nothing.
func (p *Proof) read(ans *answer, got hold.Answer, result *said) {
	if len(got.Body) == 0 || encoded(got.Header) {
		return
	}
	ans.body = got.Body
	if p.User != nil {
		result.user = p.User.in(ans)
	}
	if p.Team != nil {
		result.team = teamName(p.Team.in(ans))
	}
	result.yes = anyOf(p.Yes, ans) == seen || len(p.Yes) == 0 && result.user != ""
	result.no = anyOf(p.No, ans) == seen
	if !result.yes || result.no {
		result.user, result.team = "", ""
	}
	if result.yes && result.no {
		result.yes, result.no = false, false
	}
}

// in returns the one name that the page says, or nothing.
func (u *ProofUser) in(ans *answer) string {
	if u.JSON != "" {
		if doc := ans.json(); doc.ok {
			if value, ok := jsonAt(doc.value, u.JSON); ok {
				switch name := value.(type) {
				case string:
					return name
				case json.Number:
					return name.String()
				}
			}
		}
		return ""
	}
	name := ""
	for i, m := range u.re.FindAllSubmatch(ans.body, -1) {
		found := html.UnescapeString(string(m[1]))
		if i > 0 && found != name {
			return ""
		}
		name = found
	}
	return name
}

// get asks for one page, and takes its cookies into the jar.
func (v *visit) get(ctx context.Context, p *Proof, target *url.URL, jar *cookie.Jar) (hold.Answer, []cookie.SetCookie, error) {
	server, ok := v.r.Context().Value(caddyhttp.ServerCtxKey).(http.Handler)
	if !ok {
		return hold.Answer{}, nil, errors.New("there is no server to ask")
	}
	r, err := v.ownRequest(ctx, target, p.Language)
	if err != nil {
		return hold.Answer{}, nil, err
	}
	call := &ownCall{gate: v.g, cookies: jar.Header(target.EscapedPath())}
	got, err := call.run(ctx, server, r)
	if err != nil {
		return hold.Answer{}, nil, fmt.Errorf("%s: %w", target.Path, err)
	}
	sets := v.setsOf(got.Header, target)
	jar.Overlay(sets, target.EscapedPath(), v.now)
	return got, sets, nil
}

// setsOf returns the cookies of a proof's answer, with their paths written out.
func (v *visit) setsOf(h http.Header, target *url.URL) []cookie.SetCookie {
	var sets []cookie.SetCookie
	for _, line := range h["Set-Cookie"] {
		c, ok := cookie.ParseSet(line)
		if !ok || isOwnName(c.Name) {
			continue
		}
		if c, ok = cookie.ParseSet(c.Rewrite(c.Value, target.EscapedPath())); ok {
			sets = append(sets, c)
		}
	}
	return sets
}

// proveVisitor sees to it that a proof that cannot say who can count as a sign
// of yes: the login goes on without a session's values, and with those of a
// line only if the app shows that nobody is logged in with them. Otherwise a
// wrong password typed into a logged-in browser would count as right.
func (a *attempt) proveVisitor() {
	if a.wasVerified && a.mayOpenStep() {
		// Two made-up fields must not open a step-up route.
		a.withheld, a.visitor = true, true
		a.forgetLine()
		return
	}
	p := a.login.Proof
	if p != nil && p.User != nil {
		return
	}
	if p == nil || len(p.Yes) == 0 {
		if a.isInAlready() {
			a.withheld = true
			a.forgetLine()
		}
		return
	}
	if len(a.opened) == 0 || !a.wasVerified && a.isVisitors(p) {
		a.visitor = true
		return
	}
	a.withheld, a.visitor = true, true
	a.forgetLine()
}

// isVisitors reports whether the app shows a visitor's page for the values of
// the request.
func (a *attempt) isVisitors(p *Proof) bool {
	if p.Location {
		return false
	}
	target, err := a.fixedTarget(p, a.login.User)
	if err != nil {
		return false
	}
	result, err := a.ask(p, target, a.jar())
	if err != nil || !result.no || result.yes {
		return false
	}
	a.goOnWith(result.sets)
	return true
}

// goOnWith puts the cookies that a proof has set before the request goes on in
// the place of those that the app has replaced with them, and has them go out
// with the answer.
func (v *visit) goOnWith(sets []cookie.SetCookie) {
	v.asked = append(v.asked, sets...)
	for _, c := range sets {
		i := slices.IndexFunc(v.opened, func(o openedCookie) bool { return o.name == c.Name && o.attrs.Path == c.Path })
		switch {
		case i < 0:
		case c.Deletes(v.now):
			v.opened = slices.Delete(v.opened, i, i+1)
		default:
			v.opened[i].value, v.opened[i].attrs = c.Value, c.AttributesAt(c.Path, v.now)
		}
	}
}

// stillItsUsers reports whether a proof says that the suspended verified
// session is still its user's, after the app has said no to a login in it.
func (a *attempt) stillItsUsers(ctx context.Context) bool {
	p := a.g.whoProof
	if p == nil {
		return false
	}
	target, err := a.fixedTarget(p, "")
	if err != nil {
		return false
	}
	jar := a.jar()
	jar.Overlay(a.sets, a.orig.EscapedPath(), a.now)
	result, err := a.ask(p, target, jar)
	if err != nil || result.user == "" {
		return false
	}
	a.merge(result.sets)
	return a.isAccount(ctx, result.user, a.old.Account)
}

// sameAccount reports whether two names are of one account.
func (v *visit) sameAccount(ctx context.Context, one, other string) bool {
	folded := account.Fold(one)
	acc, err := v.parts.Store.Account(ctx, v.g.Instance, folded)
	if err == nil {
		folded = acc.ID
	} else if !errors.Is(err, store.ErrNotFound) {
		return false
	}
	return v.isAccount(ctx, other, folded)
}

// isAccount reports whether a name is the account's.
func (v *visit) isAccount(ctx context.Context, name, id string) bool {
	folded := account.Fold(name)
	if folded == "" {
		return false
	}
	acc, err := v.parts.Store.Account(ctx, v.g.Instance, folded)
	if errors.Is(err, store.ErrNotFound) {
		return folded == id
	}
	return err == nil && acc.ID == id
}

func (v *visit) setsCredential(sets []cookie.SetCookie) bool {
	for _, c := range sets {
		if v.g.credentials.FoldMatch(c.Name) && isSet(c, v.now) {
			return true
		}
	}
	return false
}
