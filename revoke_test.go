package twofactor

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// beginsSessions puts verified sessions of an account into the store.
func beginsSessions(t *testing.T, s store.Store, instance, acc string, n int) (ids []account.SessionID) {
	t.Helper()
	for range n {
		now := time.Now()
		v := account.Session{
			Instance: instance, State: account.StateVerified, Account: acc, User: acc,
			Created: now, LastSeen: now, IdleFor: time.Hour, Expires: now.Add(time.Hour),
		}
		_, _ = rand.Read(v.ID[:])
		_, _ = rand.Read(v.Standing[:])
		if err := s.BeginSession(t.Context(), store.Begin{Session: v}, now); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, v.ID)
	}
	return ids
}

// living counts the sessions that are there.
func living(t *testing.T, s store.Store, ids []account.SessionID) (n int) {
	t.Helper()
	for _, id := range ids {
		if _, err := s.Session(t.Context(), id, time.Now()); err == nil {
			n++
		}
	}
	return n
}

// revokes runs the command, which must say what is wanted.
func revokes(t *testing.T, admin, want string, args ...string) {
	t.Helper()
	out, err := command(t, "", append([]string{"revoke", "--address", admin}, args...)...)
	if err != nil || out != want+"\n" {
		t.Fatalf("revoke %v: %v, %q, want %q", args, err, out, want)
	}
}

// revokeSite is the demo app with an export that asks again, and an admin API.
func revokeSite(t *testing.T) (app *demoapp.App, s *site, admin string) {
	t.Helper()
	app, upstream := serveDemo(t, demoOptions())
	s, admin = newSite(t), freePort(t)
	s.global = "admin " + admin
	s.start(oneLogin("yes redirect /dashboard*\nno status 200", exportOnce), upstream)
	s.enrol(alice, account.KindTOTP)
	s.enrol(bob, account.KindPhone)
	s.enrol(carol, account.KindPhone)
	return app, s, admin
}

// asSomebody are the requests that reached the app in anybody's session, or with
// any cookie.
func asSomebody(app *demoapp.App) (found []string) {
	for _, r := range byPeople(app) {
		if r.User != "" || len(r.Cookies) > 0 {
			found = append(found, fmt.Sprintf("%s %s as <%s> with %q", r.Method, r.URI, r.User, r.Cookies))
		}
	}
	return found
}

func TestRule32WhoseSessionsAnOperatorEndsIsOutAtOnce(t *testing.T) {
	app, s, admin := revokeSite(t)
	verified, hers, moved := s.client(), s.client(), s.client()
	verified.signIn(bob, bobPassword)
	hers.password(carol, carolPassword)
	hers.enter(s.textCode())
	moved.signIn(bob, bobPassword)
	before := moved.jarLine("/contacts")
	mustSay(t, moved.step(moved.get("/contacts/export")), http.StatusOK)
	held := verified.texted(verified.askedFor(verified.post("/contacts/export", hidden(verified.get("/contacts").body, "separator"))))
	stepCode := s.textCode()
	pending := s.client()
	pending.password(bob, bobPassword)
	form, code := pending.get(codePage), s.textCode()
	line := verified.jarLine("/contacts")

	counted := (&watched{site: s, admin: "http://" + admin}).metrics
	was := counted()
	revokes(t, admin, bob+" in instance default: 3 sessions ended", strings.ToUpper(bob))
	now := counted()
	for name, want := range map[string]float64{
		`sessions_ended_total{instance="default",reason="revoked"}`: 3, `operator_actions_total{action="sessions_revoked"}`: 1,
	} {
		if got := now[name] - was[name]; got != want {
			t.Errorf("%s grew by %v, want %v", name, got, want)
		}
	}
	app.Reset()
	for what, r := range map[string]reply{
		"a verified one":                    verified.get("/contacts"),
		"one that a step-up has changed":    moved.get("/contacts"),
		"its token of before the step-up":   s.client().do(http.MethodGet, "/contacts", nil, http.Header{"Cookie": {before}}),
		"a copy of a verified one's cookie": s.client().do(http.MethodGet, "/contacts", nil, http.Header{"Cookie": {line}}),
		"a pending one":                     pending.get("/contacts"),
	} {
		if r.location() != "/login" {
			t.Errorf("%s was answered with %d to %q", what, r.StatusCode, r.location())
		}
	}
	for _, cookies := range []string{line, before, moved.jarLine("/"), verified.jarLine("/")} {
		s.client().do(http.MethodGet, "/assets/style.css", nil, http.Header{"Cookie": {cookies}})
	}
	if found := asSomebody(app); len(found) > 0 || len(byPeople(app)) != 4 {
		t.Errorf("of %d requests: %q", len(byPeople(app)), found)
	}
	if r := verified.do(http.MethodGet, "/contacts", nil, script); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a script of the page was answered with %d", r.StatusCode)
	}
	for what, r := range map[string]reply{
		"the code of a held login":   pending.submit(form, codeField, map[string]string{"code": code}),
		"the code of a held export":  verified.submit(held, codeField, map[string]string{"code": stepCode}),
		"the pending one's new form": pending.get(codePage),
	} {
		if r.StatusCode < 400 && r.location() != "/login" {
			t.Errorf("%s was answered with %d to %q:\n%s", what, r.StatusCode, r.location(), visible(r.body))
		}
	}
	if got := exports(app); len(got) > 0 {
		t.Errorf("exports reached the app: %+v", got)
	}
	if found := asSomebody(app); len(found) > 0 {
		t.Errorf("with codes: %q", found)
	}

	app.Reset()
	mustSay(t, hers.get("/contacts"), http.StatusOK, "Hanna")
	mustSay(t, hers.step(hers.get("/contacts/export")), http.StatusOK)
	if len(asSomebody(app)) < 2 {
		t.Error("another user's requests did not reach the app")
	}
	verified.signIn(bob, bobPassword)
	mustSay(t, verified.get("/contacts"), http.StatusOK, "Maria Anders")
	revokes(t, admin, bob+" in instance default: 1 session ended\n"+carol+" in instance default: 1 session ended\n"+alice+" in instance default: there was no session",
		bob, carol, alice, bob)
}

