package demoapp

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func jsonBody(t *testing.T, fields map[string]string) string {
	t.Helper()
	body, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestTheYesAnswer(t *testing.T) {
	tests := []struct {
		name     string
		yes      Yes
		status   int
		location string
		says     string
	}{
		{"a redirect to the dashboard", YesRedirect, 302, "/dashboard", ""},
		{"a 303 with an absolute Location", YesAbsolute, 303, "BASE/dashboard", ""},
		{"a page", YesPage, 200, "", "Welcome back, Alice Archer."},
		{"a page that was created", YesCreated, 201, "", "Welcome back, Alice Archer."},
		{"JSON", YesJSON, 200, "", `{"ok":true}`},
		{"a redirect with a relative Location", YesRelative, 302, "dashboard", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := start(t, Options{Yes: test.yes})
			b.login(alice, alicePassword).
				must(t, test.status, strings.Replace(test.location, "BASE", b.base, 1)).mustSay(t, test.says)
			b.mustBe(alice)
		})
	}
}

func TestTheNoAnswer(t *testing.T) {
	tests := []struct {
		name     string
		no       No
		status   int
		location string
		says     string
	}{
		{"the form again", NoForm, 200, "", textWrong},
		{"the form with 401", NoUnauthorized, 401, "", textWrong},
		{"the form with 403", NoForbidden, 403, "", textWrong},
		{"the form with 404", NoNotFound, 404, "", textWrong},
		{"the form with 422", NoUnprocessable, 422, "", textWrong},
		{"a redirect to the login page", NoRedirect, 302, "/login?error=1", ""},
		{"JSON", NoJSON, 200, "", `{"ok":false}`},
		{"the same as yes", NoSameAsYes, 302, "/dashboard", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := start(t, Options{No: test.no})
			for _, name := range []string{alice, "nobody@example.com", ""} {
				b.login(name, "wrong").must(t, test.status, test.location).mustSay(t, test.says)
				b.mustBe("")
			}
			b.login(alice, "")
			b.mustBe("")
			b.login(alice, alicePassword)
			b.mustBe(alice)
		})
	}
}

func TestAWrongPasswordByRedirectIsExplainedOnTheLoginPage(t *testing.T) {
	b := start(t, Options{No: NoRedirect})
	b.get(b.login(alice, "wrong").Header.Get("Location")).mustSay(t, textWrong)
}

func TestTheSameAnswerDiffersInNothingButTheNextPage(t *testing.T) {
	styles := map[string]Options{
		"new session": {}, "kept session": {AtLogin: SessionKept}, "renewed session": {AtLogin: SessionRenewed},
		"several cookies": {Remember: true}, "two paths": {TwoPaths: true}, "deleted and set": {DeleteAndSet: true},
		"a page": {Yes: YesPage}, "cookie at yes only": {Start: StartAtYes}, "big": {BigLogin: true}, "rotating": {Rotate: true},
	}
	for name, o := range styles {
		t.Run(name, func(t *testing.T) {
			o.No = NoSameAsYes
			b := start(t, o)
			wrong := b.login(alice, "wrong")
			b.mustBe("")
			right := another(t, b.app, b.base).login(alice, alicePassword)
			if wrong.StatusCode != right.StatusCode || wrong.Header.Get("Location") != right.Header.Get("Location") {
				t.Errorf("%d %q is not %d %q", wrong.StatusCode, wrong.Header.Get("Location"),
					right.StatusCode, right.Header.Get("Location"))
			}
			if wrong.body != right.body {
				t.Error("the bodies differ")
			}
			if !slices.Equal(wrong.cookieShapes(), right.cookieShapes()) {
				t.Errorf("cookies %q are not %q", wrong.cookieShapes(), right.cookieShapes())
			}
		})
	}
}

func TestTheSameAnswerTellsOnTheNextLoginPageAndLeavesWhoIsSignedIn(t *testing.T) {
	b := start(t, Options{No: NoSameAsYes})
	b.login(alice, "wrong")
	b.page(PageDashboard).must(t, 302, "/login")
	b.page(PageLogin).mustSay(t, textWrong)
	b.login(alice, alicePassword)
	b.login(bob, "wrong").must(t, 302, "/dashboard")
	b.mustBe(alice)
}

