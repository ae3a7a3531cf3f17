package twofactor

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// logInForToken sends the script's login and returns the token of its answer,
// "" if there is none.
func (tr *trial) logInForToken(c *client, user string) string {
	tr.t.Helper()
	body, err := json.Marshal(map[string]string{"email": user, "password": alicePassword})
	if err != nil {
		tr.t.Fatal(err)
	}
	h := script.Clone()
	h.Set("Content-Type", "application/json")
	r := c.do(http.MethodPost, "/api/login", strings.NewReader(string(body)), h)
	var got struct {
		Token string `json:"access_token"`
	}
	_ = json.Unmarshal([]byte(r.body), &got)
	return got.Token
}

// token signs in by script, with a code if it is asked for.
func (tr *trial) token(c *client, user string) string {
	tr.t.Helper()
	token := tr.logInForToken(c, user)
	if tr.guarded {
		c.enter(tr.code(user))
		token = tr.logInForToken(c, user)
	}
	if token == "" {
		tr.t.Fatalf("%s got no token", user)
	}
	return token
}

// ofTheApp is a token that the app has given a user, as the app knows it.
func (tr *trial) ofTheApp(user string) string {
	for token, owner := range tr.app.Tokens() {
		if owner == user {
			return token
		}
	}
	tr.t.Fatalf("the app has no token of %s", user)
	return ""
}

// roundTokens are tries with the token of a script.
func roundTokens() (rows []round) {
	add := func(name string, given func(*trial), try func(*trial)) {
		rows = append(rows, round{group: "a token", name: name, at: "tokens", given: given, try: try, counts: asVictim})
	}
	// stolen is the token of a victim who is signed in.
	stolen := func(tr *trial) {
		tr.victim, tr.theirs = tr.newUser(), tr.browser()
		tr.value = tr.token(tr.theirs, tr.victim)
	}
	stolenAsOther := func(tr *trial) {
		stolen(tr)
		tr.user = tr.newUser()
		tr.more = tr.token(tr.me, tr.user)
	}
	// held is a token that the app gave for a password without a code: the
	// worst is that it is known.
	held := func(tr *trial) {
		tr.victim = tr.newUser()
		tr.logInForToken(tr.me, tr.victim)
		tr.value = tr.ofTheApp(tr.victim)
	}
	bearer := func(value string) http.Header {
		return http.Header{"Authorization": {"Bearer " + value}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"application/json"}}
	}
	for state, given := range map[string]func(*trial){"of somebody else": stolen, "of somebody else in one's own session": stolenAsOther, "of a password without a code": held} {
		add("in the header, "+state, given, func(tr *trial) { tr.me.do("GET", "/api/contacts", nil, bearer(tr.value)) })
		add("in small letters, "+state, given, func(tr *trial) {
			h := bearer(tr.value)
			h.Set("Authorization", "bearer "+tr.value)
			tr.me.do("GET", "/api/contacts", nil, h)
		})
		add("in the query, "+state, given, func(tr *trial) { tr.me.get("/api/contacts?access_token=" + tr.value) })
		add("in the query, encoded, "+state, given, func(tr *trial) { tr.me.get("/api/contacts?%61ccess_token=" + tr.value) })
		add("in the query twice, "+state, given, func(tr *trial) { tr.me.get("/api/contacts?access_token=" + tr.value + "&access_token=x") })
		add("in the query and a header, "+state, given, func(tr *trial) {
			tr.me.do("GET", "/api/contacts?access_token="+tr.value, nil, http.Header{"Authorization": {"Basic x"}})
		})
		add("to be renewed, "+state, given, func(tr *trial) { tr.me.do("POST", "/api/refresh", nil, bearer(tr.value)) })
		add("to be renewed in another spelling, "+state, given, func(tr *trial) { tr.me.do("POST", "//API/refresh/", nil, bearer(tr.value)) })
		add("at the login, "+state, given, func(tr *trial) { tr.me.do("GET", "/api/login", nil, bearer(tr.value)) })
		add("at the page, "+state, given, func(tr *trial) { tr.me.do("GET", "/login", nil, bearer(tr.value)) })
		add("at the page in the query, "+state, given, func(tr *trial) { tr.me.get("/login?access_token=" + tr.value) })
		add("at a WebSocket, "+state, given, func(tr *trial) {
			tr.bytes("GET /live?access_token="+url.QueryEscape(tr.value)+" HTTP/1.1\nHost: {host}\nOrigin: "+tr.url+"\n"+webSocketFields, tr.own(tr.me)+"x=1")
		})
		add("by HEAD, "+state, given, func(tr *trial) { tr.me.do("HEAD", "/api/contacts", nil, bearer(tr.value)) })
		add("by a method in a field, "+state, given, func(tr *trial) {
			h := bearer(tr.value)
			h.Set("X-Http-Method-Override", "GET")
			tr.me.do("POST", "/api/contacts", nil, h)
		})
		add("with Connection, "+state, given, func(tr *trial) {
			h := bearer(tr.value)
			h.Set("Connection", "close, X-Two-Factor")
			tr.me.do("GET", "/api/contacts", nil, h)
		})
	}
	add("of before a logout", stolen, func(tr *trial) {
		before := tr.jar(tr.theirs)
		if tr.guarded {
			tr.theirs.get("/logout")
		}
		tr.send("GET", "/api/contacts", "", bearer(tr.value), before)
	})
	add("of somebody else with both gateway's cookies", stolenAsOther, func(tr *trial) {
		tr.send("GET", "/api/contacts", "", bearer(tr.value), tr.own(tr.me)+tr.own(tr.theirs)+"x=1")
	})
	add("from a login while a challenge is open", func(tr *trial) {
		tr.victim = tr.newUser()
		tr.logInForToken(tr.me, tr.victim)
	}, func(tr *trial) {
		token := tr.logInForToken(tr.me, tr.victim)
		tr.me.do("GET", "/api/contacts", nil, bearer(token))
	})
	add("from a login in another browser, after the code", stolen, func(tr *trial) {
		token := tr.logInForToken(tr.me, tr.victim)
		tr.me.do("GET", "/api/contacts", nil, bearer(token))
	})
	return rows
}
