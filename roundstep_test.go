package twofactor

import (
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// roundSteps are tries of somebody who is signed in, with a code, to have the
// export without another one.
func roundSteps() (rows []round) {
	add := func(name string, try func(*trial)) {
		rows = append(rows, round{group: "a step-up", name: name, at: "step-up", given: signedIn, try: try, counts: theExport})
	}
	for _, spelling := range []string{
		"/contacts/export", "/contacts/export/", "//contacts/export", "/contacts//export", "/Contacts/EXPORT", "/contacts/%65xport", "/%63ontacts%2fexport", "/contacts%2Fexport",
		"/contacts/export;x=1", "/contacts/export;/../..", "/contacts/export%3bx", "/./contacts/export", "/contacts/./export", "/contacts/%2e/export", "/x/../contacts/export",
		"/assets/../contacts/export", "/assets/%2e%2e/contacts/export", "/assets%2f..%2fcontacts/export", "/contacts/x/../export", "/contacts/export/x.css",
		"/contacts/export/../export/x", "/contacts/export?", "/contacts/export?/profile", "/contacts/export?x#y", "/contacts/export?%zz", "http://{host}/contacts/export",
		"/login/../contacts/export", "/logout/../contacts/export", "/.two-factor/../contacts/export", "/contacts/export?two_factor_challenge=x&code=123456",
	} {
		add(spelling, func(tr *trial) { tr.bytes("GET "+spelling+" HTTP/1.1\nHost: {host}\nConnection: close", tr.jar(tr.me)) })
	}
	for _, method := range []string{"HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY", "REPORT"} {
		add("by "+method, func(tr *trial) { tr.me.do(method, "/contacts/export", nil, nil) })
		add("by "+method+" of a script", func(tr *trial) { tr.me.do(method, "/contacts/export", nil, script) })
	}
	for name, header := range map[string]http.Header{
		"as a link from elsewhere":          {"Sec-Fetch-Site": {"cross-site"}},
		"as a link of a sibling":            {"Sec-Fetch-Site": {"same-site"}},
		"as a bookmark":                     {"Sec-Fetch-Site": {"none"}},
		"as an old browser":                 {"Sec-Fetch-Site": nil, "Sec-Fetch-Dest": nil},
		"as a prefetch":                     {"Sec-Purpose": {"prefetch"}},
		"as a prerender":                    {"Sec-Purpose": {"prefetch;prerender"}},
		"as a frame":                        {"Sec-Fetch-Dest": {"iframe"}},
		"as a frame from elsewhere":         {"Sec-Fetch-Dest": {"iframe"}, "Sec-Fetch-Site": {"cross-site"}},
		"as an image":                       {"Sec-Fetch-Dest": {"image"}},
		"as an image from elsewhere":        {"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Site": {"cross-site"}},
		"as a style sheet":                  {"Sec-Fetch-Dest": {"style"}},
		"as a worker":                       {"Sec-Fetch-Dest": {"serviceworker"}, "Service-Worker": {"script"}},
		"as a preflight":                    {"Access-Control-Request-Method": {"GET"}, "Origin": {"https://evil.example"}},
		"as the first bytes":                {"Range": {"bytes=0-9"}},
		"as the bytes that follow":          {"Range": {"bytes=10-"}},
		"as the last bytes":                 {"Range": {"bytes=-10"}},
		"as two ranges":                     {"Range": {"bytes=0-1,10-"}},
		"as a range of a version":           {"Range": {"bytes=10-"}, "If-Range": {`"x"`}},
		"on a condition":                    {"If-Modified-Since": {"Mon, 02 Jan 2006 15:04:05 GMT"}},
		"with a public address in a field":  {"X-Original-Url": {"/assets/style.css"}, "X-Rewrite-Url": {"/profile"}},
		"with an own address in a field":    {"X-Original-Url": {"/.two-factor/challenge"}},
		"with another method in a field":    {"X-Http-Method-Override": {"OPTIONS"}},
		"with another host in a field":      {"X-Forwarded-Host": {"intranet.example"}, "Forwarded": {"host=intranet.example"}},
		"with a proof of the gateway's own": {"User-Agent": {"caddy-twofactor"}, "X-Two-Factor-At": {"2026-01-01T00:00:00Z"}},
		"with Basic":                        {"Authorization": {basic("x", "y")}},
	} {
		add(name, func(tr *trial) { tr.me.do(http.MethodGet, "/contacts/export", nil, header) })
	}
	for name, head := range map[string]string{
		"as a WebSocket":          "GET /contacts/export HTTP/1.1\nHost: {host}\n" + webSocketFields,
		"as an upgrade to HTTP/2": "GET /contacts/export HTTP/1.1\nHost: {host}\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
		"with a body":             "GET /contacts/export HTTP/1.1\nHost: {host}\nConnection: close\nContent-Length: 3\n\na=b",
		"by POST in chunks":       "POST /contacts/export HTTP/1.1\nHost: {host}\nConnection: close\nTransfer-Encoding: chunked\n\n3\na=b\n0",
		"by HTTP/1.0":             "GET /contacts/export HTTP/1.0\nHost: {host}",
		"by another name":         "GET /contacts/export HTTP/1.1\nHost: LOCALHOST:{port}\nConnection: close",
	} {
		add(name, func(tr *trial) {
			_, port, _ := strings.Cut(strings.TrimPrefix(tr.url, "http://"), ":")
			tr.bytes(strings.ReplaceAll(head, "{port}", port), tr.jar(tr.me))
		})
	}
	add("by HTTP/2 from the first byte", func(tr *trial) {
		tr.speakHTTP2([]hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: "/contacts/export"}})
	})
	for _, target := range []string{"?action=export", "?%61ction=%65xport", "?action=start&action=export", "?x=%zz&action=export", "/index.php?action=export", "/index.php/contacts?action=export", "?action=export&action=export"} {
		for _, method := range []string{"GET", "POST", "HEAD"} {
			rows = append(rows, round{group: "a step-up told by a field", name: method + " " + target, at: "step-up by field", given: signedIn, counts: theExport, try: func(tr *trial) {
				tr.bytes(method+" /"+strings.TrimPrefix(target, "/")+" HTTP/1.1\nHost: {host}\nConnection: close\nContent-Length: 0", tr.jar(tr.me))
			}})
		}
	}
	return append(rows, roundPasses()...)
}

