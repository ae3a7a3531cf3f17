package twofactor

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
)

// devicePrefix begins the names of the cookies of remembered browsers.
const devicePrefix = ownCookie + ".device-"

// ticks are the fields of a code form with the box ticked.
func ticks(code string) map[string]string {
	return map[string]string{"code": code, "two_factor_remember": "1"}
}

// signInRemembered signs bob or carol in by a text, with the box ticked.
func (c *client) signInRemembered(user, password string) reply {
	c.t.Helper()
	page := c.mustAsk(user, password)
	if strings.HasPrefix(user, "bob") {
		return c.submit(page, codeField, ticks(c.s.textCode()))
	}
	return c.submit(page, codeField, ticks(c.s.code(user)))
}

// deviceSite is an app whose login takes a form that nobody has to fetch first.
func deviceSite(t *testing.T) (*kept, *site) {
	t.Helper()
	app := startKept(t)
	return app, startSite(t, askingStill(proofLogin("/me", tellsWho)), app.address)
}

// askingStill makes the policy of a Caddyfile ask at every login though it heeds
// what is remembered: no database tells the country that it asks for.
func askingStill(file string) string {
	return strings.Replace(file, "two_factor {", "two_factor {\npolicy {\n"+blindly+"}", 1)
}

const blindly = "points new_country 1\n"

// asks gives the right password of that app, and returns the challenge.
func (c *client) asks(user string) reply {
	c.t.Helper()
	if r := c.post("/login", filled(user, "right")); r.location() != codePage {
		c.t.Fatalf("the right password of %s gave %d to %q", user, r.StatusCode, r.location())
	}
	return c.get(codePage)
}

// remembers signs bob in there, and has the browser remembered.
func (c *client) remembers() {
	c.t.Helper()
	if r := c.submit(c.asks(bob), codeField, ticks(c.s.textCode())); r.StatusCode != http.StatusFound {
		c.t.Fatalf("the code gave %d", r.StatusCode)
	}
}

// devices are the cookies of remembered browsers that the browser has.
func (c *client) devices() map[string]string {
	c.t.Helper()
	found := map[string]string{}
	for name, value := range c.cookies("/") {
		if strings.HasPrefix(name, devicePrefix) {
			found[name] = value
		}
	}
	return found
}

// later is the browser when its sessions are over: it has kept what it is
// remembered by.
func (c *client) later() *client {
	c.t.Helper()
	next := c.s.client()
	for name, value := range c.devices() {
		next.setCookie(name, value)
	}
	return next
}

// device is the one that the browser has.
func (c *client) device() (name, value string) {
	c.t.Helper()
	all := c.devices()
	if len(all) != 1 {
		c.t.Fatalf("the browser has %d cookies of a remembered browser: %v", len(all), all)
	}
	for name, value = range all {
	}
	return name, value
}