func TestRevokingLeavesOtherInstancesAlone(t *testing.T) {
	places := neighbours(t)
	places[1].s.enrolAll("two", []string{alice}, account.KindTOTP)
	here, there := places[0].browser(nil), places[1].browser(nil)
	places[0].signIn(t, here)
	if r := there.password(alice, alicePassword); r.location() != codePage {
		t.Fatal(words(r))
	}
	there.enter(places[0].s.code(alice))
	l := places[0].s.lease()
	defer l.Release()
	rv := revoker{store: l.Parts().Store, instance: "one", now: time.Now()}
	if got, err := rv.run(t.Context(), []string{alice}); err != nil || got.Users[0].Ended != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if found := reachesBy(places[0], here); len(found) > 0 {
		t.Errorf("after the end of the session: %q", found)
	}
	comesAs(t, there, places[1].app, alice, "at the other instance")
}

func TestRevokingClosesWhatIsOpenAlsoOfAUserWithoutAnAccount(t *testing.T) {
	app, s, admin := startStreamApp(t), newSite(t), freePort(t)
	s.url = strings.Replace(s.url, "http:", "https:", 1)
	s.global = "fallback_sni example.com\n\tadmin " + admin
	s.start(streamSite(certificate(t)), app.address)
	ann, ben := s.client().by("HTTP/1.1").enters("ann"), s.client().by("HTTP/2.0").enters("ben")
	stays, open := ben.fetch("/silent"), ann.begin(app, "HTTP/1.1")
	noneEnds(t, append(open, stays))
	began := time.Now()
	revokes(t, admin, "Ann in instance default: 1 session ended", "Ann")
	allEnd(t, app, open, began, 1)
	noneEnds(t, []*exchange{stays})
	if r := ann.get("/home"); r.location() != "/login" {
		t.Errorf("afterwards: %s", words(r))
	}
	_, err := command(t, "", "revoke", "--address", admin, "ann")
	if err == nil || !strings.Contains(err.Error(), `neither an account nor a session of "ann"`) {
		t.Errorf("the second time: %v", err)
	}
}

