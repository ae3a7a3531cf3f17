package twofactor

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// site is a real Caddy in this process, in front of an upstream, with its own
// store.
type site struct {
	t *testing.T
	// url is the address as a browser sees it.
	url string
	// inbox is the address of the page with the texts.
	inbox string
	// secret is the seed of every authenticator of the test's users, but where
	// apart says that each has one of their own.
	secret []byte
	apart  bool
	// log is the file that Caddy logs to.
	log string
	// global are further lines of the global options.
	global string
	// shared are further lines of the global option two_factor.
	shared string

	mu    sync.Mutex
	taken map[string]int64
}

// freePort returns a loopback address that nobody listens on. Its port is none
// that a system gives away by itself: another process could have it by the time
// it is used.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000)))
		if err != nil {
			continue
		}
		_ = l.Close()
		return l.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

// serveDemo starts the demo app in one of its styles.
func serveDemo(t *testing.T, o demoapp.Options) (*demoapp.App, string) {
	t.Helper()
	app := demoapp.New(o)
	srv := httptest.NewServer(app)
	t.Cleanup(srv.Close)
	return app, srv.Listener.Addr().String()
}

// demoOptions are the demo app as it is by default.
func demoOptions() demoapp.Options { return demoapp.Options{} }

// startSite loads a Caddyfile, in which {$PORT} and {$UPSTREAM} stand for the
// test's own, with the users alice (an authenticator), bob (a phone) and carol
// (both).
func startSite(t *testing.T, caddyfile, upstream string) *site {
	t.Helper()
	s := newSite(t)
	s.start(caddyfile, upstream)
	s.enrol("alice@example.com", account.KindTOTP)
	s.enrol("bob@example.com", account.KindPhone)
	s.enrol("carol@example.com", account.KindTOTP, account.KindPhone)
	return s
}

// newSite chooses the addresses of a site that is started later.
func newSite(t *testing.T) *site {
	t.Helper()
	dir := dataFolder(t)
	listen := freePort(t)
	_, port, _ := net.SplitHostPort(listen)
	inbox := freePort(t)
	for inbox == listen {
		inbox = freePort(t)
	}
	s := &site{
		t: t, url: "http://localhost:" + port, inbox: inbox, log: filepath.Join(dir, "caddy.log"),
		secret: []byte("12345678901234567890"), taken: map[string]int64{},
	}
	t.Setenv("PORT", port)
	t.Setenv("XDG_DATA_HOME", filepath.Join(dir, "data"))
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	return s
}

// dataFolder is a folder for Caddy's data, which is removed with patience: behind
// its start Caddy cleans its storage, and in a short test makes folders and files
// while they are removed.
func dataFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "two-factor-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if err := os.RemoveAll(dir); err == nil || time.Now().After(deadline) {
				if err != nil {
					t.Error(err)
				}
				return
			}
		}
	})
	return dir
}

// start loads the Caddyfile in front of the upstream.
func (s *site) start(caddyfile, upstream string) {
	s.t.Helper()
	s.t.Setenv("UPSTREAM", upstream)
	s.load(caddyfile)
	s.t.Cleanup(func() {
		open := openStores()
		if err := caddy.Stop(); err != nil {
			s.t.Errorf("stopping caddy: %v", err)
		}
		closed(open)
	})
}

// openStores are the stores of the configs that are loaded.
func openStores() (open []*pooledStore) {
	stores.Range(func(_, store any) bool {
		open = append(open, store.(*pooledStore))
		return true
	})
	return open
}

// closed waits until nothing writes any more to the files of what was stopped: a
// store closes behind Caddy's back, as the last of all, once the last request has
// given it back. A request that a test has left open is not waited for.
func closed(open []*pooledStore) {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if !slices.ContainsFunc(open, (*pooledStore).isOpen) {
			return
		}
	}
}

// load loads a Caddyfile with the test's own global options in front.
func (s *site) load(caddyfile string) {
	s.t.Helper()
	if err := s.tryLoad(caddyfile); err != nil {
		s.t.Fatalf("loading: %v\n%s", err, caddyfile)
	}
}

// settle waits until the server before a reload is gone: it may still take a
// connection, and close it.
func (s *site) settle() {
	s.t.Helper()
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for answered, tries := 0, 0; answered < 10; tries++ {
		res, err := fresh.Get(s.url + "/.two-factor/none")
		if err != nil && tries > 200 {
			s.t.Fatal(err)
		}
		if err != nil {
			answered = 0
		}
		if err == nil {
			_ = res.Body.Close()
			answered++
		}
	}
}

