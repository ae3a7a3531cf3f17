package demoapp

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	alice, alicePassword = "alice@example.com", "correct horse"
	bob, bobPassword     = "bob@example.com", "battery staple"
)

// browser is a client with a cookie jar that follows no redirect by itself.
type browser struct {
	t    *testing.T
	app  *App
	base string
	http *http.Client
}

type reply struct {
	*http.Response
	body string
}

func start(t *testing.T, o Options) *browser {
	t.Helper()
	app := New(o)
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	return another(t, app, server.URL)
}

func another(t *testing.T, app *App, base string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, app: app, base: base, http: &http.Client{
		Jar: jar, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (b *browser) do(method, address, contentType, body string) reply {
	b.t.Helper()
	r, err := http.NewRequest(method, b.base+address, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return b.send(r)
}

func (b *browser) send(r *http.Request) reply {
	b.t.Helper()
	response, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{response, string(read)}
}

func (b *browser) get(address string) reply {
	b.t.Helper()
	return b.do(http.MethodGet, address, "", "")
}

func (b *browser) page(p Page) reply {
	b.t.Helper()
	return b.get(b.app.Options().Path(p))
}

func (b *browser) post(address string, fields url.Values) reply {
	b.t.Helper()
	return b.do(http.MethodPost, address, "application/x-www-form-urlencoded", fields.Encode())
}

var tokenField = regexp.MustCompile(`name="csrf" value="([^"]*)"`)

func tokenOf(t *testing.T, body string) string {
	t.Helper()
	found := tokenField.FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("no CSRF token in\n%s", body)
	}
	return found[1]
}

// login opens the login page and sends its form the way the style does.
func (b *browser) login(email, password string) reply {
	b.t.Helper()
	page := b.page(PageLogin).body
	if o := b.app.Options(); o.LoginAt == LoginByLink {
		return b.get(o.BasePath + enterPath + "?" + url.Values{o.EmailField: {email}, o.PasswordField: {password}}.Encode())
	}
	return b.submit(tokenOf(b.t, page), email, password)
}

func (b *browser) submit(token, email, password string) reply {
	b.t.Helper()
	o := b.app.Options()
	fields := map[string]string{"csrf": token, o.EmailField: email, o.PasswordField: password}
	address := o.Path(PageLogin)
	switch o.Encoding {
	case EncodingJSON, EncodingNestedJSON:
		return b.do(http.MethodPost, address, "application/json", jsonBody(b.t, fields))
	case EncodingMultipart:
		contentType, body := multipartBody(b.t, fields)
		return b.do(http.MethodPost, address, contentType, body)
	}
	form := url.Values{}
	for name, val := range fields {
		form.Set(name, val)
	}
	return b.post(address, form)
}

func multipartBody(t *testing.T, fields map[string]string) (contentType, body string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for name, val := range fields {
		if err := w.WriteField(name, val); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), out.String()
}

// user is who the app says the browser is.
func (b *browser) user() string {
	b.t.Helper()
	found := regexp.MustCompile(`<span class="user">([^<]*)</span>`).FindStringSubmatch(b.page(PageProfile).body)
	if found == nil {
		return ""
	}
	return found[1]
}

// session is the value of the session cookie that the browser would send.
func (b *browser) session() string { return b.cookie(b.app.Options().SessionCookie()) }

func (b *browser) cookie(name string) string {
	b.t.Helper()
	at, err := url.Parse(b.base + b.app.Options().Path(PageProfile))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.http.Jar.Cookies(at) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// withCookie asks for a page with one session cookie and no jar.
func (b *browser) withCookie(p Page, val string) reply {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.base+b.app.Options().Path(p), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Cookie", b.app.Options().SessionCookie()+"="+val)
	stranger := *b
	client := *b.http
	client.Jar = nil
	stranger.http = &client
	return stranger.send(r)
}

func (b *browser) mustBe(email string) {
	b.t.Helper()
	if got := b.user(); got != email {
		b.t.Fatalf("the app takes the browser for %q, want %q", got, email)
	}
}

func (r reply) must(t *testing.T, status int, location string) reply {
	t.Helper()
	if r.StatusCode != status || r.Header.Get("Location") != location {
		t.Fatalf("got %d to %q, want %d to %q\n%.400s", r.StatusCode, r.Header.Get("Location"), status, location, r.body)
	}
	return r
}

func (r reply) mustSay(t *testing.T, text string) reply {
	t.Helper()
	if !strings.Contains(r.body, text) {
		t.Fatalf("the page does not say %q:\n%.2000s", text, r.body)
	}
	return r
}

// cookieShapes are the names, paths and kinds of the cookies set, without
// their values.
func (r reply) cookieShapes() []string {
	var shapes []string
	for _, c := range r.Cookies() {
		shape := c.Name + " " + c.Path
		if c.MaxAge < 0 {
			shape += " deleted"
		}
		if c.MaxAge > 0 {
			shape += " lasting"
		}
		shapes = append(shapes, shape)
	}
	return shapes
}

func (r reply) mustSet(t *testing.T, want ...string) reply {
	t.Helper()
	if got := r.cookieShapes(); !slices.Equal(got, want) {
		t.Fatalf("cookies set: %q, want %q", got, want)
	}
	return r
}

// clock is a clock that a test moves.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2009, 5, 4, 12, 0, 0, 0, time.UTC)} }

func (c *clock) read() time.Time { return c.now }
