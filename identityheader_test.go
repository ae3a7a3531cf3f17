package twofactor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// handedLines tell the app who is verified in every way there is.
const handedLines = "identity_header X-User user\nidentity_header X-Account account\nidentity_header X-Factor factor\n" +
	"identity_header X-Factor-Time factor_time\nidentity_header X-Score score\n"

// handedSite serves an app that is told who is verified. Before the gateway
// stands what puts forged fields into every request that asks for it, in
// spellings that Caddy itself lets in only there.
func handedSite(t *testing.T, lines string, before string) (*site, *scripted) {
	t.Helper()
	u, addr := serveScripted(t, func(w http.ResponseWriter, a *arrival) {
		switch {
		case a.path() == "/login" && a.field("password") == right:
			w.Header().Set("Set-Cookie", "sid=of-"+url.QueryEscape(a.field("email"))+"; Path=/")
			w.Header().Set("Location", "/home")
			w.WriteHeader(http.StatusFound)
		case a.path() == "/me":
			who, err := url.QueryUnescape(strings.TrimPrefix(a.cookie("sid"), "of-"))
			if who == "" || err != nil {
				fmt.Fprint(w, `{"visitor": true}`)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]string{"user": who})
		default:
			fmt.Fprint(w, "a page")
		}
	})
	s := newSite(t)
	s.start("http://localhost:{$PORT} {\nlog {\noutput file "+filepath.Join(t.TempDir(), "access.log")+"\n}\nroute {\n"+before+
		"log_append who {http.two_factor.user}\nlog_append seen {http.two_factor.state}\n"+
		"two_factor {\nlogin fields email password {\nproof /me {\nuser json user\nno json visitor\n}\n}\n"+
		"login_page /login\nunknown_user allow\npublic /open\npublic /open/*\nlogout /logout\nprotect *\n"+lines+"}\nreverse_proxy {$UPSTREAM}\n}\n}\n", addr)
	return s, u
}

// letIn logs somebody in that needs no code.
func (c *client) letIn(user string) {
	c.t.Helper()
	c.get("/login")
	if r := c.post("/login", url.Values{"email": {user}, "password": {right}}); r.location() != "/home" {
		c.t.Fatalf("the login gave %d to %q:\n%s", r.StatusCode, r.location(), r.body)
	}
}

// handed are the fields of a request, or of its trailer, that some server gives
// its app under one of these names.
func handed(a *arrival) map[string][]string {
	fold := func(c rune) rune {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			return c
		}
		return '_'
	}
	found := map[string][]string{}
	for _, fields := range []http.Header{a.Header, a.Trailer} {
		for name, values := range fields {
			name = strings.Map(fold, strings.ToLower(name))
			if len(values) > 0 && slices.Contains([]string{"x_user", "x_account", "x_factor", "x_factor_time", "x_score"}, name) {
				found[name] = append(found[name], values...)
			}
		}
	}
	return found
}

// forgeries are header lines by which a client names somebody else.
var forgeries = []string{
	"X-User: root", "x-user: root", "X-USER: root", "x-uSeR:root", "X-User:\troot", "X-User: root\nX-User: admin", "X-User:", "X-User: ann",
	"X_User: root", "X_USER: root", "X.User: root", "X-User: root\nConnection: X-User", "X-User: root\nConnection: close, X-User, X-Account",
	"X~User: root", "X!User: root", "X-Account: root", "X-Factor: totp", "X-Factor-Time: 2020-01-01T00:00:00Z", "X-Score: 0",
	"X_Factor_Time: 2020-01-01T00:00:00Z", "X-User: root\nTE: trailers", "X-User: root\nTrailer: X-User", "Connection: X-User, keep-alive",
}