// tryLoad loads a Caddyfile that may be refused.
func (s *site) tryLoad(caddyfile string) error {
	s.t.Helper()
	global := fmt.Sprintf("{\n\tadmin off\n\tgrace_period 2s\n\tpersist_config off\n\tauto_https off\n\tlog {\n\t\toutput file %s\n\t\tlevel DEBUG\n\t}\n\ttwo_factor {\n\t\tsms dev inbox {\n\t\t\tlisten %s\n\t\t}\n%s\n\t}\n\t%s\n}\n", s.log, s.inbox, s.shared, s.global)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(global+caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return fmt.Errorf("adapting: %w", err)
	}
	return caddy.Load(adapted, true)
}

// lease returns the parts of the running config until the test ends.
func (s *site) lease() *Lease {
	s.t.Helper()
	v, err := caddy.ActiveContext().AppIfConfigured(appName)
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := v.(*App).Lease()
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// enrol gives a user factors of these kinds.
func (s *site) enrol(user string, kinds ...account.Kind) {
	s.t.Helper()
	s.enrolAll(defaultName, []string{user}, kinds...)
}

// enrolAll gives users of an instance factors of these kinds.
func (s *site) enrolAll(instance string, users []string, kinds ...account.Kind) {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	var all []account.Account
	for _, user := range users {
		all = append(all, s.newAccount(l, instance, user, kinds))
	}
	if err := l.Parts().Store.PutAccounts(context.Background(), all); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) newAccount(l *Lease, instance, user string, kinds []account.Kind) account.Account {
	s.t.Helper()
	now := time.Now()
	acc := account.Account{Instance: instance, ID: account.Fold(user), Name: user, Created: now, Updated: now}
	for i, kind := range kinds {
		f := account.Factor{ID: fmt.Sprintf("f%d", i), Kind: kind, Created: now}
		plain := []byte("+4915112345642")
		if kind == account.KindTOTP {
			f.TOTP = &account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30}
			plain = s.seed(user)
		} else {
			f.Hint = "42"
		}
		var err error
		f.Secret, err = challenge.SealFactorSecret(sealer{l.Parts().Ring}, acc.Instance, acc.ID, f.ID, kind, plain, time.Now())
		if err != nil {
			s.t.Fatal(err)
		}
		acc.Factors = append(acc.Factors, f)
	}
	return acc
}

// code returns a code of the user's authenticator that has not been used in
// this test, waiting for the next step if it must.
func (s *site) code(user string) string {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		now := time.Now().Unix() / 30
		left := 30 - time.Now().Unix()%30
		for step := now - 1; step <= now; step++ {
			if step < now && left < 10 {
				continue // It would be too old by the time it is entered.
			}
			if step > s.taken[user] {
				s.taken[user] = step
				return s.codeFrom(s.seed(user), step)
			}
		}
		time.Sleep(time.Second)
	}
}

// seed is that of a user's authenticator.
func (s *site) seed(user string) []byte {
	if !s.apart {
		return s.secret
	}
	sum := sha256.Sum256([]byte(user))
	return sum[:20]
}

func (s *site) codeAt(step int64) string {
	s.t.Helper()
	return s.codeFrom(s.secret, step)
}

func (s *site) codeFrom(seed []byte, step int64) string {
	s.t.Helper()
	code, err := totp.GenerateCodeCustom(challenge.FormatTOTPSecret(seed), time.Unix(step*30, 0),
		totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		s.t.Fatal(err)
	}
	return code
}

var codeInText = regexp.MustCompile(`\b(\d{6})\b`)

// texts returns the texts that were sent, the newest first.
func (s *site) texts() []string {
	s.t.Helper()
	res, err := http.Get("http://" + s.inbox + "/?json")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var messages []struct {
		Text string `json:"text"`
	}
	if err := json.NewDecoder(res.Body).Decode(&messages); err != nil {
		s.t.Fatal(err)
	}
	var texts []string
	for _, m := range messages {
		texts = append(texts, m.Text)
	}
	return texts
}

// textCode returns the code of the newest text.
func (s *site) textCode() string {
	s.t.Helper()
	texts := s.texts()
	if len(texts) == 0 {
		s.t.Fatal("no text was sent")
	}
	m := codeInText.FindStringSubmatch(texts[0])
	if m == nil {
		s.t.Fatalf("no code in the text %q", texts[0])
	}
	return m[1]
}

