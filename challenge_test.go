package twofactor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// enrolTOTP gives a user an authenticator of these parameters.
func (s *site) enrolTOTP(user string, params account.TOTP) {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	acc := account.Account{Instance: defaultName, ID: account.Fold(user), Name: user, Created: time.Now(), Updated: time.Now()}
	f := account.Factor{ID: "app", Kind: account.KindTOTP, TOTP: &params, Created: time.Now()}
	var err error
	f.Secret, err = challenge.SealFactorSecret(sealer{l.Parts().Ring}, acc.Instance, acc.ID, f.ID, f.Kind, s.secret, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	acc.Factors = []account.Factor{f}
	if err := l.Parts().Store.PutAccounts(context.Background(), []account.Account{acc}); err != nil {
		s.t.Fatal(err)
	}
}

// shown is the code that an authenticator of these parameters shows at a time.
func (s *site) shown(params account.TOTP, at time.Time) string {
	s.t.Helper()
	algorithm := otp.AlgorithmSHA1
	if params.Algorithm == "SHA256" {
		algorithm = otp.AlgorithmSHA256
	}
	code, err := totp.GenerateCodeCustom(challenge.FormatTOTPSecret(s.secret), at,
		totp.ValidateOpts{Period: uint(params.Period), Digits: otp.Digits(params.Digits), Algorithm: algorithm})
	if err != nil {
		s.t.Fatal(err)
	}
	return code
}

// plainTOTP are the parameters of the test's users' authenticators.
var plainTOTP = account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30}

const atChallenge = "/.two-factor/challenge"

// mustAsk gives the right password and follows to the challenge.
func (c *client) mustAsk(user, password string) reply {
	c.t.Helper()
	if r := c.password(user, password); r.location() != atChallenge {
		c.t.Fatalf("the right password of %s gave %d to %q:\n%s", user, r.StatusCode, r.location(), r.body)
	}
	return c.get(atChallenge)
}

// mustSay fails if a page does not have this status and these words.
func mustSay(t *testing.T, r reply, status int, words ...string) {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("%s %s gave %d, want %d:\n%s", r.Request.Method, r.Request.URL, r.StatusCode, status, visible(r.body))
	}
	for _, w := range words {
		if !strings.Contains(visible(r.body), w) {
			t.Fatalf("%s %s does not say %q but:\n%s", r.Request.Method, r.Request.URL, w, visible(r.body))
		}
	}
}

var styleSheet = regexp.MustCompile(`(?s)<style>.*?</style>`)

