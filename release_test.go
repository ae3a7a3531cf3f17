package twofactor

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// logInTo sends the login form of the demo app in its style, filled in.
func (c *client) logInTo(o demoapp.Options, user, password string) reply {
	c.t.Helper()
	at := o.Path(demoapp.PageLogin)
	if o.LoginAt == demoapp.LoginAnywhere {
		at = o.Path(demoapp.PageStart)
	}
	page := c.get(at)
	filled := hidden(page.body, `id="password"`)
	action := filled.Get("")
	if action == "" {
		c.t.Fatalf("there is no login form at %s: %s", at, words(page))
	}
	delete(filled, "")
	filled.Set(o.EmailField, user)
	filled.Set(o.PasswordField, password)
	if o.LoginAt == demoapp.LoginByLink {
		return c.get(action + "?" + filled.Encode())
	}
	switch o.Encoding {
	case demoapp.EncodingMultipart:
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for name := range filled {
			if err := w.WriteField(name, filled.Get(name)); err != nil {
				c.t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			c.t.Fatal(err)
		}
		return c.do(http.MethodPost, action, &body, http.Header{"Content-Type": {w.FormDataContentType()}})
	case demoapp.EncodingJSON, demoapp.EncodingNestedJSON:
		return c.do(http.MethodPost, action, strings.NewReader(asJSON(o, filled)), http.Header{"Content-Type": {"application/json"}})
	default:
		return c.post(action, filled)
	}
}

// asJSON is the demo app's login form as its script sends it.
func asJSON(o demoapp.Options, form url.Values) string {
	object := map[string]any{}
	for name := range form {
		way := []string{name}
		if o.Encoding == demoapp.EncodingNestedJSON {
			way = strings.Split(name, ".")
		}
		at := object
		for _, key := range way[:len(way)-1] {
			if at[key] == nil {
				at[key] = map[string]any{}
			}
			at = at[key].(map[string]any)
		}
		at[way[len(way)-1]] = form.Get(name)
	}
	text, err := json.Marshal(object)
	if err != nil {
		panic(err) // texts always have a JSON form
	}
	return string(text)
}

// added are the fields that any Caddy in front of an app adds or that say when
// it was.
var added = []string{"Date", "Server", "Via", "Set-Cookie"}

var formToken = regexp.MustCompile(`name="csrf" value="[^"]*"|"csrf":"[^"]*"`)

// sameAnswer compares an answer that was released with that of the same login
// at the app itself.
func sameAnswer(t *testing.T, s *site, here, there reply) {
	t.Helper()
	if here.StatusCode != there.StatusCode {
		t.Errorf("status %d, want the app's %d: %s", here.StatusCode, there.StatusCode, words(here))
	}
	h, d := here.Header.Clone(), there.Header.Clone()
	for _, name := range added {
		h.Del(name)
		d.Del(name)
	}
	if to := d.Get("Location"); to != "" {
		d.Set("Location", strings.ReplaceAll(to, "http://"+there.Request.URL.Host, s.url))
	}
	if !maps.EqualFunc(h, d, slices.Equal) {
		t.Errorf("the headers are\n%v\nwant the app's\n%v", h, d)
	}
	if got, want := formToken.ReplaceAllString(here.body, ""), formToken.ReplaceAllString(there.body, ""); got != want {
		t.Errorf("the body is\n%s\nwant the app's\n%s", got, want)
	}
	if want := there.Request.URL; want.Query().Has("key") && here.Request.URL.Path == codePage {
		return // An address with a password in it is not written into our form.
	}
	if here.Request.URL.RequestURI() != there.Request.URL.RequestURI() {
		t.Errorf("it is the answer to %s, want %s", here.Request.URL.RequestURI(), there.Request.URL.RequestURI())
	}
}

// attributesOf are the lines of the answer's cookies without their values; of
// one name and path the last. Ours and those of the given names are left out.
func attributesOf(t *testing.T, r reply, without ...string) []string {
	t.Helper()
	var lines []string
	last := map[string]string{}
	for _, raw := range r.Header["Set-Cookie"] {
		if c, err := http.ParseSetCookie(raw); err == nil {
			last[c.Name+" "+c.Path] = raw
		}
	}
	for _, raw := range r.Header["Set-Cookie"] {
		c, err := http.ParseSetCookie(raw)
		if err != nil {
			t.Errorf("%q: %v", raw, err)
			continue
		}
		if last[c.Name+" "+c.Path] != raw {
			continue
		}
		if strings.HasPrefix(c.Name, "two-factor-") || slices.Contains(without, c.Name) {
			continue
		}
		if c.Value = "set"; c.MaxAge < 0 {
			c.Value = "deleted"
		}
		lines = append(lines, c.String())
	}
	return lines
}

func TestAReleaseIsTheAppsOwnAnswerInEveryStyle(t *testing.T) {
	for _, style := range demoapp.FormStyles() {
		t.Run(style.Name, func(t *testing.T) {
			o := style.Options
			o.LoginDelay = min(o.LoginDelay, 100*time.Millisecond)
			app, upstream := serveDemo(t, o)
			o = app.Options()
			s := startSite(t, styleFile(t, style.Name), upstream)
			direct := (&site{t: t, url: "http://" + upstream}).client()
			c := s.client()

			wrong, wrongThere := c.logInTo(o, alice, "wrong"), direct.logInTo(o, alice, "wrong")
			sameAnswer(t, s, wrong, wrongThere)
			if here, there := attributesOf(t, wrong), attributesOf(t, wrongThere); !slices.Equal(here, there) {
				t.Errorf("a wrong password sets %v, want the app's %v", here, there)
			}

			r := c.logInTo(o, alice, alicePassword)
			if o.BigLogin {
				if r.StatusCode != http.StatusBadGateway || r.Header.Get("Set-Cookie") != "" {
					t.Fatalf("%s; want a page with 502", words(r))
				}
				return
			}
			if r.StatusCode != http.StatusSeeOther || r.location() != codePage {
				t.Fatalf("the right password gave %s", words(r))
			}
			for _, raw := range r.Header["Set-Cookie"] {
				if !strings.HasPrefix(raw, "two-factor-") {
					t.Errorf("the challenge came with a cookie of the app: %q", raw)
				}
			}
			carried := slices.Collect(maps.Keys(c.cookies(o.Path(demoapp.PageLogin))))
			r, there := c.enter(s.code(alice)), direct.logInTo(o, alice, alicePassword)
			sameAnswer(t, s, r, there)
			want := attributesOf(t, there)
			// What the login carried and the app did not set again is sealed
			// anew, for the session.
			var only []string
			for _, name := range carried {
				if !slices.ContainsFunc(want, func(line string) bool { return strings.HasPrefix(line, name+"=") }) {
					only = append(only, name)
				}
			}
			if here := attributesOf(t, r, only...); !slices.Equal(here, want) {
				t.Errorf("the release sets %q, want the app's %q", here, want)
			}
			for _, name := range only {
				if name != "two-factor-default" && !slices.ContainsFunc(r.Header["Set-Cookie"], func(l string) bool { return strings.HasPrefix(l, name+"=") }) {
					t.Errorf("the cookie %s that the login carried is not sealed anew", name)
				}
			}
			profile := c.get(o.Path(demoapp.PageProfile))
			if !strings.Contains(profile.body, `<span class="user">`+alice) {
				t.Errorf("after the release the profile says %s", words(profile))
			}
			for path := range map[string]bool{"/": true, o.Path(demoapp.PageContacts): true} {
				for name, value := range c.cookies(path) {
					for id := range app.Sessions() {
						if strings.Contains(value, id) {
							t.Errorf("the cookie %s holds the app's session in the clear", name)
						}
					}
				}
			}
		})
	}
}

// loggedInWith is an app that answers each login with these headers.
func loggedInWith(status int, body string, h http.Header) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || strings.Contains(r.Header.Get("X-Password"), "wrong") {
			return
		}
		for name, lines := range h {
			w.Header()[name] = lines
		}
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "app-secret", Path: "/"})
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestARedirectToAnotherOriginGoesOnByAPage(t *testing.T) {
	tests := []struct{ name, location, goes string }{
		{"another site", "https://portal.example.net/start?a=1&b=2", "https://portal.example.net/start?a=1&amp;b=2"},
		{"another site without its scheme", "//portal.example.net/start", "http://portal.example.net/start"},
		{"another port", "http://localhost:1/start", "http://localhost:1/start"},
		{"the same host over https", "https://localhost/start", "https://localhost/start"},
	}
	app := startAnswering(t, nil)
	s := startSite(t, oneLogin("yes status 302\nno status 200"), app.address)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app.to(loggedInWith(http.StatusFound, "", http.Header{"Location": {tt.location}}))
			c := s.client()
			if r := c.post("/login", filled(bob, "x")); r.location() != codePage {
				t.Fatal(words(r))
			}
			r := c.enter(s.textCode())
			if r.StatusCode != http.StatusOK || r.location() != "" {
				t.Errorf("the code gave %s, want a page with status 200", words(r))
			}
			if !strings.Contains(r.body, `href="`+tt.goes+`"`) || !strings.Contains(r.body, `http-equiv="refresh"`) && r.Header.Get("Refresh") == "" {
				t.Errorf("the page does not go on to %s:\n%s", tt.goes, r.body)
			}
			app.requests()
			c.get("/inbox")
			if seen := app.requests(); len(seen) != 1 || seen[0].cookie() != "sid=app-secret" {
				t.Errorf("after it the app got %v, want one request with its session", seen)
			}
		})
	}
}