// known are the devices of a user in the store.
func (s *site) known(user string) []account.Device {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	list, err := l.Parts().Store.Devices(context.Background(), defaultName, account.Fold(user), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// ring puts other keys in the place of the site's own. It is called before the
// users are enrolled that sign in afterwards.
func (s *site) ring(keys ...seal.Key) {
	s.t.Helper()
	v, err := caddy.ActiveContext().AppIfConfigured(appName)
	if err != nil {
		s.t.Fatal(err)
	}
	sh := v.(*App).shared
	parts := *sh.parts.Load()
	if parts.Ring, err = seal.NewRing(keys, seal.Options{}); err != nil {
		s.t.Fatal(err)
	}
	if parts.Challenges, err = challenge.New(challenge.Config{Store: parts.Store, Sealer: sealer{parts.Ring}, Sender: sh.sender()}); err != nil {
		s.t.Fatal(err)
	}
	sh.parts.Store((*handler.Parts)(&parts))
}

// setDeviceLines are the Set-Cookie lines of an answer that are about devices.
func setDeviceLines(r reply) (lines []string) {
	for _, line := range r.Header.Values("Set-Cookie") {
		if strings.Contains(line, ".device-") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestRule21ABrowserIsRememberedWhereTheBoxWasTickedAndNowhereElse(t *testing.T) {
	app, s := stepSite(t, "")
	c := s.client()
	page := c.mustAsk(bob, bobPassword)
	mustSay(t, page, http.StatusOK, "Do not ask for a code in this browser for 30 days", "Only on a device that is yours alone.")
	if strings.Contains(page.body, " checked") {
		t.Error("the box is ticked already")
	}
	if r := c.submit(page, codeField, map[string]string{"code": s.textCode()}); r.location() != "/dashboard" || len(setDeviceLines(r)) > 0 {
		t.Fatalf("unticked: %d to %q with %q", r.StatusCode, r.location(), setDeviceLines(r))
	}
	if len(c.devices()) > 0 || len(s.known(bob)) > 0 {
		t.Fatal("a browser is remembered whose box was not ticked")
	}
	for _, value := range []string{"", "0", "on", "true"} {
		c := s.client()
		if r := c.submit(c.mustAsk(bob, bobPassword), codeField, map[string]string{"code": s.textCode(), "two_factor_remember": value}); r.location() != "/dashboard" || len(c.devices()) > 0 {
			t.Errorf("with %q in the box: %d to %q, %v", value, r.StatusCode, r.location(), c.devices())
		}
	}

	r := s.client().signInRemembered(bob, bobPassword)
	lines := setDeviceLines(r)
	if r.location() != "/dashboard" || len(lines) != 1 {
		t.Fatalf("ticked: %d to %q with %q", r.StatusCode, r.location(), lines)
	}
	set, err := http.ParseSetCookie(lines[0])
	if err != nil {
		t.Fatal(err)
	}
	if set.Path != "/" || !set.HttpOnly || set.SameSite != http.SameSiteLaxMode || set.Domain != "" || set.MaxAge < 30*24*3600-5 || set.MaxAge > 30*24*3600 {
		t.Errorf("the cookie is %s", lines[0])
	}
	raw, err := base64.RawURLEncoding.DecodeString(set.Value)
	if err != nil || len(raw) != 48 {
		t.Errorf("it says %q", set.Value)
	}
	list := s.known(bob)
	if len(list) != 1 || strings.Contains(fmt.Sprintf("%x", list[0].Token), fmt.Sprintf("%x", raw[16:])) {
		t.Errorf("the store has %+v", list)
	}
	if text := s.audited(); strings.Count(text, string(handler.TokenCreated)) != 1 || strings.Contains(text, set.Value) {
		t.Errorf("the audit log has\n%s", text)
	}
	for _, r := range app.Seen() {
		if strings.Contains(fmt.Sprint(r.Cookies, r.Header), "device-") {
			t.Errorf("the app was shown %q", r.Cookies)
		}
	}
}

func TestRule21TheTickSurvivesAWrongCodeAndSendingAgainButNoLinkTicksIt(t *testing.T) {
	_, s := stepSite(t, "")
	clock := s.clock()
	c := s.client()
	page := c.mustAsk(bob, bobPassword)
	page = c.follow(c.submit(page, codeField, ticks("000000")))
	mustSay(t, page, http.StatusOK, "That code is not right")
	ticked := func(when string, page reply, want bool) {
		t.Helper()
		if strings.Contains(page.body, " checked") != want {
			t.Errorf("%s: the box is ticked: %t\n%s", when, !want, page.Request.URL)
		}
	}
	ticked("after a wrong code", page, true)
	address := page.Request.URL.RequestURI()
	ticked("at its plain address", c.get(atChallenge), false)
	clock.pass(time.Minute)
	fields := hidden(page.body, codeField)
	fields.Del("")
	fields.Set("two_factor_remember", "1")
	fields.Set("code", "")
	page = c.follow(c.post("/.two-factor/send", fields))
	ticked("after sending again", page, true)
	fields.Del("two_factor_remember")
	clock.pass(2 * time.Minute)
	ticked("after sending again without the tick", c.follow(c.post("/.two-factor/send", fields)), false)
	for _, q := range []string{"remember=1", "remember=on", "remember", "remember=" + url.QueryEscape(hidden(page.body, codeField).Get("two_factor_token"))} {
		ticked("at "+q, c.get(atChallenge+"?"+q), false)
	}
	other := s.client()
	other.mustAsk(carol, carolPassword)
	ticked("at another browser's address", other.get(address), false)

	page = c.follow(c.submit(c.get(address), codeField, ticks("12")))
	ticked("after a code that is too short", page, true)
	c.submit(page, codeField, ticks(s.textCode()))
	c.device()
}

func TestRule21TheTokenChangesAtEachUseAndAnOldOneKillsTheDevice(t *testing.T) {
	_, s := deviceSite(t)
	clock := s.clock()
	c := s.client()
	c.remembers()
	name, first := c.device()
	c = c.later()
	page := c.asks(bob)
	_, second := c.device()
	if second == first {
		t.Fatal("the token has not changed")
	}
	if strings.Contains(visible(page.body), "Somebody else") {
		t.Error("the page tells of a copy")
	}
	// A lost answer: the browser comes with the token that it had.
	lost := s.client()
	lost.setCookie(name, first)
	lost.asks(bob)
	if _, got := lost.device(); got == first || len(s.known(bob)) != 1 {
		t.Fatalf("after a lost answer the browser is not known: %v", s.known(bob))
	}
	// The browser goes on, and then somebody comes with a copy of its first one.
	c.asks(bob)
	_, third := c.device()
	if third == second {
		t.Fatal("the token has not changed")
	}
	clock.pass(account.DeviceGrace + time.Second)
	thief := s.client()
	thief.setCookie(name, first)
	page = thief.asks(bob)
	mustSay(t, page, http.StatusOK, "Somebody else may have signed in as you.", "change your password")
	if len(thief.devices()) > 0 || len(s.known(bob)) > 0 {
		t.Errorf("the device lives: %v, %v", thief.devices(), s.known(bob))
	}
	text := s.audited()
	if strings.Count(text, `"authn_token_reuse"`) != 1 || !strings.Contains(text, `"CRITICAL"`) {
		t.Errorf("the audit log has\n%s", text)
	}
	log := s.twoFactorLog()
	if !strings.Contains(log, "there is a copy of it") || !strings.Contains(log, "caddy two-factor revoke") {
		t.Errorf("the log does not tell of it:\n%s", log)
	}
	for _, secret := range []string{first, second, third} {
		if strings.Contains(log, secret) || strings.Contains(text, secret) {
			t.Error("a token stands in a log")
		}
	}
	c.asks(bob)
	if len(c.devices()) > 0 {
		t.Error("the browser keeps a cookie of a device that is no more")
	}
	if strings.Count(s.audited(), `"authn_token_reuse"`) != 1 {
		t.Error("the same copy is told twice")
	}
}

func TestRule21ParallelLoginsOfOneBrowserAreOneBrowser(t *testing.T) {
	_, s := deviceSite(t)
	c := s.client()
	c.remembers()
	name, first := c.device()
	var all sync.WaitGroup
	for range 8 {
		tab := s.client()
		tab.setCookie(name, first)
		tab.get("/login")
		all.Go(func() {
			tab.post("/login", filled(bob, "right"))
			if _, got := tab.device(); got == first {
				t.Error("a tab was given no token")
			}
			tab.post("/login", filled(bob, "right"))
		})
	}
	all.Wait()
	if list := s.known(bob); len(list) != 1 || strings.Contains(s.audited(), "authn_token_reuse") {
		t.Errorf("the devices are %v", list)
	}
}

func TestRule21ADeviceIsItsAccountsAlone(t *testing.T) {
	_, s := stepSite(t, "")
	c := s.client()
	c.signInRemembered(bob, bobPassword)
	name, bobs := c.device()
	r := c.password(carol, carolPassword)
	if len(setDeviceLines(r)) > 0 || c.devices()[name] != bobs {
		t.Errorf("another user's login has used it: %q", setDeviceLines(r))
	}
	c.submit(c.get(atChallenge), codeField, ticks(s.code(carol)))
	if len(c.devices()) != 2 || c.devices()[name] != bobs || len(s.known(bob)) != 1 || len(s.known(carol)) != 1 {
		t.Fatalf("the browser has %v", c.devices())
	}
	// Under the name of carol's cookie bob's says nothing.
	thief := s.client()
	for other := range c.devices() {
		thief.setCookie(other, bobs)
	}
	before := s.known(bob)
	thief.password(carol, carolPassword)
	if after := s.known(bob); len(after) != 1 || after[0].LastUsed != before[0].LastUsed || len(s.known(carol)) != 1 {
		t.Errorf("bob's device was used for carol: %+v", after)
	}
	if strings.Contains(s.audited(), "authn_token_reuse") {
		t.Error("it was taken for a copy")
	}
}

func TestRule21WhatIsNoCookieOfADeviceCountsForNothing(t *testing.T) {
	_, s := deviceSite(t)
	c := s.client()
	c.remembers()
	name, good := c.device()
	raw, _ := base64.RawURLEncoding.DecodeString(good)
	forged := slices.Clone(raw)
	forged[0] ^= 1 // another device
	for what, header := range map[string]string{
		"two that differ":         name + "=" + good + "; " + name + "=" + base64.RawURLEncoding.EncodeToString(forged),
		"two, the other empty":    name + "=; " + name + "=" + good,
		"an unknown device":       name + "=" + base64.RawURLEncoding.EncodeToString(forged),
		"one that is cut off":     name + "=" + good[:len(good)-1],
		"one with more behind it": name + "=" + good + "A",
		"a very long one":         name + "=" + strings.Repeat("A", 8000),
		"one with blanks in it":   name + "=" + good[:10] + " " + good[10:],
		"noise":                   name + "=%00\xff;" + name,
		"another name":            name + "0=" + good,
		"in capitals":             strings.ToUpper(name) + "=" + good,
		"as PHP would name it":    strings.ReplaceAll(name, ".", "_") + "=" + good,
		"as an array":             name + "[]=" + good,
		"the prefix of TLS":       "__Host-" + name + "=" + good,
	} {
		other := s.client()
		r := other.do(http.MethodPost, "/login", strings.NewReader(filled(bob, "right").Encode()), http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {header},
		})
		if r.location() != atChallenge {
			t.Errorf("%s: %d to %q", what, r.StatusCode, r.location())
		}
		for _, line := range setDeviceLines(r) {
			if !strings.Contains(line, "Max-Age=0") {
				t.Errorf("%s: the answer sets %s", what, line)
			}
		}
		if list := s.known(bob); len(list) != 1 || len(list[0].Issued) > 0 {
			t.Fatalf("%s: it was used: %+v", what, list)
		}
	}
	// The very same twice is one.
	r := s.client().do(http.MethodPost, "/login", strings.NewReader(filled(bob, "right").Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {name + "=" + good + "; " + name + "=" + good},
	})
	if len(setDeviceLines(r)) != 1 || len(s.known(bob)[0].Issued) != 1 {
		t.Errorf("the same twice: %q, %+v", setDeviceLines(r), s.known(bob))
	}
	forged = slices.Clone(raw)
	forged[47] ^= 1 // a token that was never given out
	c = s.client()
	c.setCookie(name, base64.RawURLEncoding.EncodeToString(forged))
	c.post("/login", filled(bob, "right"))
	if len(s.known(bob)) != 0 || !strings.Contains(s.audited(), "authn_token_reuse") {
		t.Error("a made-up token of a device that is there is not told")
	}
}

func TestInvariant11TheAppNeitherSeesNorSetsTheCookieOfADevice(t *testing.T) {
	names := []string{devicePrefix + "00000000", "two-factor-default_device-00000000", "Two-Factor-Default.device-00000000", "__Host-two-factor-other.device-00000000"}
	app, s := stepSite(t, "")
	c := s.client()
	c.signInRemembered(bob, bobPassword)
	for _, name := range names {
		c.setCookie(name, "x")
	}
	app.Reset()
	c.get("/contacts")
	c.do(http.MethodGet, "/contacts", nil, script)
	c.post("/login", filled(bob, "wrong"))
	if len(app.Seen()) == 0 {
		t.Fatal("nothing reached the app")
	}
	for _, r := range app.Seen() {
		if strings.Contains(strings.ToLower(fmt.Sprint(r.Cookies, r.Header["Cookie"])), "device") {
			t.Errorf("%s was shown %q", r.URI, r.Cookies)
		}
	}
}

func TestInvariant11TheAppsOwnCookieOfSuchANameIsWithheld(t *testing.T) {
	var name atomic.Value
	name.Store("")
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, n := range []string{name.Load().(string), "two-factor-default_device-x", "__Host-two-factor-default.device-x"} {
			w.Header().Add("Set-Cookie", n+"=planted; Path=/")
		}
		if r.URL.Path == "/login" && r.Method == http.MethodPost {
			if r.FormValue("password") == "right" {
				http.Redirect(w, r, "/home", http.StatusFound)
				return
			}
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(upstream.Close)
	s := startSite(t, oneLogin("yes redirect /home\nno status 401"), upstream.Listener.Addr().String())
	c := s.client()
	c.remembers()
	own, value := c.device()
	name.Store(own)
	for _, r := range []reply{c.get("/login"), c.get("/home"), c.post("/login", filled(bob, "wrong"))} {
		if lines := setDeviceLines(r); len(lines) > 0 || strings.Contains(fmt.Sprint(r.Header["Set-Cookie"]), "planted") {
			t.Errorf("%s %s sets %q", r.Request.Method, r.Request.URL, r.Header["Set-Cookie"])
		}
	}
	if _, after := c.device(); after != value {
		t.Error("the app has set the cookie")
	}
}

func TestRule21AllDevicesEndWhereAnImportChangesAFactor(t *testing.T) {
	_, s, admin := revokeSite(t)
	c := s.client()
	c.signInRemembered(bob, bobPassword)
	_, first := c.device()
	imports := func(csv string) {
		t.Helper()
		if out, err := command(t, csv, "import", "-", "--address", admin); err != nil {
			t.Fatal(err, out)
		}
	}
	c.get("/logout")
	imports("user,phone,mail\n" + bob + ",+4915112345642,new@example.com\n")
	c.password(bob, bobPassword)
	if _, second := c.device(); second == first || len(s.known(bob)) != 1 {
		t.Fatal("an import that changes no factor has ended the device")
	}
	c.get("/logout")
	imports("user,phone\n" + bob + ",+4915112345643\n")
	if len(s.known(bob)) != 0 {
		t.Fatal("a changed number has ended no device")
	}
	c.mustAsk(bob, bobPassword)
	if len(c.devices()) > 0 {
		t.Error("the browser is known")
	}
}

func TestRule21ADeviceNeverSatisfiesAStepUp(t *testing.T) {
	app, s := stepSite(t, exportOnce)
	c := s.client()
	c.signInRemembered(bob, bobPassword)
	_, before := c.device()
	page := c.texted(c.askedFor(c.get("/contacts/export")))
	if strings.Contains(page.body, "two_factor_remember") {
		t.Error("the page of a step-up has the box")
	}
	if len(exports(app)) != 0 {
		t.Fatal("the export reached the app without a code")
	}
	r := c.submit(page, codeField, ticks(s.textCode()))
	mustSay(t, r, http.StatusOK)
	if _, after := c.device(); after != before || len(setDeviceLines(r)) > 0 || len(s.known(bob)) != 1 {
		t.Error("a step-up has remembered the browser, or used what is remembered")
	}
	if len(s.known(bob)[0].Issued) != 0 {
		t.Error("a step-up has used the device")
	}
}

func TestRule21ADeviceIsUsedByARightPasswordAlone(t *testing.T) {
	_, s := stepSite(t, "")
	c := s.client()
	c.signInRemembered(bob, bobPassword)
	_, before := c.device()
	for what, r := range map[string]reply{
		"a wrong password": c.post("/login", filled(bob, "wrong")),
		"an unknown user":  c.post("/login", filled("nobody@example.com", "x")),
		"a page":           c.get("/contacts"),
	} {
		if len(setDeviceLines(r)) > 0 {
			t.Errorf("%s: %q", what, setDeviceLines(r))
		}
	}
	if _, after := c.device(); after != before || len(s.known(bob)[0].Issued) != 0 {
		t.Error("the device was used")
	}
}

func TestRule21RememberingOnceMoreTakesThePlaceOfTheDevice(t *testing.T) {
	_, s := stepSite(t, "policy {\n"+blindly+"}\n")
	c := s.client()
	c.signInRemembered(bob, bobPassword)
	first := s.known(bob)[0].ID
	c.signInRemembered(bob, bobPassword)
	if list := s.known(bob); len(list) != 1 || list[0].ID == first {
		t.Errorf("the devices are %v", list)
	}
	c.device()
	c.get("/logout")
	if len(c.devices()) != 1 || len(s.known(bob)) != 1 {
		t.Error("a logout forgets the browser")
	}
}

func TestRule21ADeviceOutlivesAReloadAndARestart(t *testing.T) {
	app := startKept(t)
	file := askingStill(proofLogin("/me", tellsWho))
	s := startSite(t, file, app.address)
	c := s.client()
	c.remembers()
	_, last := c.device()
	for what, again := range map[string]func(){
		"a reload":  func() { s.load(strings.Replace(file, "protect *", "protect /*", 1)) },
		"a restart": func() { _ = caddy.Stop(); s.load(file) },
	} {
		again()
		s.settle()
		c = c.later()
		c.asks(bob)
		_, next := c.device()
		if next == last {
			t.Errorf("after %s the browser is not known", what)
		}
		last = next
	}
}

func TestRule21TheCookieOfADeviceIsOfThisHostAndOfTLS(t *testing.T) {
	app := startKept(t)
	s := newSite(t)
	s.url = strings.Replace(s.url, "http:", "https:", 1)
	s.global = "fallback_sni example.com"
	s.start("https://localhost:{$PORT} {\ntls "+certificate(t)+"\n"+
		"two_factor {\nlogin fields email password {\nproof /me {\n"+tellsWho+"}\n}\nlogin_page /login\nprotect *\n}\nreverse_proxy {$UPSTREAM}\n}\n", app.address)
	s.enrol(bob, account.KindPhone)
	c := s.client()
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(tr.CloseIdleConnections)
	c.http.Transport = tr
	lines := setDeviceLines(c.submit(c.asks(bob), codeField, ticks(s.textCode())))
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "__Host-two-factor-default.device-") || !strings.Contains(lines[0], "; Path=/;") ||
		!strings.Contains(lines[0], "; Secure") || strings.Contains(lines[0], "Domain") {
		t.Errorf("the lines are %q", lines)
	}
}

func TestRule21ADeviceNamedWithAnOlderKeyIsKnownAndGetsItsNewName(t *testing.T) {
	app := startKept(t)
	s := startSite(t, askingStill(proofLogin("/me", tellsWho)), app.address)
	var keys []seal.Key
	for _, name := range []string{"new", "old"} {
		key, err := seal.ParseKey(name, fmt.Sprintf("%x", sha256.Sum256([]byte(name))))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	s.ring(keys[1])
	s.enrol(bob, account.KindPhone)
	c := s.client()
	c.remembers()
	old, first := c.device()
	s.ring(keys...)
	c = c.later()
	c.asks(bob)
	name, second := c.device()
	if name == old || second == first || len(s.known(bob)) != 1 {
		t.Errorf("the cookie %s is %s now, and the devices are %v", old, name, s.known(bob))
	}
}

func TestALoginThatIsGivenOnceMoreHasNoBox(t *testing.T) {
	s, _ := tokenStart(t)
	c := s.client()
	c.byScript(alice, right)
	page := c.get(codePage)
	if strings.Contains(page.body, "two_factor_remember") || strings.Contains(c.call("state", nil).body, "may_remember") {
		t.Error("the box is there")
	}
	if r := c.submit(page, codeField, ticks(s.code(alice))); !strings.Contains(r.body, onceMore) || len(setDeviceLines(r)) > 0 {
		t.Errorf("with the field: %d, %q", r.StatusCode, setDeviceLines(r))
	}
}

func TestInvariant09WhereTheStoreFailsForADeviceTheLoginIsRefused(t *testing.T) {
	_, s := deviceSite(t)
	f := s.failing()
	c := s.client()
	c.remembers()
	_, before := c.device()
	c = c.later()
	f.fail("UseDevice")
	r := c.post("/login", filled(bob, "right"))
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || f.asked.Load() == 0 {
		t.Fatalf("the login gave %d", r.StatusCode)
	}
	if _, after := c.device(); after != before {
		t.Error("the browser has another token")
	}
	if r := c.get("/inbox"); r.StatusCode == http.StatusOK {
		t.Error("it opened something")
	}
	f.fail("")
	c.asks(bob)
	if _, after := c.device(); after == before {
		t.Error("the device does not work again")
	}
	f.fail("PassChallenge")
	if r := c.submit(c.get(atChallenge), codeField, ticks(s.textCode())); r.StatusCode != http.StatusServiceUnavailable || len(setDeviceLines(r)) > 0 {
		t.Errorf("a code that could not be spent: %d, %q", r.StatusCode, setDeviceLines(r))
	}
}

func TestAScriptMayHaveTheBrowserRemembered(t *testing.T) {
	_, s := stepSite(t, exportOnce)
	c := s.client()
	c.password(bob, bobPassword)
	state := c.call("state", nil)
	if !strings.Contains(state.body, `"may_remember":true`) {
		t.Fatalf("the state is %s", state.body)
	}
	id := state.api(t, http.StatusOK).Challenges[0].ID
	verify := func(body string) reply {
		return c.do(http.MethodPost, "/.two-factor/api/verify", strings.NewReader(body), withHeaders(script, http.Header{"Content-Type": {"application/json"}}))
	}
	if r := verify(fmt.Sprintf(`{"challenge":%q,"code":"000000","remember":true}`, id)); r.StatusCode != http.StatusForbidden || len(setDeviceLines(r)) > 0 {
		t.Fatalf("a wrong code: %d, %q", r.StatusCode, setDeviceLines(r))
	}
	if r := verify(fmt.Sprintf(`{"challenge":%q,"code":%q,"remember":"yes"}`, id, s.textCode())); r.StatusCode != http.StatusForbidden {
		t.Fatalf("a text for a truth value: %d", r.StatusCode)
	}
	if r := verify(fmt.Sprintf(`{"challenge":%q,"code":%q,"remember":true}`, id, s.textCode())); r.location() != "/dashboard" || len(setDeviceLines(r)) != 1 {
		t.Fatalf("the right code: %d, %q", r.StatusCode, setDeviceLines(r))
	}
	c.device()
	if r := c.askedFor(c.get("/contacts/export")); r.StatusCode != http.StatusOK {
		t.Fatal(r.StatusCode)
	}
	if state := c.call("state", nil); strings.Contains(state.body, "may_remember") {
		t.Errorf("a step-up may be remembered: %s", state.body)
	}
}