// visible is about what a person reads of a page.
func visible(body string) string {
	var b strings.Builder
	for _, part := range strings.Split(styleSheet.ReplaceAllString(body, ""), "<") {
		if _, text, ok := strings.Cut(part, ">"); ok {
			b.WriteString(text)
			b.WriteByte(' ')
		}
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	return strings.NewReplacer("&#39;", "'", "&amp;", "&", "&#34;", `"`).Replace(text)
}

func TestAnAuthenticatorOfEveryKindSignsIn(t *testing.T) {
	var kinds []account.TOTP
	users := []demoapp.User{}
	for _, algorithm := range []string{"SHA1", "SHA256"} {
		for _, digits := range []int{6, 8} {
			for _, period := range []int{15, 30, 60} {
				kinds = append(kinds, account.TOTP{Algorithm: algorithm, Digits: digits, Period: period})
				users = append(users, demoapp.User{Email: fmt.Sprintf("%s-%d-%d@example.com", strings.ToLower(algorithm), digits, period), Password: "p"})
			}
		}
	}
	_, upstream := serveDemo(t, demoapp.Options{Users: users})
	s := startSite(t, styleFile(t, "classic"), upstream)
	for i, kind := range kinds {
		user := users[i].Email
		t.Run(user, func(t *testing.T) {
			s.enrolTOTP(user, kind)
			c := s.client()
			r := c.mustAsk(user, "p")
			mustSay(t, r, 200, fmt.Sprintf("%d-digit code", kind.Digits))
			// A code of another kind does not pass.
			other := kind
			other.Algorithm = map[string]string{"SHA1": "SHA256", "SHA256": "SHA1"}[kind.Algorithm]
			code := s.shown(kind, time.Now())
			if wrong := s.shown(other, time.Now()); wrong != code {
				if r = c.enter(wrong); !strings.Contains(r.location(), "problem=wrong") {
					t.Fatalf("a code of %s gave %d to %q", other.Algorithm, r.StatusCode, r.location())
				}
			}
			// The step before is in the window, the one before that is not.
			if r = c.enter(s.shown(kind, time.Now().Add(-3*time.Duration(kind.Period)*time.Second))); !strings.Contains(r.location(), "problem=wrong") {
				t.Fatalf("an old code gave %d to %q", r.StatusCode, r.location())
			}
			if r = c.enter(code[:3] + " " + code[3:]); r.StatusCode != 302 || r.location() != "/dashboard" {
				t.Fatalf("the right code gave %d to %q:\n%s", r.StatusCode, r.location(), r.body)
			}
			// A time step is good once (rule 3).
			d := s.client()
			d.mustAsk(user, "p")
			r = d.enter(code)
			if time.Now().Unix()/int64(kind.Period) > 0 && r.StatusCode == 302 {
				t.Fatal("the same code has opened a second session")
			}
			mustSay(t, d.follow(r), 200, "That code")
		})
	}
}

func TestRule05FiveTriesThenTheCodeIsDead(t *testing.T) {
	s, app := classicSite(t)
	c := s.client()
	c.mustAsk(bob, bobPassword)
	code := s.textCode()
	for i, wrong := range different(6, code)[:5] {
		r := c.follow(c.enter(wrong))
		left := []string{"4 tries left", "3 tries left", "2 tries left", "1 try left", "Too many wrong codes"}[i]
		mustSay(t, r, 200, left)
	}
	if page := c.get(atChallenge); strings.Contains(page.body, codeField) {
		t.Error("after five wrong codes the page still has a field")
	}
	// The right code comes too late, on a page that was opened before.
	mustSay(t, c.follow(c.postCode(code)), 200, "Too many wrong codes")
	if len(app.Sessions()) == 0 {
		t.Fatal("the demo app has no session")
	}
	// A new code is offered, after the wait, and its tries are its own.
	mustSay(t, c.get(atChallenge), 200, "Send a new code")
	// The address of the page that said so says nothing of the next challenge.
	d := s.client()
	d.mustAsk(alice, alicePassword)
	mustSay(t, d.get(atChallenge+"?problem=tries"), 200, "Enter the code from your authenticator")
	mustSay(t, d.get(atChallenge+"?problem=paused"), 200, "Enter the code from your authenticator")
	mustSay(t, d.get(atChallenge+"?problem=expired&factor=f9"), 200, "Enter the code from your authenticator")
}

// different returns n six-digit codes that differ from one.
func different(n int, from string) []string {
	var codes []string
	for i := 0; len(codes) < n; i++ {
		if code := fmt.Sprintf("%06d", 135790+i*7919); code != from {
			codes = append(codes, code)
		}
	}
	return codes
}

// postCode posts a code as a page does that was opened while it had a field.
func (c *client) postCode(code string) reply {
	c.t.Helper()
	page := c.get(atChallenge)
	form := hidden(page.body, `action="/.two-factor/cancel"`)
	delete(form, "")
	form.Set("code", code)
	return c.post("/login", form)
}

func TestRule05TenFailuresInARowPauseTheFactorAndNotTheAccount(t *testing.T) {
	s, _ := classicSite(t)
	clock := s.clock()
	wrong := wrongCodes(s, 10)
	var c *client
	for i, code := range wrong {
		if i%5 == 0 {
			// Another browser, another challenge: the failures go on counting.
			c = s.client()
			c.mustAsk(carol, carolPassword)
		}
		c.enter(code)
	}
	mustSay(t, c.get(atChallenge), 200, "Too many wrong codes in a row", "Try again in 30 minutes")
	right := s.shown(plainTOTP, clock.now())
	mustSay(t, c.follow(c.postCode(right)), 200, "Too many wrong codes in a row")

	// The phone of the same account still opens.
	c = s.client()
	page := c.mustAsk(carol, carolPassword)
	mustSay(t, page, 200, "Too many wrong codes in a row", "You can use another way")
	choose := c.get("/.two-factor/choose")
	mustSay(t, choose, 200, "Authenticator app", "Paused: try again in", "Text message", "ending in 42")
	r := c.post("/.two-factor/choose", withFactor(choose, "f1"))
	mustSay(t, c.follow(r), 200, "Enter the code we texted you")
	if r = c.submit(c.get(r.location()), codeField, map[string]string{"code": s.textCode()}); r.location() != "/dashboard" {
		t.Fatalf("the phone's code gave %d to %q:\n%s", r.StatusCode, r.location(), visible(r.body))
	}

	clock.pass(31 * time.Minute)
	c = s.client()
	c.mustAsk(carol, carolPassword)
	if r := c.enter(s.shown(plainTOTP, clock.now())); r.location() != "/dashboard" {
		t.Fatalf("after the pause the right code gave %d to %q:\n%s", r.StatusCode, r.location(), visible(r.body))
	}
}

// withFactor is the form of the page with the other ways, with one chosen.
func withFactor(page reply, factor string) url.Values {
	form := hidden(page.body, `name="two_factor_factor"`)
	delete(form, "")
	form.Set("two_factor_factor", factor)
	return form
}

func TestRule05WhoLacksThePasswordLocksNobodyOut(t *testing.T) {
	s, _ := classicSite(t)
	attacker := s.client()
	for range 20 {
		attacker.password(alice, "guessed")
		attacker.post("/login", url.Values{"two_factor_challenge": {"x"}, "two_factor_token": {"y"}, "code": {"123456"}})
	}
	if n := len(s.texts()); n != 0 {
		t.Errorf("%d texts were sent without a right password", n)
	}
	if r := s.client().signIn(alice, alicePassword); r.location() != "/dashboard" {
		t.Fatalf("alice is led to %q:\n%s", r.location(), visible(r.body))
	}
}

func TestACodeOfTheWrongLengthCostsNoTry(t *testing.T) {
	s, _ := classicSite(t)
	c := s.client()
	c.mustAsk(alice, alicePassword)
	for range 7 {
		for _, odd := range []string{"", "12345", "1234567", "abcdef", strings.Repeat("1", 3000)} {
			mustSay(t, c.follow(c.enter(odd)), 200, "The code has 6 digits")
		}
	}
	// As people type it: in groups, with other digits, with blanks around it.
	code := s.code(alice)
	arabic := []rune{}
	for _, d := range code {
		arabic = append(arabic, '٠'+(d-'0'))
	}
	if r := c.enter(" " + string(arabic[:3]) + "-" + string(arabic[3:]) + " "); r.location() != "/dashboard" {
		t.Fatalf("the right code gave %d to %q:\n%s", r.StatusCode, r.location(), visible(r.body))
	}
}

func TestRule09SendingAgainWaitsLongerEachTime(t *testing.T) {
	s, _ := classicSite(t)
	clock := s.clock()
	c := s.client()
	page := c.mustAsk(bob, bobPassword)
	mustSay(t, page, 200, "We sent a text message with your code to the number ending in 42", "Send again", "This works in 30 seconds")
	sendForm := func() url.Values {
		form := hidden(c.get(atChallenge).body, "two_factor_factor")
		delete(form, "")
		return form
	}
	first := s.textCode()
	for i, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
		said := []string{"This works in 30 seconds", "This works in 60 seconds", "This works in 2 minutes"}[i]
		r := c.follow(c.post("/.two-factor/send", sendForm()))
		mustSay(t, r, 200, said)
		if n := len(s.texts()); n != i+1 {
			t.Fatalf("%d texts after a click that came too early, want %d", n, i+1)
		}
		clock.pass(wait)
		r = c.follow(c.post("/.two-factor/send", sendForm()))
		if n := len(s.texts()); n != i+2 {
			t.Fatalf("%d texts, want %d:\n%s", n, i+2, visible(r.body))
		}
		if s.textCode() != first {
			t.Error("sending again has sent another code")
		}
	}
	mustSay(t, c.get(atChallenge), 200, "No more can be sent for this sign-in")
	c.post("/.two-factor/send", sendForm())
	if n := len(s.texts()); n != 4 {
		t.Errorf("%d texts in one challenge, want 4 at most", n)
	}
	if r := c.enter(first); r.location() != "/dashboard" {
		t.Fatalf("the code that was sent four times gave %d to %q:\n%s", r.StatusCode, r.location(), visible(r.body))
	}
}