func TestARedirectOfTheSameOriginStaysAsTheAppWroteIt(t *testing.T) {
	app := startAnswering(t, nil)
	s := startSite(t, oneLogin("yes status 3xx\nno status 200"), app.address)
	for _, location := range []string{"/home", "home?x=1#part", "../home", s.url + "/home", "HTTP://LOCALHOST:" + s.url[strings.LastIndex(s.url, ":")+1:] + "/home", "?step=2", "crm-app:started"} {
		app.to(loggedInWith(http.StatusSeeOther, "moved", http.Header{"Location": {location}, "X-Frame-Options": {"DENY"}, "Cache-Control": {"private"}}))
		c := s.client()
		if r := c.post("/login", filled(bob, "x")); r.location() != codePage {
			t.Fatal(words(r))
		}
		r := c.enter(s.textCode())
		if r.StatusCode != http.StatusSeeOther || r.location() != location || r.body != "moved" ||
			r.Header.Get("X-Frame-Options") != "DENY" || r.Header.Get("Cache-Control") != "private" {
			t.Errorf("the code gave %s with %v, want the app's 303 to %q", words(r), r.Header, location)
		}
	}
}

func TestWhatTheLoginCarriedIsSealedAnewForItsPath(t *testing.T) {
	app := startAnswering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/login" {
			w.Header()["Set-Cookie"] = []string{
				"basket=b1; Path=/shop; Max-Age=86400; HttpOnly; SameSite=Strict",
				"sid=visitor; Path=/",
				"tracking=t1",
			}
			return
		}
		if r.Method == http.MethodPost {
			w.Header()["Set-Cookie"] = []string{"sid=app-secret; Path=/", "narrow=n1; Path=/shop/admin; Secure", "beside=1", "tracking=x; Path=/; Max-Age=0"}
			w.Header().Set("Location", "/shop")
			w.WriteHeader(http.StatusFound)
		}
	})
	s := startSite(t, oneLogin("yes redirect /shop\nno status 200"), app.address)
	c := s.client()
	c.get("/login")
	if r := c.post("/shop/login", filled(bob, "x")); r.location() != codePage {
		t.Fatal(words(r))
	}
	r := c.enter(s.textCode())
	byName := map[string]*http.Cookie{}
	for _, raw := range r.Header["Set-Cookie"] {
		k, err := http.ParseSetCookie(raw)
		if err != nil {
			t.Fatal(err)
		}
		if byName[k.Name] != nil {
			t.Errorf("%s is set twice", k.Name)
		}
		byName[k.Name] = k
	}
	if k := byName["basket"]; k == nil || k.Path != "/shop" || !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.MaxAge < 86000 || k.MaxAge > 86400 {
		t.Errorf("the carried cookie came as %v, want its own attributes", k)
	}
	if k := byName["narrow"]; k == nil || k.Path != "/shop/admin" || !k.Secure {
		t.Errorf("the narrow cookie came as %v", k)
	}
	if k := byName["beside"]; k == nil || k.Path != "/shop" {
		t.Errorf("the cookie without a path came as %v, want the login's folder", k)
	}
	if k := byName["tracking"]; k == nil || k.MaxAge >= 0 {
		t.Errorf("the deleted cookie came as %v", k)
	}
	app.requests()
	c.get("/shop/admin/")
	seen := app.requests()
	if len(seen) != 1 {
		t.Fatalf("%v reached the app", uris(seen))
	}
	for _, want := range []string{"sid=app-secret", "basket=b1", "beside=1"} {
		if !strings.Contains(seen[0].cookie(), want) {
			t.Errorf("the app got the cookies %q, want %s among them", seen[0].cookie(), want)
		}
	}
	// The values that came before the login are worth nothing by themselves.
	thief := s.client()
	at, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	thief.jar.SetCookies(at, c.jar.Cookies(at))
	thief.setCookie("two-factor-default", "")
	app.requests()
	thief.get("/login")
	for _, g := range app.requests() {
		if g.cookie() != "" {
			t.Errorf("without the own cookie the app got %q", g.cookie())
		}
	}
}

