package twofactor

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// roundEveryRequest are tries where every request says who it is of. The app
// gets such a request as a login, whose answer is held: what counts is that the
// answer comes.
func roundEveryRequest() (rows []round) {
	add := func(name, at string, given, try func(*trial)) {
		rows = append(rows, round{group: "every request says who", name: name, at: at, given: given, try: try, counts: andShown})
	}
	two := func(tr *trial) { tr.user, tr.victim = tr.newUser(), tr.newUser() }
	with := func(tr *trial, path, user string) reply {
		return tr.me.do(http.MethodGet, path, nil, http.Header{"Authorization": {basic(user, alicePassword)}})
	}
	mineFirst := func(tr *trial) {
		two(tr)
		if tr.guarded {
			tr.me.passBasic(tr.user, alicePassword)
		}
		if r := with(tr, "/contacts", tr.user); r.StatusCode != http.StatusOK {
			tr.t.Fatalf("%s is not signed in by Basic: %d to %q", tr.user, r.StatusCode, r.location())
		}
	}
	for _, path := range []string{"/contacts", "/contacts/export", "/assets/style.css", "/", "/profile"} {
		add("Basic at "+path, "basic", two, func(tr *trial) {
			tr.shows(with(tr, path, tr.victim))
			tr.shows(with(tr, path, tr.victim))
		})
		add("Basic of somebody else in one's own session at "+path, "basic", mineFirst, func(tr *trial) {
			before := tr.jar(tr.me)
			h := http.Header{"Authorization": {basic(tr.victim, alicePassword)}}
			tr.shows(with(tr, path, tr.victim))
			tr.shows(with(tr, path, tr.victim))
			tr.shows(tr.send("GET", path, "", h, before))
			tr.shows(tr.send("POST", path, "", h, before))
			tr.shows(tr.send("HEAD", path, "", h, before))
		})
	}
	keys := func(user string) http.Header {
		return http.Header{"X-Api-User": {user}, "X-Api-Key": {alicePassword}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"application/json"}}
	}
	for _, path := range []string{"/contacts", "/contacts/export", "/profile", "/api/me", "/api/me/", "//api/me", "/API/me", "/api/me?x=1", "/"} {
		add("a key at "+path, "keys", two, func(tr *trial) {
			tr.shows(tr.me.do(http.MethodGet, path, nil, keys(tr.victim)))
			tr.shows(tr.me.do(http.MethodGet, path, nil, keys(tr.victim)))
		})
	}
	signedInByKey := func(tr *trial) {
		two(tr)
		tr.me.do(http.MethodGet, "/api/me", nil, keys(tr.user))
		tr.answer(tr.user)
		if r := tr.me.do(http.MethodGet, "/contacts", nil, keys(tr.user)); r.StatusCode != http.StatusOK {
			tr.t.Fatalf("%s is not signed in by a key: %d", tr.user, r.StatusCode)
		}
	}
	for name, header := range map[string]func(tr *trial) http.Header{
		"as it is": func(tr *trial) http.Header { return keys(tr.victim) },
		"with the user twice": func(tr *trial) http.Header {
			h := keys(tr.victim)
			h["X-Api-User"] = []string{tr.victim, tr.user}
			return h
		},
		"with the user in capitals": func(tr *trial) http.Header { return keys(strings.ToUpper(tr.victim)) },
		"with blanks":               func(tr *trial) http.Header { return keys("  " + tr.victim + " ") },
	} {
		for _, path := range []string{"/contacts", "/api/me"} {
			add("a key of somebody else in one's own session, "+name+", at "+path, "keys", signedInByKey, func(tr *trial) {
				tr.shows(tr.me.do(http.MethodGet, path, nil, header(tr)))
				tr.shows(tr.me.do(http.MethodGet, "/contacts", nil, header(tr)))
			})
		}
	}
	return append(rows, roundSpeakers()...)
}

// shows notes an answer that came.
func (tr *trial) shows(r reply) { tr.shown = tr.shown || r.StatusCode == http.StatusOK }

// andShown counts what the victim is told, and what comes out.
func andShown(tr *trial, seen demoapp.Request) bool {
	return tr.shown && (seen.User == tr.victim || seen.Authorization == basic(tr.victim, alicePassword))
}

// roundSpeakers are requests that speak for another user of one's session.
func roundSpeakers() (rows []round) {
	both := func(tr *trial) {
		tr.user, tr.victim = tr.newUser(), tr.newUser()
		tr.me.logInTo(tr.options, tr.user, alicePassword)
		if tr.guarded {
			tr.me.enter(tr.code(tr.user))
		}
		// A second user signs in at the app behind the gateway's back.
		for value, owner := range tr.app.Sessions() {
			if owner == tr.user {
				tr.app.Join(value, tr.victim)
			}
		}
	}
	for name, path := range map[string]string{
		"as it is":                "/contacts?username={victim}",
		"behind one's own":        "/contacts?username={me}&username={victim}",
		"encoded":                 "/contacts?%75sername={victim}",
		"behind a broken pair":    "/contacts?x=%zz&username={victim}",
		"in capitals of the user": "/contacts?username={VICTIM}",
		"with blanks":             "/contacts?username=+{victim}+",
		"at a public page":        "/assets/../contacts?username={victim}",
		"at the login page":       "/login?username={victim}",
	} {
		rows = append(rows, round{group: "a session of several", name: name, at: "several-users", given: both, counts: asSpeaker, try: func(tr *trial) {
			tr.bytes("GET "+tr.named(path)+" HTTP/1.1\nHost: {host}\nConnection: close", tr.jar(tr.me))
		}})
	}
	for name, body := range map[string]string{
		"in a form":                             "username={victim}",
		"in a form, behind one's own":           "username={me}&username={victim}",
		"in a form, and one's own in the query": "username={victim}",
	} {
		rows = append(rows, round{group: "a session of several", name: name, at: "several-users", given: both, counts: asSpeaker, try: func(tr *trial) {
			path := "/contacts"
			if strings.HasSuffix(name, "query") {
				path += "?username=" + url.QueryEscape(tr.user)
			}
			tr.me.do(http.MethodPost, path, strings.NewReader(tr.named(body)), form(""))
		}})
	}
	return rows
}

// asSpeaker counts what speaks for the victim.
func asSpeaker(tr *trial, seen demoapp.Request) bool { return seen.User == tr.victim }

// named puts both users' names into an address or a form.
func (tr *trial) named(text string) string {
	return strings.NewReplacer("{me}", url.QueryEscape(tr.user), "{victim}", url.QueryEscape(tr.victim), "{VICTIM}", url.QueryEscape(strings.ToUpper(tr.victim))).Replace(text)
}
