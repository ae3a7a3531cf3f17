package twofactor

import (
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// roundCookies are tries with the cookies of somebody else, of another browser,
// another standing or another instance.
func roundCookies() (rows []round) {
	add := func(name, at string, given, try func(*trial), counts func(*trial, demoapp.Request) bool) {
		rows = append(rows, round{group: "a cookie", name: name, at: at, given: given, try: try, counts: counts})
	}
	// theirs is the victim's session cookie as their browser holds it.
	theirs := func(tr *trial) string { return tr.sessionName() + "=" + tr.session(tr.theirs) }
	mine := func(tr *trial) string { return tr.sessionName() + "=" + tr.session(tr.me) }
	contacts := func(lines func(tr *trial) []string) func(*trial) {
		return func(tr *trial) { tr.send("GET", "/contacts", "", nil, lines(tr)...) }
	}
	line := func(make func(tr *trial) string) func(*trial) {
		return contacts(func(tr *trial) []string { return []string{make(tr)} })
	}
	add("of somebody else, alone", "classic", aVictim, line(theirs), asVictim)
	add("of somebody else, as a visitor", "classic", aVictim, line(func(tr *trial) string { return tr.jar(tr.me, tr.sessionName()) + "; " + theirs(tr) }), asVictim)
	add("of somebody else, as a visitor whose own follows", "classic", aVictim, line(func(tr *trial) string { return theirs(tr) + "; " + tr.jar(tr.me) }), asVictim)
	add("of somebody else, in one's own session", "classic", bothSignedIn, line(func(tr *trial) string { return tr.own(tr.me) + theirs(tr) }), asVictim)
	add("of somebody else, before one's own", "classic", bothSignedIn, line(func(tr *trial) string { return tr.own(tr.me) + theirs(tr) + "; " + mine(tr) }), asVictim)
	add("of somebody else, in a pending session", "classic", oneOfTwo, line(func(tr *trial) string { return tr.own(tr.me) + theirs(tr) }), asVictim)
	add("of somebody else, with both sessions' own", "classic", bothSignedIn, line(func(tr *trial) string { return tr.own(tr.theirs) + tr.own(tr.me) + theirs(tr) }), asVictim)
	add("of somebody else, with both sessions' own the other way round", "classic", bothSignedIn, line(func(tr *trial) string { return tr.own(tr.me) + tr.own(tr.theirs) + theirs(tr) }), asVictim)
	add("of one's own, in the session of somebody else", "classic", bothSignedIn, line(func(tr *trial) string { return tr.own(tr.theirs) + mine(tr) }), asMe)
	add("of one's pending session, in the session of somebody else", "classic", oneOfTwo, line(func(tr *trial) string { return tr.own(tr.theirs) + mine(tr) }), asMe)
	add("of somebody else, in two lines", "classic", bothSignedIn, contacts(func(tr *trial) []string { return []string{tr.own(tr.me) + "x=1", theirs(tr)} }), asVictim)
	add("of somebody else, by POST", "classic", bothSignedIn, func(tr *trial) { tr.send("POST", "/contacts/export", "", nil, tr.own(tr.me)+theirs(tr)) }, asVictim)
	add("of somebody else, by HEAD", "classic", bothSignedIn, func(tr *trial) { tr.send("HEAD", "/contacts/export", "", nil, tr.own(tr.me)+theirs(tr)) }, asVictim)
	add("of somebody else, at a public page", "classic", bothSignedIn, func(tr *trial) { tr.send("GET", "/assets/style.css", "", nil, tr.own(tr.me)+theirs(tr)) }, asVictim)
	add("of somebody else, at the login page", "classic", bothSignedIn, func(tr *trial) { tr.send("GET", "/login", "", nil, theirs(tr)) }, asVictim)
	add("of somebody else, quoted", "classic", bothSignedIn, line(func(tr *trial) string {
		return tr.own(tr.me) + `x="; ` + theirs(tr) + `; y="`
	}), asVictim)
	add("of somebody else, behind one that is broken", "classic", bothSignedIn, line(func(tr *trial) string { return "=; ; " + tr.own(tr.me) + "broken; " + theirs(tr) }), asVictim)
	add("of somebody else, with a version", "classic", bothSignedIn, line(func(tr *trial) string { return "$Version=1; " + tr.own(tr.me) + theirs(tr) + "; $Path=/" }), asVictim)
	add("of somebody else, beyond a hundred others", "classic", bothSignedIn, line(func(tr *trial) string {
		return tr.own(tr.me) + strings.Repeat("x=1; ", 100) + theirs(tr)
	}), asVictim)
	// before are the cookies that a browser had before something else happened.
	before := func(then func(tr *trial)) func(*trial) {
		return func(tr *trial) {
			aVictim(tr)
			tr.value = tr.own(tr.theirs) + theirs(tr)
			then(tr)
		}
	}
	kept := line(func(tr *trial) string { return tr.value })
	add("of somebody who has signed out, at an app that was not told", "classic", before(func(tr *trial) {
		if tr.guarded {
			tr.theirs.get("/logout")
		}
	}), kept, asVictim)
	add("of before another login in the same browser", "classic", before(func(tr *trial) { tr.logInAgain(tr.theirs, tr.newUser(), false) }), kept, asVictim)
	add("of before another login in the same browser, with a code", "classic", before(func(tr *trial) { tr.logInAgain(tr.theirs, tr.newUser(), true) }), kept, asVictim)
	add("of before another login that took the session over", "kept-session", before(func(tr *trial) {
		tr.victim = tr.newUser()
		tr.logInAgain(tr.theirs, tr.victim, true)
	}), kept, asVictim)
	add("of before another login that has taken the session over, without a code", "kept-session", before(func(tr *trial) {
		tr.victim = tr.newUser()
		tr.logInAgain(tr.theirs, tr.victim, false)
	}), kept, asVictim)
	for at, name := range map[string]string{"rotating-session": "that has been changed for another", "two-paths": "for another path", "renewed-session": "that was renewed", "hashed-name": "with a hash in its name"} {
		add("of somebody else, "+name, at, bothSignedIn, func(tr *trial) { tr.send("GET", "/contacts", "", nil, tr.own(tr.me)+theirs(tr)) }, asVictim)
	}
	return append(rows, roundInstances()...)
}

// roundInstances are tries with the cookies of one instance at another that
// stands before the same app.
func roundInstances() (rows []round) {
	for name, lines := range map[string]func(tr *trial) string{
		"all of them":                 func(tr *trial) string { return tr.jar(tr.theirs) },
		"the app's alone":             func(tr *trial) string { return tr.jar(tr.theirs, ownCookie) },
		"under the name of the other": func(tr *trial) string { return strings.ReplaceAll(tr.jar(tr.theirs), ownCookie, "two-factor-second") },
		"under both names": func(tr *trial) string {
			return strings.ReplaceAll(tr.own(tr.theirs), ownCookie, "two-factor-second") + tr.jar(tr.theirs)
		},
		"under the name of a secure one": func(tr *trial) string {
			return strings.ReplaceAll(tr.jar(tr.theirs), ownCookie, "__Host-two-factor-second")
		},
		"with the own of a session there":    func(tr *trial) string { return tr.value + tr.jar(tr.theirs) },
		"with the app's of a session there":  func(tr *trial) string { return tr.jar(tr.theirs) + "; " + tr.value },
		"with the own of a session, quoted":  func(tr *trial) string { return tr.value + `"; ` + tr.jar(tr.theirs) + `"` },
		"the app's with a session made here": func(tr *trial) string { return tr.value + tr.sessionName() + "=" + tr.app.NewSession(tr.victim) },
	} {
		rows = append(rows, round{group: "a cookie of another instance", name: name, at: "twins", counts: asVictim,
			given: func(tr *trial) {
				aVictim(tr)
				there := tr.there()
				there.pass(there.me, there.newUser())
				tr.next = there.next
				if value := there.me.cookies("/")["two-factor-second"]; value != "" {
					tr.value = "two-factor-second=" + value + "; "
				}
			},
			try: func(tr *trial) { there := tr.there(); there.send("GET", "/contacts", "", nil, lines(tr)) }})
	}
	return rows
}

// there is the trial at the site's second instance.
func (tr *trial) there() *trial {
	w := *tr.world
	s := &site{t: tr.t, url: w.second, apart: true, taken: map[string]int64{}}
	w.site = s
	there := *tr
	there.world = &w
	there.me = there.browser()
	return &there
}

// logInAgain gives a password over a session that is there, and the code if it
// is asked for.
func (tr *trial) logInAgain(c *client, user string, withCode bool) {
	tr.t.Helper()
	page := c.get("/login")
	c.submit(page, `id="password"`, map[string]string{"email": user, "password": alicePassword})
	if tr.guarded && withCode {
		c.enter(tr.code(user))
	}
}
