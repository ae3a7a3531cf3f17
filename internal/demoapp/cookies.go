package demoapp

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	rememberFor = 30 * 24 * time.Hour
	prefsFor    = 365 * 24 * time.Hour
)

var cookieNameFolder = strings.NewReplacer(".", "_", " ", "_", "[", "_")

// readCookies reads the Cookie lines as PHP does: dots, blanks and opening
// brackets in a name are underscores, and the first of a name counts.
func readCookies(lines []string) map[string]string {
	cookies := map[string]string{}
	for _, pair := range strings.Split(strings.Join(lines, "; "), ";") {
		name, raw, ok := strings.Cut(strings.TrimLeft(pair, " \t"), "=")
		if !ok {
			continue
		}
		name = cookieNameFolder.Replace(name)
		if _, seen := cookies[name]; seen {
			continue
		}
		val, err := url.QueryUnescape(strings.TrimSpace(raw))
		if err != nil {
			val = raw
		}
		cookies[name] = val
	}
	return cookies
}

func setCookie(h http.Header, c http.Cookie) {
	h.Add("Set-Cookie", c.String())
}

func deleteCookie(h http.Header, name, path string) {
	setCookie(h, http.Cookie{
		Name: name, Value: "deleted", Path: path, HttpOnly: true,
		Expires: time.Unix(1, 0), MaxAge: -1,
	})
}

// contactsPath is the narrower of the two paths of Options.TwoPaths.
func (o Options) contactsPath() string { return o.BasePath + "/contacts" }

// writeSession sets the cookies that the visit has made due.
func (v *visit) writeSession(h http.Header) {
	o := v.app.opts
	name := o.SessionCookie()
	if v.signedOut {
		deleteCookie(h, name, o.cookiePath())
		if o.TwoPaths {
			deleteCookie(h, name, o.contactsPath())
		}
		if o.Remember {
			deleteCookie(h, RememberCookie, o.cookiePath())
		}
		return
	}
	if v.session == nil || !v.setSession {
		return
	}
	if v.standingChanged && o.DeleteAndSet {
		deleteCookie(h, name, o.cookiePath())
	}
	setCookie(h, http.Cookie{Name: name, Value: v.session.current, Path: o.cookiePath(), HttpOnly: true})
	if v.standingChanged && o.TwoPaths {
		setCookie(h, http.Cookie{Name: name, Value: v.session.contacts, Path: o.contactsPath(), HttpOnly: true})
	}
}

func (v *visit) writeRemember(h http.Header) {
	if v.remember == "" {
		return
	}
	path := v.app.opts.cookiePath()
	setCookie(h, http.Cookie{
		Name: RememberCookie, Value: v.remember, Path: path, HttpOnly: true,
		Expires: v.now.Add(rememberFor), MaxAge: int(rememberFor / time.Second),
	})
	setCookie(h, http.Cookie{
		Name: PrefsCookie, Value: "theme-blue", Path: path,
		Expires: v.now.Add(prefsFor), MaxAge: int(prefsFor / time.Second),
	})
}