func TestRule02ASentCodeLivesFiveMinutes(t *testing.T) {
	s, _ := classicSite(t)
	clock := s.clock()
	c := s.client()
	c.mustAsk(bob, bobPassword)
	old := s.textCode()
	clock.pass(4*time.Minute + 50*time.Second)
	if page := c.get(atChallenge); !strings.Contains(page.body, codeField) {
		t.Fatalf("the code has died early:\n%s", visible(page.body))
	}
	clock.pass(20 * time.Second)
	r := c.follow(c.postCode(old))
	mustSay(t, r, 200, "That code has expired", "Send a new code")
	r = c.follow(c.submit(r, "Send a new code", nil))
	mustSay(t, r, 200, "We sent a text message")
	fresh := s.textCode()
	if fresh == old {
		t.Fatal("the expired code was sent once more")
	}
	mustSay(t, c.follow(c.enter(old)), 200, "That code is not right")
	if r := c.enter(fresh); r.location() != "/dashboard" {
		t.Fatalf("the new code gave %d to %q:\n%s", r.StatusCode, r.location(), visible(r.body))
	}
}

func TestAChallengeThatTookTooLongEndsInWords(t *testing.T) {
	s, app := classicSite(t)
	clock := s.clock()
	c := s.client()
	page := c.mustAsk(alice, alicePassword)
	clock.pass(11 * time.Minute)
	r := c.submit(page, codeField, map[string]string{"code": s.shown(plainTOTP, clock.now())})
	mustSay(t, r, 403, "This took too long", "Go to the sign-in page")
	mustSay(t, c.get(atChallenge), 403, "This took too long")
	mustSay(t, c.get("/.two-factor/choose"), 403, "This took too long")
	mustSay(t, c.submit(page, "/.two-factor/cancel", nil), 403, "This took too long")
	app.Reset()
	if r := c.get("/contacts"); r.location() != "/login" {
		t.Errorf("after the hold has expired the contacts give %d to %q", r.StatusCode, r.location())
	}
	c.mustAsk(alice, alicePassword)
	if r := c.enter(s.shown(plainTOTP, clock.now())); r.location() != "/dashboard" {
		t.Fatalf("signing in again gave %d to %q:\n%s", r.StatusCode, r.location(), visible(r.body))
	}
}

