package twofactor

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// What may stand in no log and no metric.
const (
	canaryRight   = "canary-right-password"
	canaryWrong   = "canary-wrong-password"
	canaryName    = "canary-typed-as-a-name"
	canarySession = "canary-app-session"
	canaryQuery   = "canary-query"
	canaryPhone   = "15123456789"
	canaryTOTP    = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

// watchedApp is an app whose secrets are canaries.
func watchedApp(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/login" && r.Method == http.MethodPost && r.FormValue("password") == canaryRight:
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: canarySession, Path: "/"})
		http.Redirect(w, r, "/home", http.StatusFound)
	case r.URL.Path == "/login" && r.Method == http.MethodPost:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/login":
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "visitor", Path: "/"})
	case r.URL.Path == "/events":
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return
	case r.URL.Path == "/open":
		http.SetCookie(w, &http.Cookie{Name: "remember", Value: canarySession, Path: "/"})
	}
	_, _ = io.WriteString(w, "a page")
}

// watched is a site whose events are looked at.
type watched struct {
	*site
	admin string
	// files are those of the audit log.
	files []string
}

func watch(t *testing.T) *watched {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(watchedApp))
	t.Cleanup(app.Close)
	s := newSite(t)
	admin := freePort(t)
	s.global = "admin " + admin
	s.start(oneLogin("yes redirect /home\nno status 401", "credential cookie remember", "logout /logout", "block /xmlrpc.php", "public /open"), app.Listener.Addr().String())
	s.enrol(alice, account.KindTOTP)
	s.enrol(bob, account.KindPhone)
	return &watched{s, "http://" + admin, []string{filepath.Join(dataDir(), auditName), filepath.Join(dataDir(), attemptsName)}}
}

// in sends the login form.
func (s *watched) in(c *client, user, password string, more http.Header) reply {
	s.t.Helper()
	return c.do(http.MethodPost, "/login", strings.NewReader(filled(user, password).Encode()), withHeaders(urlencoded, more))
}

// ask asks the admin API.
func (s *watched) ask(method, path, kind, body string) string {
	s.t.Helper()
	r, err := http.NewRequest(method, s.admin+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %d %v %s", method, path, res.StatusCode, err, text)
	}
	return string(text)
}

var ours = regexp.MustCompile(`(?m)^.*caddy_two_factor_.*\n`)

var sample = regexp.MustCompile(`(?m)^(caddy_two_factor_\S+?)(?:\{(.*)\})? (\S+)$`)

// metrics are the samples that the admin API gives, by name and labels.
func (s *watched) metrics() map[string]float64 {
	s.t.Helper()
	all := map[string]float64{}
	for _, m := range sample.FindAllStringSubmatch(s.ask(http.MethodGet, "/metrics", "text/plain", ""), -1) {
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			s.t.Fatal(err)
		}
		all[strings.TrimPrefix(m[1], "caddy_two_factor_")+"{"+m[2]+"}"] = value
	}
	return all
}

// tell brings about every kind of event, and returns the secrets that it used
// beside the canaries.
func (s *watched) tell() (secrets []string) {
	const csv = "user,phone,totp_secret\ndave,+49%s,%s\n"
	s.ask(http.MethodPost, adminImport, "text/csv", fmt.Sprintf(csv, canaryPhone, canaryTOTP))
	s.ask(http.MethodPost, adminImport, "text/csv", fmt.Sprintf(csv, canaryPhone, ""))
	s.ask(http.MethodGet, adminAccounts, "text/csv", "")

	c := s.client()
	c.get("/inbox?token=" + canaryQuery)
	c.get("/login")
	s.in(c, alice, canaryWrong, nil)
	s.in(c, canaryName, canaryWrong, nil)
	c.do(http.MethodPost, "/login", strings.NewReader("email=a&email=b&password="+canaryWrong), urlencoded)
	c.get("/xmlrpc.php?token=" + canaryQuery)
	c.get("/open")

	wrong := wrongCodes(s.site, 12)
	right := func() string { secrets = append(secrets, s.code(alice)); return secrets[len(secrets)-1] }
	s.in(c, alice, canaryRight, nil)
	c.submit(c.get(codePage), codeField, map[string]string{"code": wrong[0]})
	c.enter(right())
	s.in(c, alice, canaryRight, http.Header{"Sec-Fetch-Site": {"cross-site"}})
	s.in(c, alice, canaryWrong, nil)
	s.in(c, alice, canaryRight, nil)
	c.enter(right())
	events, err := c.http.Get(s.url + "/events?token=" + canaryQuery)
	if err != nil {
		s.t.Fatal(err)
	}
	c.get("/logout")
	_, _ = io.Copy(io.Discard, events.Body)
	_ = events.Body.Close()

	// A phone, a pending session that goes on, and a cancelled one.
	b := s.client()
	s.in(b, bob, canaryRight, nil)
	secrets = append(secrets, s.textCode())
	s.in(b, bob, canaryWrong, nil)
	b.submit(b.get(codePage), "/cancel", nil)

	// A remembered browser that is forgotten, and one whose cookie was copied.
	for _, forget := range []bool{true, false} {
		d := s.client()
		s.in(d, bob, canaryRight, nil)
		secrets = append(secrets, s.textCode())
		d.submit(d.get(codePage), codeField, ticks(s.textCode()))
		name, value := d.device()
		secrets = append(secrets, value)
		if forget {
			s.ask(http.MethodPost, adminDevices, "application/json", `{"user": "`+bob+`", "all": true}`)
			continue
		}
		other := s.client()
		other.setCookie(name, value[:30]+strings.Repeat("A", len(value)-30))
		s.in(other, bob, canaryRight, nil)
		secrets = append(secrets, s.textCode())
	}

	// Too many codes: twice five, and one more.
	for i := range 2 {
		s.in(c, alice, canaryRight, nil)
		form := c.get(codePage)
		for n := range 5 + i {
			c.submit(form, codeField, map[string]string{"code": wrong[1+5*i+n]})
		}
	}
	for _, person := range []*client{b, c} {
		for _, value := range person.cookies("/") {
			secrets = append(secrets, value)
		}
	}
	return append(secrets, wrong...)
}