// logged returns what Caddy has logged.
func (s *site) logged() string {
	s.t.Helper()
	text, err := os.ReadFile(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// client is a browser without scripts: it keeps cookies as a browser does and
// does not follow redirects by itself.
type client struct {
	t    *testing.T
	s    *site
	http *http.Client
	jar  *cookiejar.Jar
}

func (s *site) client() *client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	tr := &http.Transport{}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &client{t: s.t, s: s, jar: jar, http: &http.Client{
		Jar: jar, Transport: tr, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// reply is an answer that was read to its end.
type reply struct {
	*http.Response
	body string
}

func (r reply) location() string { return r.Header.Get("Location") }

// do sends a request as a top-level navigation unless its headers say
// otherwise.
func (c *client) do(method, path string, body io.Reader, header http.Header) reply {
	c.t.Helper()
	to := path
	if strings.HasPrefix(path, "/") {
		to = c.s.url + path
	}
	r, err := http.NewRequest(method, to, body)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Accept", "text/html")
	for name, values := range header {
		r.Header[name] = values
	}
	res, err := c.http.Do(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{res, string(text)}
}

func (c *client) get(path string) reply { c.t.Helper(); return c.do(http.MethodGet, path, nil, nil) }

func (c *client) post(path string, form url.Values) reply {
	c.t.Helper()
	return c.do(http.MethodPost, path, strings.NewReader(form.Encode()),
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
}

// script is what a script of the page asks for.
var script = http.Header{"Sec-Fetch-Dest": {"empty"}, "Accept": {"application/json"}}

// follow goes where redirects lead, by GET.
func (c *client) follow(r reply) reply {
	c.t.Helper()
	for range 10 {
		if r.StatusCode < 300 || r.StatusCode > 399 || r.location() == "" {
			return r
		}
		to, err := r.Request.URL.Parse(r.location())
		if err != nil {
			c.t.Fatal(err)
		}
		r = c.get(to.String())
	}
	c.t.Fatal("the browser was sent around in circles")
	return r
}

var hiddenField = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"`)

// hidden returns the hidden fields of the form with this button or field.
func hidden(body, marker string) url.Values {
	form := url.Values{}
	for _, part := range strings.Split(body, "<form")[1:] {
		part, _, _ = strings.Cut(part, "</form>")
		if !strings.Contains(part, marker) {
			continue
		}
		for _, m := range hiddenField.FindAllStringSubmatch(part, -1) {
			form.Set(m[1], m[2])
		}
		if m := regexp.MustCompile(`action="([^"]+)"`).FindStringSubmatch(part); m != nil {
			form.Set("", strings.ReplaceAll(m[1], "&amp;", "&"))
		}
		return form
	}
	return form
}

// submit posts the form with this marker, with fields of our own.
func (c *client) submit(page reply, marker string, fields map[string]string) reply {
	c.t.Helper()
	form := hidden(page.body, marker)
	action := form.Get("")
	if action == "" {
		c.t.Fatalf("no form with %q on the page at %s:\n%s", marker, page.Request.URL, page.body)
	}
	delete(form, "")
	for name, value := range fields {
		form.Set(name, value)
	}
	return c.post(action, form)
}

// password sends the demo app's login form, filled in.
func (c *client) password(user, password string) reply {
	c.t.Helper()
	return c.submit(c.get("/login"), `id="password"`, map[string]string{"email": user, "password": password})
}

const codeField = `name="code"`

// enter enters a code on the challenge page.
func (c *client) enter(code string) reply {
	c.t.Helper()
	return c.submit(c.get("/.two-factor/challenge"), codeField, map[string]string{"code": code})
}

// signIn signs alice, bob or carol in, with the second factor.
func (c *client) signIn(user, password string) reply {
	c.t.Helper()
	r := c.password(user, password)
	if r.location() != "/.two-factor/challenge" {
		c.t.Fatalf("the right password of %s gave %d to %q, not the challenge:\n%s", user, r.StatusCode, r.location(), r.body)
	}
	if strings.HasPrefix(user, "bob") {
		return c.enter(c.s.textCode())
	}
	return c.enter(c.s.code(user))
}

// cookies returns the cookies that the browser would send to a path.
func (c *client) cookies(path string) map[string]string {
	c.t.Helper()
	u, err := url.Parse(c.s.url + path)
	if err != nil {
		c.t.Fatal(err)
	}
	m := map[string]string{}
	for _, k := range c.jar.Cookies(u) {
		m[k.Name] = k.Value
	}
	return m
}

func (c *client) setCookie(name, value string) {
	c.t.Helper()
	u, err := url.Parse(c.s.url)
	if err != nil {
		c.t.Fatal(err)
	}
	c.jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// styleFile reads the Caddyfile of a style of the demo app.
func styleFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "styles", name+".Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// byPeople are the requests that reached the app, those left out that the
// gateway or the browser makes by itself.
func byPeople(app *demoapp.App) []demoapp.Request {
	return slices.DeleteFunc(app.Seen(), func(r demoapp.Request) bool {
		return r.URI == "/favicon.ico" || strings.Contains(r.Header.Get("User-Agent"), "caddy-twofactor")
	})
}