func TestTheAppTakesAnAddressInAnotherCaseAndWithBlanksAround(t *testing.T) {
	b := start(t, Options{})
	b.login("  Alice@EXAMPLE.com ", alicePassword).must(t, 302, "/dashboard")
	b.mustBe(alice)
	b.login(bob, " "+bobPassword)
	b.mustBe(alice)
}

func TestTheUsersAreTheOperatorsChoice(t *testing.T) {
	b := start(t, Options{Users: []User{{Email: "Dan@example.com", Name: "Dan", Password: "x y"}}})
	b.login(alice, alicePassword)
	b.mustBe("")
	b.login("dan@example.com", "x y")
	b.mustBe("Dan@example.com")
}

func TestASecondLoginInTheSameSessionChangesTheUserInEveryStyle(t *testing.T) {
	for _, style := range FormStyles() {
		t.Run(style.Name, func(t *testing.T) {
			style.Options.LoginDelay = 0
			b := start(t, style.Options)
			b.login(alice, alicePassword)
			b.mustBe(alice)
			b.page(PageContacts).mustSay(t, "Maria Anders")
			b.login(bob, bobPassword)
			b.mustBe(bob)
			b.page(PageContacts).mustSay(t, "Maria Anders")
			b.login(alice, "wrong")
			b.mustBe(bob)
			b.page(PageLogout)
			b.mustBe("")
			b.page(PageContacts).must(t, 302, style.Options.Path(PageLogin))
		})
	}
}

func TestAFormsTokenWorksOnceAndInItsOwnSessionOnly(t *testing.T) {
	b := start(t, Options{})
	token := tokenOf(t, b.page(PageLogin).body)
	another(t, b.app, b.base).submit(token, alice, alicePassword).must(t, 200, "").mustSay(t, textExpired)
	b.submit(token, alice, "wrong").mustSay(t, textWrong)
	b.submit(token, alice, alicePassword).must(t, 200, "").mustSay(t, textExpired)
	b.submit("", alice, alicePassword).mustSay(t, textExpired)
	b.mustBe("")
	first, second := tokenOf(t, b.page(PageLogin).body), tokenOf(t, b.page(PageLogin).body)
	b.submit(second, alice, "wrong").mustSay(t, textWrong)
	b.submit(first, alice, alicePassword).must(t, 302, "/dashboard")
}

func TestAStrictFormHasAPageOfItsOwnForATokenThatIsNoGood(t *testing.T) {
	b := start(t, Options{StrictForm: true})
	b.submit("x", alice, alicePassword).must(t, 403, "").mustSay(t, "Form expired")
	b.login(alice, "wrong").must(t, 200, "")
	b.login(alice, alicePassword).must(t, 302, "/dashboard")
}

func TestALoginAtItsPathIsNowhereElse(t *testing.T) {
	b := start(t, Options{})
	token := tokenOf(t, b.page(PageLogin).body)
	fields := url.Values{"csrf": {token}, "email": {alice}, "password": {alicePassword}}
	b.post("/", fields)
	b.post("/dashboard", fields)
	b.get("/login?" + fields.Encode())
	b.mustBe("")
	b.post("/Login/", fields).must(t, 302, "/dashboard")
	b.mustBe(alice)
}

func TestTheQueryCountsWhereTheBodyHasNoSuchFieldAndTheLastOfSeveralCounts(t *testing.T) {
	b := start(t, Options{})
	token := tokenOf(t, b.page(PageLogin).body)
	b.post("/login?email="+alice+"&password=nonsense", url.Values{
		"csrf": {token}, "password": {"nonsense", alicePassword},
	}).must(t, 302, "/dashboard")
	b.mustBe(alice)
}

