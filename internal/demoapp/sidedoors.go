package demoapp

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Names by which Options.SideDoors takes what it should not.
var (
	addressHeaders = []string{
		"X-Original-Url", "X-Rewrite-Url", "X-Override-Url", "X-Original-Uri", "X-Forwarded-Uri", "X-Forwarded-Path",
	}
	methodHeaders = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

	addressedSession = regexp.MustCompile(`(?i);jsessionid=([^;/?]*)`)
	rpcPassword      = regexp.MustCompile(`<user>([^<]*)</user>\s*<password>([^<]*)</password>`)
)

const (
	methodField  = "_method"
	sessionField = "PHPSESSID"
)

// believe lets the request be what its own fields say that it is.
func (v *visit) believe(body []byte) {
	r := v.r.Clone(v.r.Context())
	v.r = r
	for _, name := range addressHeaders {
		if u, err := url.ParseRequestURI(r.Header.Get(name)); err == nil && r.Header.Get(name) != "" {
			r.URL = u
			v.query = u.Query()
		}
	}
	if method, _ := v.field(methodField); method != "" && r.Method == http.MethodPost {
		r.Method = strings.ToUpper(method)
	}
	for _, name := range methodHeaders {
		if method := r.Header.Get(name); method != "" {
			r.Method = strings.ToUpper(method)
		}
	}
	v.addressedSession()
	if user, password, ok := r.BasicAuth(); ok {
		v.person = v.knownBy(user, password)
	}
	if m := rpcPassword.FindSubmatch(body); m != nil && v.app.opts.Paths.clean(r.URL.Path) == pagePaths[PageRPC] {
		v.person = v.knownBy(string(m[1]), string(m[2]))
	}
}

// addressedSession takes a session that the address or a form names, where no
// cookie does.
func (v *visit) addressedSession() {
	name := v.app.opts.SessionCookie()
	if v.cookies[name] != "" {
		return
	}
	id, _ := v.field(sessionField)
	if m := addressedSession.FindStringSubmatch(v.r.URL.EscapedPath()); m != nil {
		id = m[1]
	}
	if id != "" {
		v.cookies[name] = id
	}
}

// remoteCall gives the contacts to whom the call itself names.
func (v *visit) remoteCall() answer {
	if v.user() == "" {
		return notSignedIn()
	}
	return v.listAll()
}

// loginFields are the names of the fields of the page's login form.
func (v *visit) loginFields() (user, password string) {
	if v.page == PageStaff {
		return "username", "password"
	}
	return v.app.opts.EmailField, v.app.opts.PasswordField
}