func TestRevokeSaysWhoseSessionsHaveEnded(t *testing.T) {
	dir := ownDataDir(t)
	address := freePort(t)
	lease := mustLease(t, mustLoad(t, config(`{"keys": [{"id": "a", "value": "`+testKey+`"}]}`, address)))
	defer lease.Release()
	s := lease.Parts().Store
	if _, err := command(t, accountsFile, "import", "-", "--instance", "crm", "--address", address); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		return command(t, "", append([]string{"revoke", "--instance", "crm", "--address", address}, args...)...)
	}
	annas := beginsSessions(t, s, "crm", "anna", 2)
	// One of the time before the name was an alias.
	annas = append(annas, beginsSessions(t, s, "crm", "anna@example.com", 1)...)
	others := append(beginsSessions(t, s, "crm", "bob", 1), beginsSessions(t, s, "default", "anna", 1)...)

	_, err := run("bob", "bbo", "ANNA.B", "näh")
	if err == nil {
		t.Fatal("users that nobody knows were no error")
	}
	golden(t, "revoke_unknown.txt", strings.ReplaceAll(err.Error(), address, "ADDRESS")+"\n")
	if n := living(t, s, append(annas, others...)); n != 5 {
		t.Errorf("after an error %d sessions live, want 5", n)
	}
	out, err := run("ANNA.B", " Carla ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "revoke.txt", out)
	if a, o := living(t, s, annas), living(t, s, others); a != 0 || o != 2 {
		t.Errorf("%d of the user's sessions live, and %d of the others", a, o)
	}
	if out, err = run("bob", "anna", "--json"); err != nil {
		t.Fatal(err)
	}
	golden(t, "revoke.json", out)

	if err := activeApp(t).shared.events.flush(auditPatience); err != nil {
		t.Fatal(err)
	}
	var acts, ends []string
	for _, e := range auditLines(t, filepath.Join(dir, auditName)) {
		switch {
		case e.Event == handler.OperatorActed && e.Result == handler.SessionsRevoked:
			acts = append(acts, strings.Join([]string{e.Instance, e.User, e.Account, e.ClientIP, e.Detail}, " "))
		case e.Event == handler.SessionExpired && e.Result == handler.Revoked:
			ends = append(ends, e.Instance+" "+e.User+" "+e.Account)
		}
	}
	if want := []string{
		"crm Anna anna 127.0.0.1 admin API: 3 ended", "crm carla carla 127.0.0.1 admin API: 0 ended",
		"crm bob bob 127.0.0.1 admin API: 1 ended", "crm Anna anna 127.0.0.1 admin API: 0 ended",
	}; !slices.Equal(acts, want) {
		t.Errorf("the audit log tells of %q, want %q", acts, want)
	}
	if want := []string{"crm Anna anna", "crm Anna anna", "crm Anna anna", "crm bob bob"}; !slices.Equal(ends, want) {
		t.Errorf("the audit log tells of the sessions %q, want %q", ends, want)
	}
}

func TestRevokeWorksOnTheStoreOfAStoppedCaddy(t *testing.T) {
	dir := ownDataDir(t)
	lease := mustLease(t, mustLoad(t, config(`{}`, "")))
	if _, err := (&importer{parts: lease.Parts(), instance: "crm", now: time.Now()}).run(t.Context(), strings.NewReader(accountsFile)); err != nil {
		t.Fatal(err)
	}
	ids := beginsSessions(t, lease.Parts().Store, "crm", "bob", 2)
	lease.Release()
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	out, err := command(t, "", "revoke", "bob", "-i", "crm", "--store", filepath.Join(dir, "store.db"))
	if want := "bob in instance crm: 2 sessions ended\n"; err != nil || out != want {
		t.Fatalf("%v, %q, want %q", err, out, want)
	}
	lines := auditLines(t, filepath.Join(dir, auditName))
	if e := lines[len(lines)-3]; e.Event != handler.OperatorActed || e.Detail != "command: 2 ended" {
		t.Errorf("the audit log ends with %+v", lines[len(lines)-3:])
	}
	lease = mustLease(t, mustLoad(t, config(`{}`, "")))
	defer lease.Release()
	if n := living(t, lease.Parts().Store, ids); n != 0 {
		t.Errorf("%d sessions live in the Caddy that was started afterwards", n)
	}
}