func TestRule27NobodyButTheGatewaySaysWhoIsVerified(t *testing.T) {
	for _, before := range []string{"", "request_header X_User root\nrequest_header X.User root\nrequest_header X-User root\nrequest_header x-user root\n"} {
		for _, mode := range []string{"enforce", "observe"} {
			t.Run(mode+fmt.Sprintf(" with %d lines before", strings.Count(before, "\n")), func(t *testing.T) {
				s, u := handedSite(t, handedLines+"mode "+mode+"\n", before)
				c := s.client()
				if mode == "enforce" {
					c.letIn("ann")
				}
				cookies := c.line("/open/page")
				for _, forged := range forgeries {
					for name, request := range map[string]string{
						"a visitor at a public page":   "GET /open/page HTTP/1.1\nHost: {host}\n" + forged,
						"a wrong password":             "POST /login HTTP/1.1\nHost: {host}\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 18\n" + forged + "\n\nemail=x&password=y",
						"a verified user":              "GET /page HTTP/1.1\nHost: {host}\nCookie: " + cookies + "\n" + forged,
						"a verified user's WebSocket":  "GET /page HTTP/1.1\nHost: {host}\nCookie: " + cookies + "\nUpgrade: websocket\nConnection: Upgrade\n" + forged,
						"a verified user's POST":       "POST /page HTTP/1.1\nHost: {host}\nContent-Length: 3\nCookie: " + cookies + "\n" + forged + "\n\nabc",
						"a verified user, public page": "GET /open/page HTTP/1.1\nHost: {host}\nCookie: " + cookies + "\n" + forged,
						"a trailer":                    "POST /open/page HTTP/1.1\nHost: {host}\nTransfer-Encoding: chunked\nTrailer: X-User, X-Account\n\n3\nabc\n0\nX-User: root\nX-Account: root",
						"a verified user's trailer":    "POST /page HTTP/1.1\nHost: {host}\nTransfer-Encoding: chunked\nCookie: " + cookies + "\nTrailer: X-User, X-Account\n\n3\nabc\n0\nX-User: root\nX-Account: root",
					} {
						u.reset()
						s.raw(request)
						isVerified := mode == "enforce" && strings.HasPrefix(name, "a verified")
						arrivals := u.arrivals()
						for _, a := range arrivals {
							got := handed(a)
							isVerified := isVerified && a.path() != "/me" // which is asked for by the gateway
							if !isVerified && len(got) > 0 {
								t.Errorf("of %s with %q the app got %q", name, forged, got)
							}
							if isVerified && (!slices.Equal(got["x_user"], []string{"ann"}) || !slices.Equal(got["x_account"], []string{"ann"}) ||
								!slices.Equal(got["x_score"], []string{"0"}) || len(got) != 3) {
								t.Errorf("of %s with %q the app got %q", name, forged, got)
							}
						}
						if len(arrivals) == 0 {
							t.Errorf("%s with %q did not reach the app", name, forged)
						}
					}
				}
			})
		}
	}
}