// ownKinds are those of TestRule29WhatPeopleAndOperatorsChangeIsWrittenDown.
var ownKinds = []handler.Kind{
	handler.FactorChange, handler.FactorFailed, handler.FactorConfirmed, handler.NotMeSaid, handler.DemandChanged, handler.NoticeSent, handler.UserDeleted,
}

func TestRule29EveryEventIsWrittenDownOnceWithoutASecret(t *testing.T) {
	s := watch(t)
	secrets := append(s.tell(), canaryRight, canaryWrong, canaryName, canarySession, canaryPhone, canaryTOTP)
	scraped := strings.Join(ours.FindAllString(s.ask(http.MethodGet, "/metrics", "text/plain", ""), -1), "")
	if scraped == "" {
		t.Fatal("there are no metrics")
	}
	s.global += "\n\tgrace_period 1s"
	s.start(oneLogin("yes redirect /home\nno status 401"), os.Getenv("UPSTREAM"))
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}

	seen := map[handler.Kind]int{}
	for _, e := range append(auditLines(t, s.files[0]), auditLines(t, s.files[1])...) {
		seen[e.Event]++
		info := kindInfos[e.Event]
		if !slices.Contains(info.Results, e.Result) || e.Level != info.Severity {
			t.Errorf("the event %s has the result %q and the level %s, which are not documented", e.Event, e.Result, e.Level)
		}
		early := e.Result == handler.WrongPassword || e.Event == handler.LoginUnread
		if early && (e.User != "" || e.Account != "" || e.ClientIP == "" || e.UserAgent == "") {
			t.Errorf("before the yes: %+v", e)
		}
		if e.Event == handler.LoginAssessed && (e.Verdict == "" || e.Score == nil || len(e.Signals) == 0 || e.User == "") {
			t.Errorf("an assessment without its reasons: %+v", e)
		}
	}
	for _, info := range handler.Kinds() {
		if info.Audited && seen[info.Kind] == 0 && !slices.Contains(ownKinds, info.Kind) {
			t.Errorf("nothing of the test brought about %s: %v", info.Kind, seen)
		}
		if !info.Audited && seen[info.Kind] > 0 {
			t.Errorf("%s is written down, and should only be counted", info.Kind)
		}
	}
	for kind, want := range map[handler.Kind]int{
		handler.LoginAssessed: 8, handler.ChallengeOpened: 8, handler.ChallengePassed: 4, handler.LoginSucceeded: 4,
		handler.TokenCreated: 2, handler.TokenRevoked: 1, handler.TokenReused: 1,
		handler.CodeSent: 4, handler.ChallengeCancelled: 1, handler.TriesUsedUp: 2, handler.FactorPaused: 1,
		handler.FromElsewhere: 1, handler.Refused: 1, handler.CookieWithheld: 1, handler.SessionResumed: 1, handler.StreamClosed: 1,
		handler.SystemStarted: 1, handler.SystemReloaded: 1, handler.SystemStopped: 1,
	} {
		if seen[kind] != want {
			t.Errorf("%s was written down %d times, want %d", kind, seen[kind], want)
		}
	}

	// Times and durations may hold any six digits.
	number := regexp.MustCompile(`\d+\.\d+`)
	for _, file := range s.files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want the mode 600", file, info, err)
		}
	}
	audit := number.ReplaceAllString(string(readFile(t, s.files[0]))+string(readFile(t, s.files[1])), "")
	log := number.ReplaceAllString(s.logged(), "")
	for _, secret := range secrets {
		if regexp.MustCompile(`^\d{6}$`).MatchString(secret) {
			secret = `\b` + secret + `\b`
		} else {
			secret = regexp.QuoteMeta(secret)
		}
		for where, text := range map[string]string{"audit log": audit, "metrics": scraped, "Caddy's log": log} {
			if at := regexp.MustCompile(`.*` + secret + `.*`).FindString(text); at != "" {
				t.Errorf("the %s tells %s: %s", where, secret, at)
			}
		}
	}
	if strings.Contains(audit+scraped, canaryQuery) {
		t.Error("the audit log or the metrics tell a query")
	}
	for _, user := range []string{alice, bob, "127.0.0.1"} {
		if strings.Contains(scraped, user) {
			t.Errorf("the metrics tell %s", user)
		}
	}
	if !strings.Contains(log, `"two_factor.audit"`) {
		t.Error("a log of the level DEBUG has no events")
	}
}