// theExport counts an export in one's own session.
func theExport(tr *trial, seen demoapp.Request) bool {
	return seen.Page == demoapp.PageExport && seen.User == tr.user
}

// stepCode gives the code of a text at the step-up that a page of the browser
// shows, and returns the form that was sent.
func (tr *trial) stepCode(c *client, page reply) url.Values {
	tr.t.Helper()
	page = c.texted(page)
	filled := hidden(page.body, codeField)
	filled.Set("code", tr.textCode())
	to := filled.Get("")
	body := url.Values{}
	for name, values := range filled {
		if name != "" {
			body[name] = values
		}
	}
	c.post(to, body)
	return filled
}

// aPass is one for GET /contacts/export?q=Ana, that nothing has used.
func aPass(tr *trial) {
	signedIn(tr)
	tr.passFor(http.MethodGet, "/contacts/export?q=Ana", "")
}

// passFor has a script of the app ask for something, and gives the code for it.
func (tr *trial) passFor(method, address, body string) {
	tr.t.Helper()
	if !tr.guarded {
		return
	}
	h := script.Clone()
	if body != "" {
		h.Set("Content-Type", formType)
	}
	if r := tr.me.do(method, address, strings.NewReader(body), h); r.StatusCode != http.StatusForbidden {
		tr.t.Fatalf("no step-up waits: %d", r.StatusCode)
	}
	tr.form = tr.stepCode(tr.me, tr.me.askedFor(tr.me.get("/contacts")))
	tr.app.Reset()
}