func TestTheAppIsToldWhoIsVerifiedAndHow(t *testing.T) {
	s, u := handedSite(t, handedLines, "")
	s.enrol(alice, account.KindTOTP)
	c := s.client()
	c.get("/login")
	u.reset()
	if r := c.post("/login", url.Values{"email": {alice}, "password": {right}}); r.location() != "/.two-factor/challenge" {
		t.Fatalf("the right password gave %d to %q", r.StatusCode, r.location())
	}
	c.get("/open/page")
	for _, a := range u.arrivals() {
		if got := handed(a); len(got) > 0 {
			t.Errorf("before the code %s had %q", a.URI, got)
		}
	}
	c.enter(s.code(alice))
	u.reset()
	c.get("/page")
	got := handed(u.last(t))
	at, err := time.Parse(time.RFC3339, strings.Join(got["x_factor_time"], ","))
	if err != nil || time.Since(at) > time.Minute || at.Location() != time.UTC {
		t.Errorf("the code was entered at %q, %v", got["x_factor_time"], err)
	}
	delete(got, "x_factor_time")
	want := map[string][]string{"x_user": {alice}, "x_account": {alice}, "x_factor": {"totp"}, "x_score": {"260"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the app got %v, want %v", got, want)
	}
	// A login in this browser is nobody's until the app has said yes.
	u.reset()
	c.post("/login", url.Values{"email": {"ben"}, "password": {"wrong"}})
	for _, a := range u.arrivals() {
		if got := handed(a); len(got) > 0 {
			t.Errorf("in a login %s %s had %q", a.Method, a.URI, got)
		}
	}
	c.get("/logout")
	u.reset()
	c.get("/open/page")
	if got := handed(u.last(t)); len(got) > 0 {
		t.Errorf("after the logout the app got %q", got)
	}
}

func TestANameIsHandedOnSoThatItCanBeReadInOneWay(t *testing.T) {
	for user, want := range map[string]string{
		"ann":           "ann",
		"Ann Bee":       "Ann Bee",
		"müller":        "m%C3%BCller",
		"m%C3%BCller":   "m%25C3%25BCller",
		"100%":          "100%25",
		"李":             "%E6%9D%8E",
		`a"b,c;d=e\f`:   `a"b,c;d=e\f`,
		"a\u202eb":      "a%E2%80%AEb",
		"dash\u2013dot": "dash%E2%80%93dot",
	} {
		t.Run(user, func(t *testing.T) {
			s, u := handedSite(t, "identity_header X-User user\n", "")
			c := s.client()
			c.letIn(user)
			u.reset()
			c.get("/page")
			if got := u.last(t).Header["X-User"]; len(got) != 1 || got[0] != want {
				t.Errorf("the app got %q, want %q", got, want)
			}
			if back, err := url.PathUnescape(want); err != nil || back != user {
				t.Errorf("it reads as %q, %v", back, err)
			}
		})
	}
}

func TestPlaceholdersAreForTheRestOfTheCaddyfileAndTheLog(t *testing.T) {
	all := []string{"user", "account", "session", "state", "factor", "factor_time", "score", "decision"}
	appended, up := "", ""
	for _, name := range all {
		appended += "log_append two_factor_" + name + " {http.two_factor." + name + "}\n"
		up += "header_up X-Is-" + strings.ReplaceAll(name, "_", "-") + " {http.two_factor." + name + "}\n"
	}
	u, addr := serveScripted(t, func(w http.ResponseWriter, a *arrival) {
		if a.path() == "/login" && a.field("password") == right {
			w.Header().Set("Set-Cookie", "sid=of-"+a.field("email")+"; Path=/")
			w.Header().Set("Location", "/home")
			w.WriteHeader(http.StatusFound)
			return
		}
		fmt.Fprint(w, "a page")
	})
	s := newSite(t)
	access := filepath.Join(t.TempDir(), "access.log")
	s.start("http://localhost:{$PORT} {\nlog {\noutput file "+access+"\n}\n"+appended+
		"two_factor {\nlogin fields email password {\nyes redirect /home\nno status 200\n}\nlogin_page /login\npublic /open\nlogout /logout\nprotect *\n}\n"+
		"reverse_proxy {$UPSTREAM} {\n"+up+"}\n}\n", addr)
	s.enrol(alice, account.KindTOTP)
	c := s.client()
	isUp := func(step, want string) {
		t.Helper()
		h := u.last(t).Header
		got := h.Get("X-Is-State") + " " + h.Get("X-Is-User") + " " + h.Get("X-Is-Account") + " " + h.Get("X-Is-Factor") + " " +
			h.Get("X-Is-Decision") + " " + h.Get("X-Is-Score")
		if got != want || (len(h.Get("X-Is-Session")) == 16) != strings.HasPrefix(want, "verified") {
			t.Errorf("%s: the app got %q and the session %q, want %q", step, got, h.Get("X-Is-Session"), want)
		}
	}
	c.get("/open")
	isUp("a visitor", "none     ")
	c.get("/login")
	c.post("/login", url.Values{"email": {alice}, "password": {right}})
	isUp("a login", "none     ")
	c.get("/pending")
	c.enter(s.code(alice))
	c.get("/page")
	isUp("a verified user", "verified alice@example.com alice@example.com totp challenge 260")
	c.post("/login", url.Values{"email": {"ben"}, "password": {"wrong"}})
	isUp("a login in a verified session", "none     ")

	want := map[string][]string{ // by address: state, user, decision of each line
		"/open":  {"none  "},
		"/login": {"none  ", "pending alice@example.com challenge", "verified alice@example.com challenge", "none  "},
		"/page":  {"verified alice@example.com challenge"}, "/pending": {"pending  "},
	}
	var got map[string][]string
	for range 50 {
		got = accessLines(t, access)
		if len(got["/login"]) == 4 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for path, lines := range want {
		if !slices.Equal(got[path], lines) {
			t.Errorf("of %s the log says %q, want %q", path, got[path], lines)
		}
	}
}

// accessLines are state, user and decision of each line of an access log, by
// the path.
func accessLines(t *testing.T, file string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		var l struct {
			Request  struct{ URI string }
			State    string `json:"two_factor_state"`
			User     string `json:"two_factor_user"`
			Decision string `json:"two_factor_decision"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		found[l.Request.URI] = append(found[l.Request.URI], l.State+" "+l.User+" "+l.Decision)
	}
	return found
}
