package handler

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// resultHeader tells a client of the API that the answer is the app's own, which
// was held.
const resultHeader = "Two-Factor-Result"

// release lets a held answer go: its status, headers and body as the app wrote
// them, its cookies sealed for the verified session, and the cookies that the
// login carried sealed anew for it too.
func (v *visit) release(ctx context.Context, held heldAnswer, s account.Session, token string) error {
	h := v.w.Header()
	if err := v.releaseCookies(ctx, h, held, s); err != nil {
		v.g.Logger.Error("a held answer could not be released", zap.Error(err))
		v.recordLost(&s)
		return v.refuse(page.HoldLost, err)
	}
	v.setOwn(h, token)
	v.recordSuccess(&s)
	v.placeAnswer(&s, decisionOf(s.Factor))
	switch {
	case v.api:
		held.Answer.Header.Set(resultHeader, "passed")
	case held.Script:
		return v.redirect(held.Back)
	}
	location := held.Answer.Header.Get("Location")
	if location != "" && held.Answer.Status >= 300 && held.Answer.Status < 400 {
		target, ok := resolveLocation(v.heldURL(held), location)
		if ok && !v.api && !v.sameOrigin(target) && v.goOn(target.String()) {
			return nil
		}
		if ok && v.sameOrigin(target) && v.address != held.At {
			target.Scheme, target.Host = "", ""
			to := target.String()
			if strings.HasPrefix(to, "//") {
				to = "/." + to // Its first segment would be a host.
			}
			held.Answer.Header.Set("Location", to)
		}
	}
	writeAnswer(v.w, held.Answer)
	return nil
}

// releaseHold opens what was held and lets it go for the session that takes the
// pending one's place.
func (v *visit) releaseHold(ctx context.Context, h account.Hold, s account.Session, token string) error {
	held, err := v.openHold(h)
	if err != nil {
		v.recordLost(&s)
		return v.refuse(page.HoldLost, err)
	}
	if s.State == account.StateAgain {
		v.setOwn(v.w.Header(), token)
		return v.signInOnceMore(held.Back)
	}
	return v.release(ctx, held, s, token)
}

// releaseCookies seals what the login carried and what its answer set; of what
// has one name, path and domain, the answer's counts.
func (v *visit) releaseCookies(ctx context.Context, h http.Header, held heldAnswer, s account.Session) error {
	sl := v.sessionSealer(&s)
	all := make([]cookie.SetCookie, 0, len(held.Carried)+len(held.Sets))
	for _, c := range held.Carried {
		set, err := c.set(v.now)
		if err != nil {
			return err
		}
		all = append(all, set)
	}
	for _, raw := range held.Sets {
		if c, ok := cookie.ParseSet(raw); ok {
			all = append(all, c)
		}
	}
	for _, c := range cookie.Last(all, v.orig.EscapedPath(), v.r.Host) {
		if !v.g.isGuarded(c.Name) {
			h.Add("Set-Cookie", c.String())
			continue
		}
		line, err := sl.line(ctx, c)
		if err != nil {
			return err
		}
		h.Add("Set-Cookie", line)
	}
	return nil
}

// set is the cookie as an answer would set it.
func (c *carriedCookie) set(now time.Time) (cookie.SetCookie, error) {
	attrs, err := cookie.ParseAttributes(c.Attributes)
	if err != nil {
		return cookie.SetCookie{}, err
	}
	line, ok := attrs.Set(c.Name, c.Value, now)
	if !ok {
		return cookie.SetCookie{}, fmt.Errorf("the cookie %q cannot stand in a line", c.Name)
	}
	set, ok := cookie.ParseSet(line)
	if !ok {
		return cookie.SetCookie{}, fmt.Errorf("the cookie %q is too large for a line", c.Name)
	}
	return set, nil
}

// heldURL is the address of the held request as the browser saw it.
func (v *visit) heldURL(held heldAnswer) *url.URL {
	u := v.siteURL()
	if at, err := url.ParseRequestURI(held.At); err == nil {
		u.Path, u.RawPath, u.RawQuery = at.Path, at.RawPath, at.RawQuery
	}
	return u
}

// sameOrigin reports whether an address is of the origin that the browser is
// at. Where the scheme differs and the host does not, it is not.
func (v *visit) sameOrigin(u *url.URL) bool {
	here := v.siteURL()
	return u.Scheme == here.Scheme && strings.EqualFold(withPort(u), withPort(here))
}

func withPort(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Host
	case u.Scheme == "https":
		return u.Hostname() + ":443"
	default:
		return u.Hostname() + ":80"
	}
}

// goOn leads to another origin by a page, since browsers enforce form-action
// on redirects too. It returns false for an address that no page can carry.
func (v *visit) goOn(to string) bool {
	body, err := v.g.Pages.Continue(v.language(), page.ContinuePage{Host: v.site(), URL: to})
	if err != nil {
		v.g.Logger.Warn("a redirect to another site goes out as the app wrote it, and the browser may refuse it", zap.Error(err))
		return false
	}
	if err := v.g.Pages.Write(v.w, http.StatusOK, v.frame(), body); err != nil {
		v.g.Logger.Warn("a page could not be written", zap.Error(err))
	}
	return true
}
