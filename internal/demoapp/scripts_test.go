package demoapp

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

func TestANestedLoginSaysWhatIsWrongAndRenewsTheForm(t *testing.T) {
	b := start(t, Options{Encoding: EncodingNestedJSON, EmailField: "auth.user", Yes: YesJSON, No: NoMessage})
	page := b.page(PageLogin).mustSay(t, `data-script="nested"`).mustSay(t, `name="auth.user"`)
	send := func(csrf, password string) (status int, told struct{ Message, CSRF string }) {
		r := b.do(http.MethodPost, "/login", "application/json",
			`{"auth":{"user":"alice@example.com"},"password":"`+password+`","csrf":"`+csrf+`"}`)
		if err := json.Unmarshal([]byte(r.body), &told); err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, told
	}
	status, told := send(tokenOf(t, page.body), "wrong")
	if status != 401 || told.Message != textWrong {
		t.Fatalf("%d %+v", status, told)
	}
	if status, _ := send(told.CSRF, alicePassword); status != 200 {
		t.Fatal(status)
	}
	b.mustBe(alice)
}

// bearer asks with a token in the header.
func (b *browser) bearer(method, address, token string) reply {
	b.t.Helper()
	r, err := http.NewRequest(method, b.base+address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return b.send(r)
}

// given is the token of an answer.
func (r reply) given(t *testing.T) string {
	t.Helper()
	var told struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(r.body), &told); err != nil || told.Token == "" || told.Expires != 300 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	return told.Token
}

func (b *browser) tokenFor(email, password string) reply {
	b.t.Helper()
	return b.do(http.MethodPost, "/api/login", "application/json", jsonBody(b.t, map[string]string{"email": email, "password": password}))
}

func TestATokenIsTheOnlyWayInAndNoCookieIsSet(t *testing.T) {
	b := start(t, Options{Tokens: true})
	b.page(PageLogin).must(t, 200, "").mustSay(t, "single.js").mustSet(t)
	b.tokenFor(alice, "wrong").must(t, 401, "").mustSay(t, textWrong).mustSet(t)
	r := b.tokenFor(alice, alicePassword).must(t, 200, "").mustSet(t)
	token := r.given(t)
	b.bearer("GET", "/api/me", token).must(t, 200, "").mustSay(t, alice)
	b.bearer("GET", "/api/contacts", token).must(t, 200, "").mustSay(t, `"name":"Maria Anders"`)
	b.get("/contacts/export?access_token="+token).must(t, 200, "").mustSay(t, "Maria Anders")
	b.bearer("POST", "/contacts/export", token).must(t, 403, "")
	for _, other := range []string{"", "x", b.app.NewSession(alice)} {
		b.bearer("GET", "/api/contacts", other).must(t, 401, "")
		b.get("/contacts/export?access_token="+other).must(t, 302, "/login")
	}
	b.withCookie(PageAPIContacts, b.app.NewSession(alice)).must(t, 401, "")
	if got := b.app.Tokens(); len(got) != 1 || got[token] != alice {
		t.Errorf("%v", got)
	}
	b.bearer("POST", "/logout", token).must(t, 302, "/login")
	b.bearer("GET", "/api/me", token).must(t, 401, "")
}

func TestATokenIsRenewedAndTheOneBeforeIsDropped(t *testing.T) {
	c := newClock()
	b := start(t, Options{Tokens: true, Now: c.read})
	old := b.tokenFor(alice, alicePassword).given(t)
	c.now = c.now.Add(lifeOfToken)
	b.bearer("GET", "/api/me", old).must(t, 401, "")
	b.bearer("GET", "/api/refresh", old).must(t, 401, "")
	fresh := b.bearer("POST", "/api/refresh", old).must(t, 200, "").given(t)
	b.bearer("GET", "/api/me", fresh).must(t, 200, "")
	b.bearer("POST", "/api/refresh", old).must(t, 401, "")
	c.now = c.now.Add(renewableFor)
	b.bearer("POST", "/api/refresh", fresh).must(t, 401, "")
}

func TestTheTokensAndTheBoardAreThereOnlyWhereTheyAreSwitchedOn(t *testing.T) {
	b := start(t, Options{})
	b.tokenFor(alice, alicePassword).must(t, 404, "")
	b.login(alice, alicePassword)
	for _, p := range []Page{PageBoard, PageLive, PageAPILogin, PageAPIRefresh, PageAPIContacts} {
		b.page(p).must(t, 404, "")
	}
}

func TestTheBoardTalksToTheUserOfASessionOrAToken(t *testing.T) {
	b := start(t, Options{Live: true})
	b.page(PageBoard).must(t, 302, "/login")
	b.page(PageLive).must(t, 401, "")
	b.login(alice, alicePassword)
	b.page(PageBoard).must(t, 200, "").mustSay(t, `data-address="/live"`)
	b.page(PageLive).must(t, 426, "")
	b.talksTo(alice, "/live", b.base, http.Header{"Cookie": {"crm_session=" + b.session()}})

	b = start(t, Options{Live: true, Tokens: true})
	token := b.tokenFor(bob, bobPassword).given(t)
	b.talksTo(bob, "/live?access_token="+token, b.base, nil)
	for name, test := range map[string]struct{ address, origin string }{
		"no token":       {"/live", b.base},
		"a wrong token":  {"/live?access_token=x", b.base},
		"another site's": {"/live?access_token=" + token, "http://other.example"},
		"another port's": {"/live?access_token=" + token, "http://127.0.0.1:1"},
	} {
		if conn, err := b.dial(test.address, test.origin, nil); err == nil {
			t.Errorf("%s opened the board", name)
			_ = conn.Close()
		}
	}
}

func (b *browser) dial(address, origin string, h http.Header) (*websocket.Conn, error) {
	b.t.Helper()
	config, err := websocket.NewConfig("ws"+strings.TrimPrefix(b.base, "http")+address, origin)
	if err != nil {
		b.t.Fatal(err)
	}
	for name, lines := range h {
		config.Header[name] = lines
	}
	return config.DialContext(b.t.Context())
}

func (b *browser) talksTo(user, address, origin string, h http.Header) {
	b.t.Helper()
	conn, err := b.dial(address, origin, h)
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		b.t.Fatal(err)
	}
	for _, want := range []string{"The board is open to " + user + ".", "1. " + user + ": hello", "2. " + user + ": hello"} {
		var got string
		if err := websocket.Message.Receive(conn, &got); err != nil || got != want {
			b.t.Fatalf("got %q, %v, want %q", got, err, want)
		}
		if err := websocket.Message.Send(conn, "hello"); err != nil {
			b.t.Fatal(err)
		}
	}
	var got string
	if err := websocket.Message.Receive(conn, &got); err != nil {
		b.t.Fatal(err)
	}
	// The app closes as soon as it sees how long the message is, perhaps before
	// all of it is sent: only what it answers counts.
	_ = websocket.Message.Send(conn, strings.Repeat("x", maxLiveMessage+1))
	if err := websocket.Message.Receive(conn, &got); err == nil {
		b.t.Errorf("a message beyond the limit was answered with %q", got)
	}
}