func TestInvariant04OfManyRightCodesAtOnceOnePasses(t *testing.T) {
	const many = 64
	for _, who := range []struct{ user, password string }{{alice, alicePassword}, {bob, bobPassword}} {
		t.Run(who.user, func(t *testing.T) {
			s, app := classicSite(t)
			c := s.client()
			page := c.mustAsk(who.user, who.password)
			code := s.textOrCode(who.user)
			form := hidden(page.body, codeField)
			action := form.Get("")
			delete(form, "")
			form.Set("code", code)
			pending := c.cookies("/")
			answers := make([]*http.Response, many)
			var ready, done sync.WaitGroup
			start := make(chan struct{})
			for i := range many {
				ready.Add(1)
				done.Go(func() {
					r, err := http.NewRequest(http.MethodPost, s.url+action, strings.NewReader(form.Encode()))
					if err != nil {
						t.Error(err)
					}
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					r.Header.Set("Sec-Fetch-Site", "same-origin")
					r.Header.Set("Sec-Fetch-Dest", "document")
					for name, value := range pending {
						r.AddCookie(&http.Cookie{Name: name, Value: value})
					}
					ready.Done()
					<-start
					res, err := c.http.Transport.RoundTrip(r)
					if err != nil {
						t.Error(err)
						return
					}
					_ = res.Body.Close()
					answers[i] = res
				})
			}
			ready.Wait()
			app.Reset()
			close(start)
			done.Wait()
			passed := 0
			for _, res := range answers {
				if res == nil {
					continue
				}
				to := res.Header.Get("Location")
				switch {
				case res.StatusCode == 302 && to == "/dashboard":
					passed++
				case len(res.Header["Set-Cookie"]) > 0:
					t.Errorf("an answer that is no release sets %v", res.Header["Set-Cookie"])
				case res.StatusCode == 409, strings.HasPrefix(to, atChallenge+"?") && res.StatusCode == 303:
				default:
					t.Errorf("a code that came second gave %d to %q", res.StatusCode, to)
				}
			}
			if passed != 1 {
				t.Errorf("%d of %d submissions of one right code were released, want exactly 1", passed, many)
			}
			for _, seen := range byPeople(app) {
				if seen.Method != http.MethodGet {
					t.Errorf("%s %s reached the app", seen.Method, seen.URI)
				}
			}
			// Whoever came second is told so, and where to go on.
			mustSay(t, c.get(atChallenge), 409, "This code was already used", "Continue")
		})
	}
}

// textOrCode returns the code that a user of the test gets.
func (s *site) textOrCode(user string) string {
	if strings.HasPrefix(user, "bob") {
		return s.textCode()
	}
	return s.code(user)
}

