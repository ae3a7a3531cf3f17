package browser

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// Cookies returns all cookies of the person, of every host and path, those
// included that no script can read. A cookie for one host alone has a Domain
// without a leading dot; a cookie that ends with the browser has no Expires.
func (p *Page) Cookies() []*http.Cookie {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	all, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: p.person.id})
	if err != nil {
		p.fail("read the cookies", err)
	}
	cookies := make([]*http.Cookie, 0, len(all.Cookies))
	for _, c := range all.Cookies {
		cookies = append(cookies, fromBrowser(c))
	}
	return cookies
}

// Cookie returns the person's first cookie of this name, or nil.
func (p *Page) Cookie(name string) *http.Cookie {
	p.t.Helper()
	for _, c := range p.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// SetCookie gives the person a cookie, as if the host in the address bar had
// set it, unless the cookie names a domain.
func (p *Page) SetCookie(c *http.Cookie) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	param := &network.CookieParam{
		Name: c.Name, Value: c.Value, Domain: c.Domain, Path: c.Path,
		Secure: c.Secure, HTTPOnly: c.HttpOnly, SameSite: sameSiteToBrowser(c.SameSite),
	}
	if c.Domain == "" {
		param.URL = p.URL()
	}
	if !c.Expires.IsZero() {
		param.Expires = cdp.TimeSinceEpoch(float64(c.Expires.UnixMilli()) / 1000)
	}
	_, err := chromedp.CallBrowser(ctx, storage.SetCookies, storage.SetCookiesParams{
		BrowserContextID: p.person.id, Cookies: []*network.CookieParam{param},
	})
	if err != nil {
		p.fail("set the cookie "+c.Name, err)
	}
}

// ClearCookies takes all cookies of the person away.
func (p *Page) ClearCookies() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	_, err := chromedp.CallBrowser(ctx, storage.ClearCookies, storage.ClearCookiesParams{BrowserContextID: p.person.id})
	if err != nil {
		p.fail("clear the cookies", err)
	}
}

func fromBrowser(c *network.Cookie) *http.Cookie {
	cookie := &http.Cookie{
		Name: c.Name, Value: c.Value, Domain: c.Domain, Path: c.Path,
		Secure: c.Secure, HttpOnly: c.HTTPOnly, SameSite: sameSiteFromBrowser(c.SameSite),
	}
	if !c.Session && c.Expires > 0 {
		seconds, part := math.Modf(c.Expires)
		cookie.Expires = time.Unix(int64(seconds), int64(part*1e9))
	}
	return cookie
}

func sameSiteFromBrowser(s network.CookieSameSite) http.SameSite {
	switch s {
	case network.CookieSameSiteStrict:
		return http.SameSiteStrictMode
	case network.CookieSameSiteLax:
		return http.SameSiteLaxMode
	case network.CookieSameSiteNone:
		return http.SameSiteNoneMode
	}
	return 0
}

func sameSiteToBrowser(s http.SameSite) network.CookieSameSite {
	switch s {
	case http.SameSiteStrictMode:
		return network.CookieSameSiteStrict
	case http.SameSiteLaxMode:
		return network.CookieSameSiteLax
	case http.SameSiteNoneMode:
		return network.CookieSameSiteNone
	}
	return ""
}