func TestFieldsAnywhereLogInOnEveryPage(t *testing.T) {
	for _, address := range []string{"/", "/contacts", "/contacts/export", "/profile", "/api/me", "/logout"} {
		t.Run("by POST to "+address, func(t *testing.T) {
			b := start(t, Options{LoginAt: LoginAnywhere})
			fields := url.Values{"csrf": {tokenOf(t, b.page(PageStart).body)}, "email": {alice}, "password": {"wrong"}}
			b.post(address, fields).must(t, 200, "").mustSay(t, textWrong)
			b.mustBe("")
			fields.Set("csrf", tokenOf(t, b.page(PageStart).body))
			fields.Set("password", alicePassword)
			b.post(address, fields).must(t, 302, "/dashboard")
			b.mustBe(alice)
		})
		t.Run("by GET of "+address, func(t *testing.T) {
			b := start(t, Options{LoginAt: LoginAnywhere})
			query := url.Values{"email": {alice}, "password": {"wrong"}}
			b.get(address+"?"+query.Encode()).must(t, 200, "")
			b.mustBe("")
			query.Set("password", alicePassword)
			b.get(address+"?"+query.Encode()).must(t, 302, "/dashboard")
			b.mustBe(alice)
		})
	}
}

func TestFieldsAnywhereLeaveOtherPagesAlone(t *testing.T) {
	b := start(t, Options{LoginAt: LoginAnywhere})
	b.page(PageStart).mustSay(t, `<form id="login" method="post" action="/"`)
	b.get("/profile?email="+alice).mustSay(t, "Please sign in")
	b.get("//evil.example/..//?email=x&password=y").mustSay(t, `action="/"`)
	b.login(alice, alicePassword)
	if strings.Contains(b.page(PageStart).body, `id="login"`) {
		t.Error("a user sees the login form on the start page")
	}
	b.post("/contacts/export", url.Values{"csrf": {tokenOf(t, b.page(PageContacts).body)}}).must(t, 200, "")
}

func TestOnePathForAllWithTheActionInTheQuery(t *testing.T) {
	b := start(t, Options{LoginAt: LoginFrontController})
	b.get("/index.php").must(t, 200, "").mustSay(t, `href="/index.php?action=login"`)
	b.get("/").must(t, 200, "")
	b.get("/login").must(t, 404, "")
	b.get("/index.php?action=other").must(t, 404, "")
	b.get("/index.php?action=contacts").must(t, 302, "/index.php?action=login")
	b.login(alice, "wrong").must(t, 200, "").mustSay(t, textWrong)
	b.login(alice, alicePassword).must(t, 302, "/index.php?action=dashboard")
	b.mustBe(alice)
	b.get("/index.php?action=contacts&q=moreno").mustSay(t, "Hanna Moreno").mustSay(t, `name="action" value="contacts"`)
	b.get("/index.php/x?action=login&action=export").must(t, 200, "").mustSay(t, "Name,Company")
}

func TestTheFieldsHaveTheNamesTheyAreGiven(t *testing.T) {
	b := start(t, Options{EmailField: "user[email]", PasswordField: "user[password]"})
	token := tokenOf(t, b.page(PageLogin).mustSay(t, `name="user[email]"`).body)
	b.post("/login", url.Values{"csrf": {token}, "email": {alice}, "password": {alicePassword}}).must(t, 200, "")
	b.mustBe("")
	b.login(alice, alicePassword)
	b.mustBe(alice)
}