func TestACancelledChallengeEndsInWordsAndCanBeBegunAgain(t *testing.T) {
	s, app := classicSite(t)
	c := s.client()
	page := c.mustAsk(bob, bobPassword)
	code := s.textCode()
	r := c.submit(page, "/.two-factor/cancel", nil)
	if r.StatusCode != 303 || r.location() != "/login" {
		t.Fatalf("cancel gave %d to %q", r.StatusCode, r.location())
	}
	app.Reset()
	// Another tab still shows the challenge.
	mustSay(t, c.submit(page, codeField, map[string]string{"code": code}), 200, "You cancelled the sign-in", "Go to the sign-in page")
	mustSay(t, c.get(atChallenge), 200, "You cancelled the sign-in")
	for _, seen := range byPeople(app) {
		if seen.Method == http.MethodPost {
			t.Errorf("a code was forwarded to the app: %s %s", seen.Method, seen.URI)
		}
	}
	if r := c.get("/contacts"); r.location() != "/login" {
		t.Errorf("after cancel the contacts give %d to %q", r.StatusCode, r.location())
	}
	if r := c.signIn(bob, bobPassword); r.location() != "/dashboard" {
		t.Fatalf("signing in again gave %d to %q:\n%s", r.StatusCode, r.location(), visible(r.body))
	}
	// Cancelling what has been passed is told, not done.
	mustSay(t, c.submit(page, "/.two-factor/cancel", nil), 409, "already used")
	if r := c.get("/profile"); !strings.Contains(r.body, bob) {
		t.Errorf("the session is gone: %d", r.StatusCode)
	}
}

func TestLogoutWhileTheChallengeIsOpenIsAnsweredHere(t *testing.T) {
	s, app := classicSite(t)
	c := s.client()
	page := c.mustAsk(alice, alicePassword)
	app.Reset()
	if r := c.get("/logout"); r.StatusCode != 303 || r.location() != "/login" {
		t.Fatalf("logout gave %d to %q", r.StatusCode, r.location())
	}
	for _, seen := range byPeople(app) {
		if seen.URI == "/logout" {
			t.Error("the logout of a pending session reached the app")
		}
	}
	mustSay(t, c.submit(page, codeField, map[string]string{"code": s.code(alice)}), 200, "You cancelled the sign-in")
}

func TestASecondLoginReplacesTheOpenChallenge(t *testing.T) {
	s, _ := classicSite(t)
	c := s.client()
	loginPage := c.get("/login")
	first := c.mustAsk(bob, bobPassword)
	firstCode := s.textCode()
	// The tab with the login form is still open. The form is of a session that
	// the first login has locked, so the app wants it once more.
	again := map[string]string{"email": carol, "password": carolPassword}
	r := c.submit(loginPage, `id="password"`, again)
	mustSay(t, r, 200, "This form has expired")
	mustSay(t, c.get(atChallenge), 200, bob)
	r = c.submit(r, `id="password"`, again)
	if r.location() != atChallenge {
		t.Fatalf("the second login gave %d to %q:\n%s", r.StatusCode, r.location(), visible(r.body))
	}
	mustSay(t, c.submit(first, codeField, map[string]string{"code": firstCode}), 409, "There is a newer sign-in", "Enter a code")
	mustSay(t, c.submit(first, "/.two-factor/cancel", nil), 409, "There is a newer sign-in")
	mustSay(t, c.get(atChallenge), 200, carol)
	if r := c.enter(s.code(carol)); r.location() != "/dashboard" {
		t.Fatalf("carol's code gave %d to %q:\n%s", r.StatusCode, r.location(), visible(r.body))
	}
	if r := c.get("/profile"); !strings.Contains(r.body, carol) || strings.Contains(r.body, bob) {
		t.Errorf("signed in as somebody else:\n%s", visible(r.body))
	}
}

func TestRule12AnAuthenticatorIsOfferedFirst(t *testing.T) {
	s, _ := classicSite(t)
	c := s.client()
	mustSay(t, c.mustAsk(carol, carolPassword), 200, "Enter the code from your authenticator", "Use another way")
	if n := len(s.texts()); n != 0 {
		t.Errorf("%d texts were sent before anybody asked for one", n)
	}
	choose := c.get("/.two-factor/choose?factor=f0")
	mustSay(t, choose, 200, "Choose another way", "Authenticator app", "Text message", "Back")
	r := c.post("/.two-factor/choose", withFactor(choose, "f1"))
	mustSay(t, c.follow(r), 200, "Enter the code we texted you", "A text message cannot protect you", "Use another way")
	if n := len(s.texts()); n != 1 {
		t.Errorf("%d texts were sent, want 1", n)
	}
	// And back to the authenticator.
	r = c.post("/.two-factor/choose", withFactor(c.get("/.two-factor/choose?factor=f1"), "f0"))
	page := c.follow(r)
	mustSay(t, page, 200, "Enter the code from your authenticator")
	if r = c.submit(page, codeField, map[string]string{"code": s.code(carol)}); r.location() != "/dashboard" {
		t.Fatalf("the authenticator's code gave %d to %q", r.StatusCode, r.location())
	}
	// One factor only: no other way is offered.
	d := s.client()
	if page := d.mustAsk(alice, alicePassword); strings.Contains(page.body, "Use another way") {
		t.Error("another way is offered to who has none")
	}
}