func TestALoginAsSomebodyElseTakesNoCredentialOfTheFirstUserAlong(t *testing.T) {
	app := startAnswering(t, nil)
	s := startSite(t, oneLogin("yes status 302\nno status 200", "credential cookie remember"), app.address)
	login := func(cookies ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.Header()["Set-Cookie"] = cookies
				w.WriteHeader(http.StatusFound)
			}
		}
	}
	tests := []struct{ name, second, want string }{
		{"the same user", bob, "sid=2; remember=bob"},
		{"another user", carol, "sid=2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := s.client()
			app.to(login("sid=1; Path=/", "remember=bob; Path=/; Max-Age=1000"))
			c.post("/login", filled(bob, "x"))
			c.enter(s.textCode())
			app.to(login("sid=2; Path=/"))
			if r := c.post("/login", filled(tt.second, "x")); r.location() != codePage {
				t.Fatal(words(r))
			}
			if tt.second == bob {
				c.enter(s.textCode())
			} else {
				c.enter(s.code(carol))
			}
			app.requests()
			c.get("/inbox")
			seen := app.requests()
			if len(seen) != 1 {
				t.Fatalf("%v reached the app", uris(seen))
			}
			got := strings.Split(seen[0].cookie(), "; ")
			want := strings.Split(tt.want, "; ")
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("the app got %v, want %v", got, want)
			}
		})
	}
}