func TestTheAdminAPIEndsSessionsForNobodyButTheOperator(t *testing.T) {
	ownDataDir(t)
	address := freePort(t)
	lease := mustLease(t, mustLoad(t, config(`{}`, address)))
	defer lease.Release()
	if err := lease.Parts().Store.PutAccounts(t.Context(), []account.Account{{Instance: defaultName, ID: "anna", Name: "anna"}}); err != nil {
		t.Fatal(err)
	}
	ids := beginsSessions(t, lease.Parts().Store, defaultName, "anna", 1)
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(method, query, kind, body string, header http.Header) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+adminRevoke+query, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		for name, values := range header {
			r.Header[name] = values
		}
		if host := header.Get("Host"); host != "" {
			r.Host = host
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	const asJSON, anna = "application/json", `{"users": ["anna"]}`
	many, _ := json.Marshal(revokeRequest{Users: slices.Repeat([]string{"anna"}, maxRevoked+1)})
	for _, c := range []struct {
		name, method, query, kind, body string
		header                          http.Header
		want                            int
		says                            string
	}{
		{"by GET", "GET", "", asJSON, anna, nil, 405, "by POST"},
		{"a form, which a web page can send", "POST", "", "application/x-www-form-urlencoded", anna, nil, 415, "application/json"},
		{"plain text, which a web page can send", "POST", "", "text/plain", anna, nil, 415, "application/json"},
		{"no type", "POST", "", "", anna, nil, 415, "application/json"},
		{"by another name of this machine", "POST", "", asJSON, anna, http.Header{"Host": {"evil.example"}}, 403, "host not allowed"},
		{"no JSON", "POST", "", asJSON, "anna", nil, 400, "want a JSON object"},
		{"a list", "POST", "", asJSON, `["anna"]`, nil, 400, "want a JSON object"},
		{"another member", "POST", "", asJSON, `{"users": ["anna"], "instance": "x"}`, nil, 400, "unknown field"},
		{"two objects", "POST", "", asJSON, anna + anna, nil, 400, "nothing after it"},
		{"too much", "POST", "", asJSON, `{"users": ["anna", "` + strings.Repeat("a", maxRevokeBytes) + `"]}`, nil, 400, "1024 KiB"},
		{"too many", "POST", "", asJSON, string(many), nil, 400, "1 to 1000 users, not 1001"},
		{"nobody", "POST", "", asJSON, `{}`, nil, 400, "not 0"},
		{"an empty name", "POST", "", asJSON, `{"users": ["anna", " "]}`, nil, 400, "cannot be the name"},
		{"no instance", "POST", "?instance=A%20B", asJSON, anna, nil, 400, "is not 1 to 32"},
		{"another instance", "POST", "?instance=crm", asJSON, anna, nil, 404, "in instance crm"},
		{"a stranger too", "POST", "", asJSON, `{"users": ["anna", "dora"]}`, nil, 404, "no session was ended: in instance default"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, text := ask(c.method, c.query, c.kind, c.body, c.header); status != c.want || !strings.Contains(text, c.says) {
				t.Errorf("got %d %s, want %d with %q", status, text, c.want, c.says)
			}
		})
	}
	if n := living(t, lease.Parts().Store, ids); n != 1 {
		t.Fatal("the session has ended")
	}
	if status, text := ask("POST", "", asJSON, anna, nil); status != 200 || !strings.Contains(text, `"ended":1`) || living(t, lease.Parts().Store, ids) != 0 {
		t.Errorf("got %d %s", status, text)
	}
}

// failingEnd is a store that ends the sessions of one account only.
type failingEnd struct {
	store.Store
	only string
}

func (f failingEnd) EndSessions(ctx context.Context, instance, acc string) (int, error) {
	if acc != f.only {
		return 0, io.ErrUnexpectedEOF
	}
	return f.Store.EndSessions(ctx, instance, acc)
}

func TestInvariant09AStoreThatFailsInTheMiddleOfRevokingIsToldWithWhatHasEnded(t *testing.T) {
	ownDataDir(t)
	lease := mustLease(t, mustLoad(t, config(`{}`, "")))
	defer lease.Release()
	s := lease.Parts().Store
	for _, id := range []string{"anna", "bob"} {
		if err := s.PutAccounts(t.Context(), []account.Account{{Instance: "crm", ID: id, Name: id}}); err != nil {
			t.Fatal(err)
		}
		beginsSessions(t, s, "crm", id, 1)
	}
	for only, want := range map[string]string{
		"nobody": `no session was ended: ending the sessions of "anna": unexpected EOF`,
		"anna":   `only the sessions of "anna" were ended: ending the sessions of "bob": unexpected EOF`,
	} {
		rv := revoker{store: failingEnd{s, only}, instance: "crm", now: time.Now()}
		if _, err := rv.run(t.Context(), []string{"anna", "bob"}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