func TestOwnPagesSayWhatIsTheCaseToWhoeverComes(t *testing.T) {
	s, app := classicSite(t)
	app.Reset()
	c := s.client()
	for _, path := range []string{atChallenge, "/.two-factor/choose", "/.two-factor/challenge?factor=f1&problem=wrong"} {
		r := c.get(path)
		mustSay(t, r, 403, "You were not signed in", "Go to the sign-in page")
		if len(r.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s sets a cookie: %v", path, r.Header["Set-Cookie"])
		}
	}
	for _, path := range []string{"/.two-factor/send", "/.two-factor/cancel"} {
		if r := c.get(path); r.location() != atChallenge {
			t.Errorf("GET %s gave %d to %q", path, r.StatusCode, r.location())
		}
		mustSay(t, c.post(path, url.Values{"two_factor_challenge": {"x"}}), 403, "You were not signed in")
	}
	for _, path := range []string{"/.two-factor/", "/.two-factor/enrol", "/.two-factor/activity"} {
		if r := c.get(path); r.location() != "/login" {
			t.Errorf("GET %s without a session gave %d to %q", path, r.StatusCode, r.location())
		}
		if r := c.post(path, url.Values{}); r.StatusCode < 400 {
			t.Errorf("POST %s without a session gave %d", path, r.StatusCode)
		}
	}
	for _, path := range []string{"/.two-factor/enrol/", "/.two-factor/challenge/", "/.two-factor/Challenge", "/.two-factor/challenge;x=1", "/.two-factor/challenge%2f"} {
		r := c.get(path)
		if r.StatusCode != 404 || !strings.Contains(visible(r.body), "There is no such page") {
			t.Errorf("GET %s gave %d:\n%s", path, r.StatusCode, visible(r.body))
		}
		if r := c.post(path, url.Values{}); r.StatusCode != 404 {
			t.Errorf("POST %s gave %d", path, r.StatusCode)
		}
	}
	if r := c.do(http.MethodPut, atChallenge, nil, nil); r.StatusCode != 405 || r.Header.Get("Allow") == "" {
		t.Errorf("PUT gave %d, Allow %q", r.StatusCode, r.Header.Get("Allow"))
	}
	for _, seen := range byPeople(app) {
		if strings.Contains(seen.URI, "two-factor") {
			t.Errorf("%s %s reached the app", seen.Method, seen.URI)
		}
	}
	// A script gets a document and no page.
	r := c.do(http.MethodGet, atChallenge, nil, script)
	if r.StatusCode != 403 || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/problem+json") {
		t.Errorf("a script got %d with %q", r.StatusCode, r.Header.Get("Content-Type"))
	}
}