func TestTheEncodings(t *testing.T) {
	t.Run("multipart is what the form says and sends", func(t *testing.T) {
		b := start(t, Options{Encoding: EncodingMultipart})
		b.page(PageLogin).mustSay(t, `enctype="multipart/form-data"`)
		b.login(alice, alicePassword).must(t, 302, "/dashboard")
		b.mustBe(alice)
	})
	t.Run("JSON is sent by the page's script, and the plain form works too", func(t *testing.T) {
		b := start(t, Options{Encoding: EncodingJSON})
		token := tokenOf(t, b.page(PageLogin).mustSay(t, `src="/assets/login.js"`).mustSay(t, `data-script="json"`).body)
		b.login(alice, alicePassword).must(t, 302, "/dashboard")
		b.mustBe(alice)
		b = another(t, b.app, b.base)
		token = tokenOf(t, b.page(PageLogin).body)
		b.post("/login", url.Values{"csrf": {token}, "email": {bob}, "password": {bobPassword}}).must(t, 302, "/dashboard")
		b.mustBe(bob)
	})
	t.Run("JSON is not read in an app with forms", func(t *testing.T) {
		b := start(t, Options{})
		token := tokenOf(t, b.page(PageLogin).body)
		body := jsonBody(t, map[string]string{"csrf": token, "email": alice, "password": alicePassword})
		b.do(http.MethodPost, "/login", "application/json", body).must(t, 200, "")
		b.mustBe("")
	})
	t.Run("a broken body logs nobody in", func(t *testing.T) {
		b := start(t, Options{Encoding: EncodingJSON})
		b.do(http.MethodPost, "/login", "application/json", `{"email":`).must(t, 200, "")
		b.do(http.MethodPost, "/login", "multipart/form-data; boundary=x", "--y").must(t, 200, "")
		b.do(http.MethodPost, "/login", "", "").must(t, 200, "")
		b.mustBe("")
	})
}

func TestABodyOverOneMegabyteIsRefused(t *testing.T) {
	b := start(t, Options{})
	b.post("/login", url.Values{"x": {strings.Repeat("x", maxBody+1)}}).must(t, 413, "")
}

func TestTheBigLoginIsBiggerThan256KiBAndSaysTheSame(t *testing.T) {
	for _, yes := range []Yes{YesRedirect, YesAbsolute, YesPage, YesCreated, YesJSON, YesRelative} {
		b := start(t, Options{Yes: yes, BigLogin: true})
		wrong := b.login(alice, "wrong")
		right := b.login(alice, alicePassword)
		if len(right.body) <= 256<<10 || len(wrong.body) > 64<<10 {
			t.Errorf("yes %d: %d bytes, no: %d bytes", yes, len(right.body), len(wrong.body))
		}
		if yes != YesJSON {
			continue
		}
		var told struct{ OK bool }
		if err := json.Unmarshal([]byte(right.body), &told); err != nil || !told.OK {
			t.Errorf("the JSON is not a yes: %v", err)
		}
	}
}

func TestADelayedLoginTakesEffectBeforeItsAnswer(t *testing.T) {
	b := start(t, Options{AtLogin: SessionKept, LoginDelay: 400 * time.Millisecond})
	token := tokenOf(t, b.page(PageLogin).body)
	val := b.session()
	answered := make(chan time.Time, 1)
	began := time.Now()
	go func() {
		b.submit(token, alice, alicePassword)
		answered <- time.Now()
	}()
	for b.app.Sessions()[val] != alice {
		if time.Since(began) > 5*time.Second {
			t.Fatal("the session was never logged in")
		}
		time.Sleep(5 * time.Millisecond)
	}
	select {
	case <-answered:
		t.Error("the answer came before the session was seen to be logged in")
	default:
	}
	b.withCookie(PageContacts, val).must(t, 200, "")
	if took := (<-answered).Sub(began); took < 400*time.Millisecond {
		t.Errorf("the answer took %v", took)
	}
}

func TestARelativeLocationLeadsToTheDashboardFromEveryPage(t *testing.T) {
	for _, base := range []string{"", "/crm"} {
		b := start(t, Options{LoginAt: LoginAnywhere, Yes: YesRelative, BasePath: base})
		for _, address := range []string{"/", "/contacts", "/contacts/export", "/contacts//export/"} {
			got := b.get(base + address + "?email=" + alice + "&password=" + url.QueryEscape(alicePassword))
			at, err := got.Location()
			if err != nil || strings.HasPrefix(got.Header.Get("Location"), "/") {
				t.Fatalf("the Location is %q: %v", got.Header.Get("Location"), err)
			}
			if at.Path != base+"/dashboard" {
				t.Errorf("from %s to %s", base+address, at.Path)
			}
		}
	}
}
