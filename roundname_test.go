package twofactor

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// roundNames are a session made at the app directly, under every name that the
// app takes for its session cookie's, and a remember-me cookie.
func roundNames() (rows []round) {
	names := []string{"crm_session", "crm.session", "crm session", "crm[session", " crm_session", "\tcrm_session"}
	for state, given := range map[string]func(*trial){"nobody": nothing, "a visitor": aVisit, "somebody pending": aPassword, "somebody signed in": signedIn} {
		for _, name := range names {
			rows = append(rows, round{group: "a session made at the app", name: "as " + state + ", named " + name, at: "classic",
				given: aSessionMadeAtTheApp(given), counts: asVictim, try: func(tr *trial) {
					tr.bytes("GET /contacts HTTP/1.1\nHost: {host}\nConnection: close\nCookie: "+name+"="+tr.value, tr.own(tr.me)+"x=1")
				}})
		}
	}
	for name, lines := range map[string]func(tr *trial) []string{
		"before the visitor's own":             func(tr *trial) []string { return []string{"crm_session=" + tr.value + "; " + tr.jar(tr.me)} },
		"as another name before the visitor's": func(tr *trial) []string { return []string{"crm.session=" + tr.value + "; " + tr.jar(tr.me)} },
		"in a line of its own":                 func(tr *trial) []string { return []string{"crm[session=" + tr.value, tr.jar(tr.me)} },
		"in an own cookie's tail":              func(tr *trial) []string { return []string{ownCookie + "=x; crm_session=" + tr.value} },
		"in a readable cookie":                 func(tr *trial) []string { return []string{"csrftoken=x; crm_session=" + tr.value} },
		"in a readable cookie's quotes":        func(tr *trial) []string { return []string{`csrftoken="x; crm_session=` + tr.value + `; y="`} },
		"percent-encoded": func(tr *trial) []string {
			return []string{"crm_session=" + fmt.Sprintf("%%%02x", tr.value[0]) + tr.value[1:]}
		},
		"with blanks around it": func(tr *trial) []string { return []string{"crm_session= " + tr.value + " "} },
		"twice":                 func(tr *trial) []string { return []string{"crm_session=" + tr.value + "; crm_session=" + tr.value} },
	} {
		for _, path := range []string{"/contacts", "/login", "/assets/style.css"} {
			if name == "percent-encoded" && path == "/assets/style.css" {
				continue // The app reads no cookie there, and this one is not seen as it is.
			}
			rows = append(rows, round{group: "a session made at the app", name: name + " at " + path, at: "classic", given: aSessionMadeAtTheApp(aVisit), counts: asVictim,
				try: func(tr *trial) { tr.send("GET", path, "", nil, lines(tr)...) }})
		}
	}
	for _, path := range []string{"/contacts?PHPSESSID=", "/login?PHPSESSID=", "/profile?x=1&PHPSESSID=", "/profile?PHPSESSID%00=x&PHPSESSID=", "/contacts;jsessionid=", "/profile;JSESSIONID=", "/profile/;jsessionid=", "/login;jsessionid="} {
		for state, given := range map[string]func(*trial){"nobody": nothing, "somebody pending": aPassword} {
			rows = append(rows, round{group: "a session made at the app", name: "as " + state + ", at " + path, at: "doors", given: aSessionMadeAtTheApp(given), counts: asVictim,
				try: func(tr *trial) { tr.send("GET", path+tr.value, "", nil, tr.own(tr.me)+"x=1") }})
		}
	}
	for name, kind := range map[string]string{"a form": formType, "multipart": "multipart/form-data; boundary=x"} {
		for _, path := range []string{"/profile", "/login", "/contacts"} {
			rows = append(rows, round{group: "a session made at the app", name: "in " + name + " to " + path, at: "doors", given: aSessionMadeAtTheApp(nothing), counts: asVictim,
				try: func(tr *trial) {
					body := "PHPSESSID=" + tr.value
					if kind != formType {
						body = "--x\r\nContent-Disposition: form-data; name=\"PHPSESSID\"\r\n\r\n" + tr.value + "\r\n--x--\r\n"
					}
					tr.send("POST", path, body, http.Header{"Content-Type": {kind}})
				}})
		}
	}
	return append(rows, roundRemembered()...)
}

// roundRemembered are tries with a cookie that opens a session by itself.
func roundRemembered() (rows []round) {
	remembered := func(tr *trial) string {
		return demoapp.RememberCookie + "=" + tr.theirs.cookies("/")[demoapp.RememberCookie]
	}
	atTheApp := func(tr *trial) string {
		for value, user := range tr.app.Remembered() {
			if user == tr.victim {
				return demoapp.RememberCookie + "=" + value
			}
		}
		return ""
	}
	add := func(name string, given func(*trial), line func(tr *trial) string) {
		rows = append(rows, round{group: "a remember-me cookie", name: name, at: "several-cookies", given: given, counts: asVictim,
			try: func(tr *trial) {
				tr.send("GET", "/contacts", "", nil, line(tr))
				for _, seen := range tr.app.Seen() {
					if seen.User == "" && tr.carries(seen, tr.victim) {
						tr.t.Error("the cookie reached the app")
					}
				}
			}})
	}
	add("of somebody else, alone", aVictim, remembered)
	add("of somebody else, in one's own session", bothSignedIn, func(tr *trial) string { return tr.own(tr.me) + remembered(tr) })
	add("of somebody else, in a pending session", oneOfTwo, func(tr *trial) string { return tr.own(tr.me) + remembered(tr) })
	add("from the app's own table, alone", aVictim, atTheApp)
	add("from the app's own table, in the victim's session", aVictim, func(tr *trial) string { return tr.own(tr.theirs) + atTheApp(tr) })
	add("from the app's own table, in one's own session", bothSignedIn, func(tr *trial) string { return tr.own(tr.me) + atTheApp(tr) })
	add("from the app's own table, with a dot", aVictim, func(tr *trial) string { return strings.Replace(atTheApp(tr), "_", ".", 1) })
	add("from the app's own table, with a bracket", aVictim, func(tr *trial) string { return strings.Replace(atTheApp(tr), "_", "[", 1) })
	add("of a password without a code", func(tr *trial) {
		tr.victim, tr.theirs = tr.newUser(), tr.browser()
		tr.password(tr.theirs, tr.victim)
	}, func(tr *trial) string { return tr.jar(tr.theirs, tr.sessionName(), ownCookie) })
	add("of a password without a code, with the gateway's", func(tr *trial) {
		tr.victim, tr.theirs = tr.newUser(), tr.browser()
		tr.password(tr.theirs, tr.victim)
	}, func(tr *trial) string { return tr.jar(tr.theirs, tr.sessionName()) })
	return rows
}