func TestRule24FormsThatAreNotOursAreRefused(t *testing.T) {
	s, app := classicSite(t)
	victim, other := s.client(), s.client()
	page := victim.mustAsk(carol, carolPassword)
	foreign := other.mustAsk(bob, bobPassword)
	texts := len(s.texts())
	code := s.code(carol)
	mine, theirs := hidden(page.body, codeField), hidden(foreign.body, codeField)
	delete(mine, "")
	with := func(change func(url.Values)) url.Values {
		form := url.Values{}
		for name, values := range mine {
			form[name] = values
		}
		form.Set("code", code)
		change(form)
		return form
	}
	none := func(url.Values) {}
	tests := []struct {
		name   string
		form   url.Values
		header http.Header
	}{
		{"without a token", with(func(f url.Values) { f.Del("two_factor_token") }), nil},
		{"with an empty token", with(func(f url.Values) { f.Set("two_factor_token", "") }), nil},
		{"with another session's token", with(func(f url.Values) { f.Set("two_factor_token", theirs.Get("two_factor_token")) }), nil},
		{"with another session's challenge and token", with(func(f url.Values) {
			f.Set("two_factor_token", theirs.Get("two_factor_token"))
			f.Set("two_factor_challenge", theirs.Get("two_factor_challenge"))
		}), nil},
		{"with two challenges", with(func(f url.Values) { f.Add("two_factor_challenge", "x") }), nil},
		{"from another site", with(none), http.Header{"Sec-Fetch-Site": {"cross-site"}}},
		{"from another host of the site", with(none), http.Header{"Sec-Fetch-Site": {"same-site"}}},
		{"of an old browser, from another origin", with(none), http.Header{"Sec-Fetch-Site": {}, "Origin": {"https://evil.example"}}},
		{"of an old browser, from nowhere", with(none), http.Header{"Sec-Fetch-Site": {}, "Origin": {"null"}}},
	}
	for _, tt := range tests {
		for _, path := range []string{"/login", atChallenge, "/.two-factor/send", "/.two-factor/choose", "/.two-factor/cancel"} {
			t.Run(tt.name+" to "+path, func(t *testing.T) {
				header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
				for name, values := range tt.header {
					header[name] = values
				}
				form := tt.form
				if path == "/.two-factor/send" || path == "/.two-factor/choose" {
					form = with(none)
					for name := range form {
						if v, ok := tt.form[name]; ok {
							form[name] = v
						} else {
							delete(form, name)
						}
					}
					form.Set("two_factor_factor", "f1")
				}
				r := victim.do(http.MethodPost, path, strings.NewReader(form.Encode()), header)
				if r.StatusCode != 403 && r.StatusCode != 409 {
					t.Errorf("gave %d to %q:\n%s", r.StatusCode, r.location(), visible(r.body))
				}
				if len(r.Header["Set-Cookie"]) > 0 {
					t.Errorf("sets %v", r.Header["Set-Cookie"])
				}
			})
		}
	}
	if n := len(s.texts()); n != texts {
		t.Errorf("%d texts were sent by forms that are not ours", n-texts)
	}
	for _, media := range []string{"text/plain", "multipart/form-data; boundary=x", "application/json", ""} {
		r := victim.do(http.MethodPost, "/.two-factor/cancel", strings.NewReader(mine.Encode()), http.Header{"Content-Type": {media}})
		if r.StatusCode != 403 {
			t.Errorf("a form of the type %q gave %d", media, r.StatusCode)
		}
	}
	big := with(func(f url.Values) { f.Set("filler", strings.Repeat("x", 5000)) })
	if r := victim.post(atChallenge, big); r.StatusCode != 403 {
		t.Errorf("a form of more than 4 KiB gave %d", r.StatusCode)
	}
	app.Reset()
	// None of it has used anything up.
	if r := victim.post("/login", with(none)); r.location() != "/dashboard" {
		t.Errorf("the real form gave %d to %q:\n%s", r.StatusCode, r.location(), visible(r.body))
	}
	for _, seen := range byPeople(app) {
		if strings.Contains(string(seen.Body), "two_factor") {
			t.Errorf("%s %s reached the app with %s", seen.Method, seen.URI, seen.Body)
		}
	}
}