// roundPasses are tries with a pass that is there for another request, or that
// has been used.
func roundPasses() (rows []round) {
	add := func(name string, given, try func(*trial), counts func(*trial, demoapp.Request) bool) {
		rows = append(rows, round{group: "a pass", name: name, at: "step-up", given: given, try: try, counts: counts})
	}
	const address = "/contacts/export?q=Ana"
	for name, send := range map[string]func(tr *trial){
		"for another query":              func(tr *trial) { tr.me.do("GET", "/contacts/export?q=Hanna", nil, script) },
		"for no query":                   func(tr *trial) { tr.me.do("GET", "/contacts/export", nil, script) },
		"for more of a query":            func(tr *trial) { tr.me.do("GET", address+"&columns=email", nil, script) },
		"for another spelling":           func(tr *trial) { tr.me.do("GET", "/contacts/%65xport?q=Ana", nil, script) },
		"for a page's navigation, spelt": func(tr *trial) { tr.me.get("//contacts/export?q=Ana") },
		"for POST":                       func(tr *trial) { tr.me.do("POST", address, nil, script) },
		"for POST with fields":           func(tr *trial) { tr.me.do("POST", address, strings.NewReader("columns=email"), withForm(script)) },
		"for GET with a body":            func(tr *trial) { tr.me.do("GET", address, strings.NewReader("q=Hanna"), withForm(script)) },
		"for a method in a field": func(tr *trial) {
			h := script.Clone()
			h.Set("X-Http-Method-Override", "POST")
			tr.me.do("GET", address, nil, h)
		},
		"for the head of another address": func(tr *trial) { tr.me.do("HEAD", "/contacts/export?q=Hanna", nil, script) },
		"for a range of another address":  func(tr *trial) { tr.me.do("GET", "/contacts/export?q=Hanna", nil, http.Header{"Range": {"bytes=10-"}}) },
		"for a WebSocket":                 func(tr *trial) { tr.bytes("GET "+address+"&x HTTP/1.1\nHost: {host}\n"+webSocketFields, tr.jar(tr.me)) },
		"for another method":              func(tr *trial) { tr.me.do("PROPFIND", address, nil, script) },
	} {
		add(name, aPass, send, theExport)
	}
	bodies := func(tr *trial) {
		signedIn(tr)
		tr.passFor(http.MethodPost, "/contacts/export", "columns=email&csrf=x")
	}
	for name, body := range map[string]string{
		"for another body": "columns=email&columns=phone&csrf=x", "for a body in another order": "csrf=x&columns=email", "for a body with a blank": "columns=email&csrf=x ", "for no body": "",
	} {
		add(name, bodies, func(tr *trial) { tr.me.do("POST", "/contacts/export", strings.NewReader(body), withForm(script)) }, theExport)
	}
	add("of POST for GET", bodies, func(tr *trial) { tr.me.do("GET", "/contacts/export?columns=email&csrf=x", nil, script) }, theExport)
	add("for a body of another type", bodies, func(tr *trial) {
		h := script.Clone()
		h.Set("Content-Type", "application/json")
		tr.me.do("POST", "/contacts/export", strings.NewReader("columns=email&csrf=x"), h)
	}, theExport)
	// Somebody else's, another browser's, or one that is used up.
	add("of another user", func(tr *trial) {
		aPass(tr)
		tr.theirs, tr.victim = tr.me, tr.user
		tr.me, tr.user = tr.browser(), tr.newUser()
		tr.pass(tr.me, tr.user)
	}, func(tr *trial) { tr.me.do("GET", address, nil, script) }, theExport)
	add("of one's own in another browser", func(tr *trial) {
		aPass(tr)
		tr.me = tr.browser()
		tr.pass(tr.me, tr.user)
	}, func(tr *trial) { tr.me.do("GET", address, nil, script) }, theExport)
	add("with somebody else's cookie of the app", func(tr *trial) {
		aPass(tr)
		tr.theirs, tr.victim = tr.browser(), tr.newUser()
		tr.pass(tr.theirs, tr.victim)
	}, func(tr *trial) {
		tr.send("GET", address, "", script, tr.own(tr.me)+tr.sessionName()+"="+tr.session(tr.theirs))
	}, asVictim)
	spent := func(tr *trial) {
		aPass(tr)
		if r := tr.me.do("GET", address, nil, script); r.StatusCode != http.StatusOK {
			tr.t.Fatalf("the pass opens nothing: %d", r.StatusCode)
		}
	}
	for name, send := range map[string]func(tr *trial){
		"that is used up":              func(tr *trial) { tr.me.do("GET", address, nil, script) },
		"that is used up, for HEAD":    func(tr *trial) { tr.me.do("HEAD", address, nil, script) },
		"that is used up, for a range": func(tr *trial) { tr.me.do("GET", address, nil, http.Header{"Range": {"bytes=10-"}}) },
		"that is used up, as a page":   func(tr *trial) { tr.me.get(address) },
		"that is used up, by its form": func(tr *trial) {
			if tr.guarded {
				tr.sendForm(tr.form, tr.jar(tr.me))
			}
			tr.me.do("GET", address, nil, script)
		},
		"that is used up, many times": func(tr *trial) {
			tr.together("GET", address, "", func(int) []string { return []string{tr.jar(tr.me)} })
		},
	} {
		add(name, spent, send, theExport)
	}
	return append(rows, roundSpentSteps()...)
}

func withForm(h http.Header) http.Header {
	h = h.Clone()
	h.Set("Content-Type", formType)
	return h
}