func TestMetricsCountWhatHappensAndLiveThroughAReload(t *testing.T) {
	s := watch(t)
	f := s.failing()
	before := s.metrics()
	s.tell()
	c := s.client()
	c.get("/login")
	f.fail("LineState")
	c.get("/open")
	f.fail("")
	check := func() {
		t.Helper()
		after := s.metrics()
		for name, want := range map[string]float64{
			`logins_total{instance="default",result="second_factor"}`:                      4,
			`logins_total{instance="default",result="wrong_password"}`:                     4,
			`logins_total{instance="default",result="unreadable"}`:                         1,
			`challenges_total{factor="totp",instance="default",reason="login"}`:            4,
			`assessments_total{instance="default",mode="login",verdict="challenge"}`:       8,
			`signals_total{instance="default",signal="stolen_device",state="seen"}`:        1,
			`challenges_total{factor="phone",instance="default",reason="login"}`:           4,
			`challenges_cancelled_total{instance="default"}`:                               1,
			`codes_checked_total{factor="totp",instance="default",result="right"}`:         2,
			`codes_checked_total{factor="totp",instance="default",result="wrong_code"}`:    9,
			`codes_checked_total{factor="totp",instance="default",result="tries_used_up"}`: 2,
			`codes_checked_total{factor="totp",instance="default",result="paused"}`:        1,
			`pages_total{instance="default",message="sign_in_needed"}`:                     1,
			`refusals_total{instance="default",reason="blocked"}`:                          1,
			`refusals_total{instance="default",reason="cross_origin_login"}`:               1,
			`cookies_withheld_total{instance="default",reason="credential_outside_login"}`: 1,
			`sessions_suspended_total{instance="default"}`:                                 3,
			`sessions_resumed_total{instance="default"}`:                                   1,
			`sessions_ended_total{instance="default",reason="logout"}`:                     1,
			`streams_closed_total{instance="default",reason="session_ended"}`:              1,
			`store_errors_total{instance="default"}`:                                       1,
			`accounts_imported_total{instance="default",result="new"}`:                     1,
			`accounts_imported_total{instance="default",result="changed"}`:                 1,
			`operator_actions_total{action="import"}`:                                      2,
		} {
			if got := after[name] - before[name]; got != want {
				t.Errorf("%s grew by %v, want %v", name, got, want)
			}
		}
	}
	check()
	s.load(oneLogin("yes redirect /home\nno status 401", "block /other"))
	check()
}

func TestAVerifiedRequestRecordsNothing(t *testing.T) {
	s := watch(t)
	c := s.client()
	s.in(c, alice, canaryRight, nil)
	c.enter(s.code(alice))
	s.flush()
	before, metrics := string(readFile(t, s.files[0])), s.metrics()
	for range 20 {
		if r := c.get("/home"); r.StatusCode != http.StatusOK {
			t.Fatal(words(r))
		}
	}
	s.flush()
	if after := string(readFile(t, s.files[0])); after != before || len(readFile(t, s.files[1])) > 0 {
		t.Errorf("the audit log grew: %s", strings.TrimPrefix(after, before))
	}
	if after := s.metrics(); !maps.Equal(after, metrics) {
		t.Errorf("the metrics changed from %v to %v", metrics, after)
	}
}

// flush waits until all that happened is written.
func (s *watched) flush() {
	s.t.Helper()
	if err := activeApp(s.t).shared.events.flush(auditPatience); err != nil {
		s.t.Fatal(err)
	}
}

func TestRule29AnImportIntoAStoppedCaddysStoreIsWrittenDown(t *testing.T) {
	dir := ownDataDir(t)
	mustLoad(t, config(`{}`, ""))
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, auditName)
	before := len(auditLines(t, path))
	if _, err := command(t, accountsFile, "import", "-", "--store", filepath.Join(dir, "store.db")); err != nil {
		t.Fatal(err)
	}
	got := auditLines(t, path)[before:]
	if len(got) != 4 || got[0].Event != handler.OperatorActed || !strings.Contains(got[0].Detail, "command: 3 new") {
		t.Fatalf("the audit log has %+v, want the import and its three accounts", got)
	}
	if e := got[1]; e.Event != handler.UserCreated || e.User != "Anna" || e.Detail != "command: factors phone …89, totp" {
		t.Errorf("the first account is told as %+v", e)
	}
	// One that cannot be written down is done, and said.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "user\ndora\n", "import", "-", "--store", filepath.Join(dir, "store.db")); err == nil || !strings.Contains(err.Error(), "not in the audit log") {
		t.Errorf("got %v", err)
	}
}