func TestRule24HeadersOfEveryOwnPage(t *testing.T) {
	_, upstream := serveDemo(t, demoapp.Options{})
	file := strings.Replace(styleFile(t, "classic"), "\ttwo_factor {", `	header {
		Content-Security-Policy "default-src *"
		X-Frame-Options ALLOWALL
		Referrer-Policy unsafe-url
		Cache-Control "public, max-age=3600"
		Cross-Origin-Opener-Policy same-origin
	}
	two_factor {`, 1)
	s := startSite(t, file, upstream)
	c := s.client()
	check := func(what string, r reply, status int) {
		t.Helper()
		if r.StatusCode != status {
			t.Errorf("%s: status %d, want %d:\n%s", what, r.StatusCode, status, visible(r.body))
		}
		csp := r.Header["Content-Security-Policy"]
		if len(csp) != 1 {
			t.Fatalf("%s: the policies %q", what, csp)
		}
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp[0], part) {
				t.Errorf("%s: the policy %q is without %s", what, csp[0], part)
			}
		}
		if page := strings.HasPrefix(r.Header.Get("Content-Type"), "text/html"); page && !strings.Contains(csp[0], "form-action 'self'") {
			t.Errorf("%s: the policy %q is without form-action", what, csp[0])
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		} {
			if got := r.Header[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s is %q, want %q alone", what, name, got, want)
			}
		}
	}
	check("without a challenge", c.get(atChallenge), 403)
	check("an unknown page", c.get("/.two-factor/x"), 404)
	check("a refused path", c.get("/a%5cb"), 400)
	page := c.mustAsk(carol, carolPassword)
	check("the challenge", page, 200)
	check("the other ways", c.get("/.two-factor/choose"), 200)
	check("a form without a token", c.post("/.two-factor/cancel", url.Values{}), 403)
	check("a script while the challenge is open", c.do(http.MethodGet, "/contacts", nil, script), 401)
	for _, p := range []string{atChallenge, "/.two-factor/choose"} {
		check("HEAD "+p, c.do(http.MethodHead, p, nil, nil), 200)
	}
	c.submit(page, "/.two-factor/cancel", nil)
	check("after cancel", c.get(atChallenge), 200)
	c.signIn(carol, carolPassword)
	check("after the release", c.get(atChallenge), 409)
	// In a frame of the same origin, that origin may frame it; of another, none.
	d := s.client()
	d.mustAsk(alice, alicePassword)
	for _, tt := range []struct{ dest, site, ancestors string }{
		{"iframe", "same-origin", "frame-ancestors 'self'"}, {"iframe", "same-site", "frame-ancestors 'none'"},
		{"iframe", "cross-site", "frame-ancestors 'none'"}, {"document", "same-origin", "frame-ancestors 'none'"},
	} {
		r := d.do(http.MethodGet, atChallenge, nil, http.Header{"Sec-Fetch-Dest": {tt.dest}, "Sec-Fetch-Site": {tt.site}})
		if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, tt.ancestors) {
			t.Errorf("%s from %s: the policy is %q, want %s", tt.dest, tt.site, csp, tt.ancestors)
		}
	}
}

func TestRule25ThePlaceToGoBackToIsNotTheClients(t *testing.T) {
	_, upstream := serveDemo(t, demoapp.Options{
		Encoding: demoapp.EncodingJSON, Yes: demoapp.YesJSON, No: demoapp.NoJSON, Start: demoapp.StartAtYes,
	})
	s := startSite(t, styleFile(t, "json"), upstream)
	tests := []struct{ name, referer, back string }{
		{"the page that the script ran on", s.url + "/login?lang=en", "/login?lang=en"},
		{"no referer", "", "/"},
		{"a page of another site", "https://evil.example/login", "/"},
		{"a page of a host that looks like this one", "http://localhost.evil.example/login", "/"},
		{"another port of this host", "http://localhost:1/login", "/"},
		{"a path that is a host", s.url + "//evil.example/", "/"},
		{"a path that is a host to a browser", s.url + `/\evil.example/`, "/"},
		{"a path that is a host behind a tab", s.url + "/\t/evil.example/", "/"},
		{"no path", s.url, "/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := s.client()
			header := http.Header{"Content-Type": {"application/json"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"}, "Accept": {"*/*"}}
			if tt.referer != "" {
				header["Referer"] = []string{tt.referer}
			}
			r := c.do(http.MethodPost, "/login?next=https://evil.example", strings.NewReader(`{"email":"bob@example.com","password":"battery staple"}`), header)
			if r.StatusCode != 401 || !strings.Contains(r.body, "Reload this page to go on") {
				t.Fatalf("a login by script gave %d:\n%s", r.StatusCode, r.body)
			}
			page := c.get(atChallenge + "?back=https://evil.example&next=//evil.example&Location=x")
			if strings.Contains(page.body, "evil.example") {
				t.Error("the challenge page names a place of the client's")
			}
			form := map[string]string{"code": s.textCode(), "back": "https://evil.example", "next": "//evil.example"}
			if r = c.submit(page, codeField, form); r.StatusCode != 303 || r.location() != tt.back {
				t.Errorf("the code led to %d %q, want 303 to %q", r.StatusCode, r.location(), tt.back)
			}
		})
	}
}

func TestACodeIsNeverForwardedAndTheAppSeesNothingOfUs(t *testing.T) {
	s, app := classicSite(t)
	c := s.client()
	c.signIn(bob, bobPassword)
	c.get("/profile")
	for _, seen := range byPeople(app) {
		whole := seen.URI + string(seen.Body) + strings.Join(seen.Cookies, ";")
		if strings.Contains(whole, "two_factor") || strings.Contains(whole, "two-factor") {
			t.Errorf("%s %s reached the app with %s", seen.Method, seen.URI, whole)
		}
	}
	for _, line := range strings.Split(s.logged(), "\n") {
		if strings.Contains(line, s.textCode()) {
			t.Errorf("the code stands in the log: %s", line)
		}
	}
}