// roundSpentSteps are tries to have more of one code than what it was given
// for.
func roundSpentSteps() (rows []round) {
	const address = "/contacts/export?q=Ana"
	add := func(name string, given, try func(*trial), counts func(*trial, demoapp.Request) bool) {
		rows = append(rows, round{group: "one code", name: name, at: "step-up", given: given, try: try, counts: counts})
	}
	// more counts what comes beyond the one that the code was for.
	more := func(tr *trial, seen demoapp.Request) bool {
		if !theExport(tr, seen) {
			return false
		}
		tr.hits++
		return tr.hits > 1
	}
	// of64 adds a try of which one request is meant to get through.
	of64 := func(name string, given, try func(*trial)) {
		add(name, given, try, more)
		rows[len(rows)-1].one = true
	}
	of64("64 requests with one pass at once", aPass, func(tr *trial) {
		line := tr.jar(tr.me)
		tr.together("GET", address, "", func(int) []string { return []string{line} })
	})
	of64("64 whole ranges with one pass at once", aPass, func(tr *trial) {
		for range 4 {
			tr.me.do("GET", address, nil, http.Header{"Range": {"bytes=0-"}, "Sec-Fetch-Dest": {"empty"}})
		}
	})
	// filled is a held POST whose code has not been sent.
	filled := func(tr *trial) {
		signedIn(tr)
		if !tr.guarded {
			return
		}
		page := tr.me.texted(tr.me.askedFor(tr.me.do("POST", "/contacts/export", strings.NewReader("columns=email&csrf=x"), form(""))))
		tr.form = hidden(page.body, codeField)
		tr.form.Set("code", tr.textCode())
		tr.app.Reset()
	}
	once := func(tr *trial) url.Values {
		body := url.Values{}
		for name, values := range tr.form {
			if name != "" {
				body[name] = values
			}
		}
		return body
	}
	of64("64 forms with it at once", filled, func(tr *trial) {
		line, body := tr.jar(tr.me), once(tr).Encode()
		tr.together("POST", "/contacts/export", body, func(int) []string { return []string{line} })
	})
	of64("its form again and again", filled, func(tr *trial) {
		line := tr.jar(tr.me)
		for range 4 {
			tr.send("POST", "/contacts/export", once(tr).Encode(), form(""), line)
			tr.me.do("POST", "/contacts/export", strings.NewReader(once(tr).Encode()), form(""))
		}
	})
	evil := func(tr *trial, seen demoapp.Request) bool {
		return theExport(tr, seen) && (strings.Contains(seen.URI+string(seen.Body), "evil"))
	}
	for name, at := range map[string]struct{ path, more string }{
		"its form with more fields":          {"/contacts/export", "&columns=evil"},
		"its form with a query":              {"/contacts/export?q=evil", ""},
		"its form at another address":        {"/contacts/export/evil", ""},
		"its form at another spelling":       {"//contacts/export?evil", ""},
		"its form, and the request with it":  {"/contacts/export", "&two_factor_challenge=evil"},
		"its form at the page of the export": {"/contacts/export?evil&two_factor_challenge=x", ""},
	} {
		add(name, filled, func(tr *trial) { tr.send("POST", at.path, once(tr).Encode()+at.more, form(""), tr.jar(tr.me)) }, evil)
	}
	for name, send := range map[string]func(tr *trial){
		"in another user's browser": func(tr *trial) {
			tr.theirs.do("POST", "/contacts/export", strings.NewReader(once(tr).Encode()), form(""))
		},
		"with the other's cookies added": func(tr *trial) {
			tr.send("POST", "/contacts/export", once(tr).Encode(), form(""), tr.own(tr.theirs)+tr.sessionName()+"="+tr.session(tr.theirs)+"; "+tr.own(tr.me))
		},
	} {
		add(name, func(tr *trial) {
			filled(tr)
			tr.theirs, tr.victim = tr.browser(), tr.newUser()
			tr.pass(tr.theirs, tr.victim)
		}, send, func(tr *trial, seen demoapp.Request) bool {
			return seen.Page == demoapp.PageExport && seen.User == tr.victim
		})
	}
	for name, header := range map[string]http.Header{
		"from another site": {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}, "from a sibling": {"Sec-Fetch-Site": {"same-site"}, "Origin": {"http://evil.localhost"}},
		"from a page without an origin": {"Sec-Fetch-Site": nil, "Origin": {"null"}},
	} {
		add(name, filled, func(tr *trial) {
			h := form("")
			for field, values := range header {
				h[field] = values
			}
			tr.me.do("POST", "/contacts/export", strings.NewReader(once(tr).Encode()), h)
		}, theExport)
	}
	return rows
}
