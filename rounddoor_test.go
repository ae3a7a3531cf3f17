package twofactor

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// roundDoors are the other ways in that apps have: those of WordPress and of
// Django, Basic with every request, keys, and a session of several users.
func roundDoors() (rows []round) {
	add := func(name, at string, given, try func(*trial), counts func(*trial, demoapp.Request) bool) {
		rows = append(rows, round{group: "another way in", name: name, at: at, given: given, try: try, counts: counts})
	}
	basicHeader := func(user string) http.Header { return http.Header{"Authorization": {basic(user, alicePassword)}} }
	aim := func(before func(*trial)) func(*trial) {
		return func(tr *trial) { before(tr); tr.victim = tr.newUser() }
	}
	states := map[string]func(*trial){"nobody": aim(nothing), "a visitor": aim(aVisit), "somebody pending": aim(aPassword), "somebody signed in": aim(signedIn)}
	for state, given := range states {
		for _, path := range []string{"/contacts", "/profile", "/login", "/assets/style.css"} {
			add("Basic as "+state+" at "+path, "doors", given, func(tr *trial) { tr.me.do(http.MethodGet, path, nil, basicHeader(tr.victim)) }, asVictim)
		}
		for _, path := range []string{"/xmlrpc.php", "/XMLRPC.php", "//xmlrpc.php", "/xmlrpc.php/", "/%78mlrpc.php", "/xmlrpc%2ephp", "/xmlrpc.php;x=/assets", "/assets/../xmlrpc.php", "/xmlrpc.php?rsd"} {
			add("a remote call as "+state+" to "+path, "doors", given, func(tr *trial) {
				body := "<call><user>" + tr.victim + "</user><password>" + alicePassword + "</password></call>"
				tr.me.do(http.MethodPost, path, strings.NewReader(body), http.Header{"Content-Type": {"text/xml"}})
			}, asVictim)
		}
	}
	for name, header := range map[string]http.Header{
		"in small letters":    {"Authorization": {strings.Replace(basic("{victim}", alicePassword), "Basic", "basic", 1)}},
		"with another method": {"Authorization": {basic("{victim}", alicePassword)}, "X-Http-Method-Override": {"HEAD"}},
		"from the proxy":      {"Authorization": {basic("{victim}", alicePassword)}, "Proxy-Authorization": {basic("{victim}", alicePassword)}},
		"named by Connection": {"Authorization": {basic("{victim}", alicePassword)}, "Connection": {"close, X-User"}},
	} {
		add("Basic "+name, "doors", aim(nothing), func(tr *trial) {
			h := header.Clone()
			for i, value := range h["Authorization"] {
				h["Authorization"][i] = strings.Replace(value, strings.TrimPrefix(basic("{victim}", alicePassword), "Basic "), strings.TrimPrefix(basic(tr.victim, alicePassword), "Basic "), 1)
			}
			tr.me.do(http.MethodGet, "/contacts", nil, h)
		}, asVictim)
	}
	add("Basic in the address", "doors", aim(nothing), func(tr *trial) {
		u, err := url.Parse(tr.url)
		if err != nil {
			tr.t.Fatal(err)
		}
		u.User, u.Path = url.UserPassword(tr.victim, alicePassword), "/contacts"
		tr.me.get(u.String())
	}, asVictim)
	return append(rows, roundEveryRequest()...)
}
