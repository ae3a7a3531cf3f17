package twofactor

import (
	"net/http"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// pendingTry is sent in a browser in which a right password was given and no
// code.
func pendingTry(name string, try func(*trial)) round {
	return round{group: "a pending session", name: name, at: "classic", given: aPassword, try: try, counts: asMe}
}

// roundPending are the tries of somebody who knows a password and has no code.
func roundPending() (rows []round) {
	for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND", "QUERY", "REPORT"} {
		rows = append(rows, pendingTry(method, func(tr *trial) { tr.me.do(method, "/contacts", nil, nil) }))
	}
	for name, path := range map[string]string{
		"the start page":                      "/",
		"the login page":                      "/login",
		"the login page with a query":         "/login?next=/contacts",
		"the login page with a slash":         "/login/",
		"the login page in capitals":          "/LOGIN",
		"a static file":                       "/assets/style.css",
		"a static file that is not there":     "/assets/none.css",
		"a static file, and a path behind it": "/assets/style.css/contacts",
		"the icon":                            "/favicon.ico",
		"a well-known address":                "/.well-known/change-password",
		"the interface":                       "/api/me",
		"the export":                          "/contacts/export",
		"the logout":                          "/logout",
		"the prefix without its slash":        "/.two-factor",
		"the prefix in capitals":              "/.TWO-FACTOR/challenge",
		"the prefix with a doubled slash":     "//.two-factor/challenge",
		"a path that begins like the prefix":  "/.two-factors/contacts",
		"the prefix further on":               "/contacts/export/.two-factor/challenge",
		"the prefix in the query":             "/contacts?/.two-factor/",
		"the code's fields in the query":      "/contacts?two_factor_challenge=x&code=123456",
	} {
		rows = append(rows, pendingTry(name, func(tr *trial) { tr.me.get(path) }))
	}
	for name, path := range map[string]string{
		"out of the prefix by dots":           "/.two-factor/../contacts",
		"out of the prefix by encoded dots":   "/.two-factor/%2e%2e/contacts",
		"out of the prefix by encoded slash":  "/.two-factor%2f..%2fcontacts",
		"out of the prefix by a parameter":    "/.two-factor/;/../contacts",
		"the prefix with encoded letters":     "/%2etwo-factor/x",
		"a whole address":                     "http://{host}/contacts",
		"a whole address with another scheme": "https://{host}/contacts",
		"a path without its slash":            "/contacts?",
	} {
		rows = append(rows, pendingTry(name, func(tr *trial) {
			tr.bytes("GET "+path+" HTTP/1.1\nHost: {host}\nConnection: close", tr.jar(tr.me))
		}))
	}
	for name, header := range map[string]http.Header{
		"a script":                    script,
		"an image":                    {"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Mode": {"no-cors"}},
		"a frame":                     {"Sec-Fetch-Dest": {"iframe"}},
		"a prefetch":                  {"Sec-Purpose": {"prefetch"}, "Purpose": {"prefetch"}, "Sec-Fetch-Dest": {"empty"}},
		"a service worker":            {"Service-Worker": {"script"}, "Sec-Fetch-Dest": {"serviceworker"}},
		"a range":                     {"Range": {"bytes=0-9"}},
		"a range of a version":        {"Range": {"bytes=0-9"}, "If-Range": {`"x"`}},
		"a condition":                 {"If-None-Match": {`"x"`}, "If-Modified-Since": {"Mon, 02 Jan 2006 15:04:05 GMT"}},
		"a preflight's fields":        {"Access-Control-Request-Method": {"GET"}, "Origin": {"null"}},
		"a page of another site":      {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
		"an address of this machine":  {"X-Forwarded-For": {"127.0.0.1"}, "X-Real-Ip": {"127.0.0.1"}, "Forwarded": {"for=127.0.0.1"}, "True-Client-Ip": {"127.0.0.1"}},
		"another host in a field":     {"X-Forwarded-Host": {"intranet.example"}, "X-Host": {"intranet.example"}},
		"a public address in a field": {"X-Original-Url": {"/assets/style.css"}, "X-Rewrite-Url": {"/assets/style.css"}, "X-Forwarded-Uri": {"/assets/style.css"}},
		"an own page in a field":      {"X-Original-Url": {"/.two-factor/challenge"}},
		"a public method in a field":  {"X-Http-Method-Override": {"OPTIONS"}},
		"a user in a field":           {"Remote-User": {"alice"}, "X-Forwarded-User": {"alice"}, "X-Two-Factor": {"verified"}},
		"our own mark in a field":     {"User-Agent": {"caddy-twofactor"}, "X-Two-Factor-User": {"alice"}},
		"fields to be taken off":      {"Connection": {"X-Two-Factor, X-User, close"}},
		"an answer kept by a cache":   {"Cache-Control": {"only-if-cached"}, "Pragma": {"x-get-cache-key"}},
	} {
		rows = append(rows, pendingTry("as "+name, func(tr *trial) { tr.me.do(http.MethodGet, "/contacts/export", nil, header) }))
	}
	return append(rows, roundPendingForms()...)
}

// roundPendingForms are tries with a body, and of a browser that leaves out
// some of its cookies.
func roundPendingForms() (rows []round) {
	for name, body := range map[string]string{
		"an export by POST":                   "columns=email&csrf=x",
		"a form with a code and no challenge": "code=123456",
		"a form with a made-up challenge":     "two_factor_challenge=AAAAAAAAAAAAAAAAAAAAAA&code=123456",
		"a form with two challenges":          "two_factor_challenge=a&two_factor_challenge=b&code=123456",
		"a form with an empty challenge":      "two_factor_challenge=&code=",
		"a form with only a user name":        "email=x",
		"a form with only a password":         "password=x",
	} {
		rows = append(rows, pendingTry(name, func(tr *trial) { tr.me.do(http.MethodPost, "/contacts/export", strings.NewReader(body), form("")) }))
	}
	rows = append(rows,
		pendingTry("a body in chunks", func(tr *trial) {
			tr.bytes("POST /contacts/export HTTP/1.1\nHost: {host}\nConnection: close\nTransfer-Encoding: chunked\nContent-Type: "+formType+"\n\n3\na=b\n0", tr.jar(tr.me))
		}),
		pendingTry("a GET with a body", func(tr *trial) {
			tr.bytes("GET /contacts/export HTTP/1.1\nHost: {host}\nConnection: close\nContent-Length: 3\nContent-Type: "+formType+"\n\na=b", tr.jar(tr.me))
		}),
		pendingTry("a body that waits to be asked for", func(tr *trial) {
			tr.bytes("POST /contacts/export HTTP/1.1\nHost: {host}\nConnection: close\nExpect: 100-continue\nContent-Length: 0", tr.jar(tr.me))
		}),
		pendingTry("an old client", func(tr *trial) { tr.bytes("GET /contacts HTTP/1.0\nHost: {host}", tr.jar(tr.me)) }),
		pendingTry("without the gateway's cookie", func(tr *trial) { tr.send("GET", "/contacts", "", nil, tr.jar(tr.me, ownCookie)) }),
		pendingTry("with its cookies in lines of their own", func(tr *trial) {
			tr.send("GET", "/contacts", "", nil, tr.jar(tr.me, ownCookie), tr.jar(tr.me, tr.sessionName()))
		}),
		pendingTry("after the login page once more", func(tr *trial) {
			tr.me.get("/login")
			tr.me.get("/contacts")
		}),
		pendingTry("after a cancelled challenge", func(tr *trial) {
			if tr.guarded {
				tr.me.submit(tr.me.get(codePage), "cancel", nil)
			}
			tr.me.get("/contacts")
		}),
		pendingTry("the cookies of before a cancelled challenge", func(tr *trial) {
			before := tr.jar(tr.me)
			if tr.guarded {
				tr.me.submit(tr.me.get(codePage), "cancel", nil)
			}
			tr.send("GET", "/contacts", "", nil, before)
		}),
		pendingTry("after the password of before once more", func(tr *trial) {
			tr.me.do(http.MethodPost, "/login", loginBody(tr.user, alicePassword), form(""))
			tr.me.get("/contacts")
		}),
		pendingTry("after a wrong password", func(tr *trial) {
			tr.me.do(http.MethodPost, "/login", loginBody(tr.user, "wrong"), form(""))
			tr.me.get("/contacts")
		}),
	)
	where := pendingTry("where visitors are let on", func(tr *trial) { tr.me.get("/contacts") })
	where.at = "visitors allowed"
	without := pendingTry("without the gateway's cookie, where visitors are let on", func(tr *trial) {
		tr.send("GET", "/contacts", "", nil, tr.jar(tr.me, ownCookie))
	})
	without.at = "visitors allowed"
	rows = append(rows, where, without)
	for _, at := range []string{"kept-session", "renewed-session", "rotating-session", "several-cookies", "two-paths", "delete-and-set",
		"narrow-path", "hashed-name", "index-php", "json", "nested-json", "multipart", "field-names", "fields-anywhere", "link", "page-200", "same-answer-kept"} {
		row := pendingTry("in the style "+at, func(tr *trial) { tr.me.get(tr.options.Path(demoapp.PageContacts)) })
		row.at = at
		rows = append(rows, row)
	}
	return rows
}
