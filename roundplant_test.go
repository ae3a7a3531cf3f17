package twofactor

import "github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"

// roundPlanted are cookies that a sibling domain puts into the victim's browser,
// which nothing in a request tells from the app's own: to use the session that
// the victim then logs in, or to have the victim work in another's.
func roundPlanted() (rows []round) {
	add := func(name, at string, given, try func(*trial), counts func(*trial, demoapp.Request) bool) {
		rows = append(rows, round{group: "a planted cookie", name: name, at: at, given: given, try: try, counts: counts})
	}
	// everything that a browser holds goes into the victim's.
	everything := func(tr *trial) {
		for name, value := range tr.me.cookies("/") {
			tr.plant(tr.theirs, name, value, "/")
		}
	}
	session := func(tr *trial) { tr.plant(tr.theirs, tr.sessionName(), tr.session(tr.me), "/") }
	// then the victim logs in, over what was planted.
	victimLogsIn := func(before func(*trial), plant func(*trial), withCode bool) func(*trial) {
		return func(tr *trial) {
			before(tr)
			tr.theirs, tr.victim = tr.browser(), tr.newUser()
			plant(tr)
			tr.value = tr.jar(tr.me)
			if tr.theirs.get("/login").location() == codePage {
				// The planted session is pending: its challenge is all that is shown.
				tr.theirs.submit(tr.theirs.get(codePage), "cancel", nil)
			}
			tr.logInAgain(tr.theirs, tr.victim, withCode)
			if withCode {
				tr.isIn(tr.theirs, tr.victim)
			}
		}
	}
	copies := func(tr *trial) { tr.send("GET", "/contacts", "", nil, tr.value) }
	for withCode, when := range map[bool]string{false: ", before the code", true: ", after the code"} {
		add("a visitor's session is logged in by the victim"+when, "kept-session", victimLogsIn(aVisit, session, withCode), copies, asVictim)
		add("somebody else's session is logged in by the victim"+when, "kept-session", victimLogsIn(signedIn, everything, withCode), copies, asVictim)
		add("somebody else's cookie of the app is logged in by the victim"+when, "kept-session", victimLogsIn(signedIn, session, withCode), copies, asVictim)
		add("a pending session is logged in by the victim"+when, "kept-session", victimLogsIn(aPassword, everything, withCode), copies, asVictim)
		add("a session made at the app is logged in by the victim"+when, "kept-session", victimLogsIn(nothing, func(tr *trial) {
			tr.plant(tr.theirs, tr.sessionName(), tr.app.NewSession(tr.newUser()), "/")
			tr.plant(tr.me, tr.sessionName(), tr.theirs.cookies("/")[tr.sessionName()], "/")
		}, withCode), copies, asVictim)
		add("a visitor's session that the victim's copy was made of"+when, "kept-session", victimLogsIn(aVisit, session, withCode), func(tr *trial) {
			tr.send("GET", "/contacts", "", nil, tr.own(tr.me)+tr.value)
		}, asVictim)
	}
	// The victim works in the session of who planted it.
	works := func(name string, plant func(tr *trial)) {
		add("the victim works "+name, "classic", func(tr *trial) {
			bothSignedIn(tr)
			plant(tr)
		}, func(tr *trial) {
			tr.theirs.post("/contacts/export", nil)
			tr.theirs.get("/contacts/export")
		}, asMe)
	}
	works("in a session that was planted on a narrower path", func(tr *trial) { tr.plant(tr.theirs, tr.sessionName(), tr.session(tr.me), "/contacts") })
	works("in a session that was planted under a folded name", func(tr *trial) { tr.plant(tr.theirs, "crm.session", tr.session(tr.me), "/contacts") })
	works("in a session made at the app", func(tr *trial) { tr.plant(tr.theirs, tr.sessionName(), tr.app.NewSession(tr.user), "/contacts") })
	works("in a session that was planted over theirs", func(tr *trial) { tr.plant(tr.theirs, tr.sessionName(), tr.session(tr.me), "/") })
	works("in a session planted with the gateway's cookie before theirs", func(tr *trial) {
		for name, value := range tr.me.cookies("/") {
			tr.plant(tr.theirs, name, value, "/contacts")
		}
	})
	for _, at := range []string{"classic", "kept-session", "visitors allowed"} {
		add("a visitor works in it", at, func(tr *trial) {
			aVictim(tr)
			tr.plant(tr.me, tr.sessionName(), tr.session(tr.theirs), "/contacts")
		}, func(tr *trial) { tr.me.get("/contacts") }, asVictim)
	}
	return rows
}
