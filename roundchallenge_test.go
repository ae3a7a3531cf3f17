package twofactor

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// codeForm is the form of a browser's challenge with a code in it; without a
// gateway there is none.
func (tr *trial) codeForm(c *client, code string) url.Values {
	tr.t.Helper()
	if !tr.guarded {
		return url.Values{"": {"/login"}, "code": {code}}
	}
	filled := hidden(c.get(codePage).body, codeField)
	if filled.Get("") == "" {
		tr.t.Fatal("there is no challenge")
	}
	filled.Set("code", code)
	return filled
}

// sendForm posts a form to its own address with these cookies.
func (tr *trial) sendForm(filled url.Values, line string) reply {
	tr.t.Helper()
	to := filled.Get("")
	body := url.Values{}
	for name, values := range filled {
		if name != "" {
			body[name] = values
		}
	}
	return tr.send(http.MethodPost, to, body.Encode(), form(""), line)
}

// roundChallenges are tries to pass the challenge of a victim whose password is
// known, with a code of one's own or one that was used.
func roundChallenges() (rows []round) {
	add := func(name string, given, try func(*trial)) {
		rows = append(rows, round{group: "a challenge", name: name, at: "classic", given: given, try: try, counts: asVictim})
	}
	// The victim's password was given in one browser, one's own in another.
	twoChallenges := func(tr *trial) {
		tr.user, tr.victim = tr.newUser(), tr.newUser()
		tr.theirs = tr.browser()
		tr.password(tr.me, tr.victim)
		tr.password(tr.theirs, tr.user)
	}
	ownAndOne := func(tr *trial) {
		tr.user, tr.victim = tr.newUser(), tr.newUser()
		tr.theirs = tr.browser()
		tr.password(tr.me, tr.victim)
		tr.pass(tr.theirs, tr.user)
	}
	contacts := func(try func(tr *trial)) func(*trial) {
		return func(tr *trial) {
			if tr.guarded {
				try(tr)
			}
			tr.me.get("/contacts")
			tr.theirs.get("/contacts")
		}
	}
	ownCode := func(tr *trial) string { return tr.code(tr.user) }
	add("one's own code", twoChallenges, contacts(func(tr *trial) { tr.me.enter(ownCode(tr)) }))
	add("the form of one's own challenge", twoChallenges, contacts(func(tr *trial) {
		tr.sendForm(tr.codeForm(tr.theirs, ownCode(tr)), tr.jar(tr.me))
	}))
	add("the form of one's own challenge, with both cookies", twoChallenges, contacts(func(tr *trial) {
		tr.sendForm(tr.codeForm(tr.theirs, ownCode(tr)), tr.own(tr.me)+tr.own(tr.theirs))
	}))
	add("the form of the victim's challenge in one's own browser", twoChallenges, contacts(func(tr *trial) {
		tr.sendForm(tr.codeForm(tr.me, ownCode(tr)), tr.jar(tr.theirs))
	}))
	add("the form of the victim's challenge in one's own session", ownAndOne, contacts(func(tr *trial) {
		tr.sendForm(tr.codeForm(tr.me, ownCode(tr)), tr.jar(tr.theirs))
	}))
	add("the form of the victim's challenge without a cookie", twoChallenges, contacts(func(tr *trial) {
		tr.sendForm(tr.codeForm(tr.me, ownCode(tr)), "x=1")
	}))
	for name, mix := range map[string][]string{"the challenge": {"two_factor_challenge"}, "the form's token": {"two_factor_token"}, "the factor": {"two_factor_factor"}, "all but the token": {"two_factor_challenge", "two_factor_factor"}} {
		add("one's own code with "+name+" of one's own", twoChallenges, contacts(func(tr *trial) {
			mine, filled := tr.codeForm(tr.theirs, ""), tr.codeForm(tr.me, ownCode(tr))
			for _, field := range mix {
				filled[field] = mine[field]
			}
			tr.sendForm(filled, tr.jar(tr.me))
		}))
	}
	for name, spoil := range map[string]func(url.Values){
		"no code":             func(f url.Values) { f.Del("code") },
		"an empty code":       func(f url.Values) { f.Set("code", "") },
		"a made-up code":      func(f url.Values) { f.Set("code", "000000") },
		"letters":             func(f url.Values) { f.Set("code", "abcdef") },
		"a long code":         func(f url.Values) { f.Set("code", strings.Repeat("0", 3000)) },
		"two codes":           func(f url.Values) { f["code"] = []string{"000000", "111111"} },
		"a code in brackets":  func(f url.Values) { f.Del("code"); f.Set("code[]", "000000") },
		"a number":            func(f url.Values) { f.Set("code", "1e5") },
		"another factor":      func(f url.Values) { f.Set("two_factor_factor", "f9"); f.Set("factor", "f9") },
		"no challenge":        func(f url.Values) { f.Del("two_factor_challenge") },
		"a made-up challenge": func(f url.Values) { f.Set("two_factor_challenge", strings.Repeat("A", 22)) },
		"two challenges":      func(f url.Values) { f.Add("two_factor_challenge", "x") },
		"another address":     func(f url.Values) { f.Set("", "/contacts") },
		"a public address":    func(f url.Values) { f.Set("", "/assets/style.css") },
		"a query":             func(f url.Values) { f.Set("", f.Get("")+"?next=/contacts") },
		"the page's address":  func(f url.Values) { f.Set("", codePage) },
		"an own address":      func(f url.Values) { f.Set("", "/.two-factor/send") },
		"a made-up own page":  func(f url.Values) { f.Set("", "/.two-factor/verified") },
	} {
		add("a form with "+name, twoChallenges, contacts(func(tr *trial) {
			filled := tr.codeForm(tr.me, ownCode(tr))
			spoil(filled)
			tr.sendForm(filled, tr.jar(tr.me))
		}))
	}
	for name, send := range map[string]func(tr *trial, f url.Values){
		"in the query of a GET": func(tr *trial, f url.Values) { tr.me.get(codePage + "?" + f.Encode()) },
		"by PUT":                func(tr *trial, f url.Values) { tr.me.do("PUT", f.Get(""), strings.NewReader(f.Encode()), form("")) },
		"as multipart": func(tr *trial, f url.Values) {
			tr.me.do("POST", f.Get(""), strings.NewReader(f.Encode()), http.Header{"Content-Type": {multipartKind}})
		},
		"as JSON": func(tr *trial, f url.Values) {
			tr.me.do("POST", f.Get(""), strings.NewReader(`{"code":true}`), http.Header{"Content-Type": {"application/json"}})
		},
		"ten times": func(tr *trial, f url.Values) {
			for range 10 {
				tr.sendForm(f, tr.jar(tr.me))
			}
		},
	} {
		add("a form "+name, twoChallenges, contacts(func(tr *trial) { send(tr, tr.codeForm(tr.me, "000000")) }))
	}
	return append(rows, roundReplays()...)
}

// roundReplays are tries with what a release has used up.
func roundReplays() (rows []round) {
	// spent is a victim who has signed in, with the form that did it and the
	// cookies that it came with; the victim's password was given in another
	// browser too.
	spent := func(alsoMe bool) func(*trial) {
		return func(tr *trial) {
			tr.victim, tr.theirs = tr.newUser(), tr.browser()
			if alsoMe {
				tr.password(tr.me, tr.victim)
			}
			tr.password(tr.theirs, tr.victim)
			tr.more = tr.jar(tr.theirs)
			tr.form = tr.codeForm(tr.theirs, tr.code(tr.victim))
			if tr.guarded {
				tr.sendForm(tr.form, tr.more)
			}
		}
	}
	for name, line := range map[string]func(tr *trial) string{
		"without a cookie":              func(*trial) string { return "x=1" },
		"with the cookies it came with": func(tr *trial) string { return tr.more },
		"with a pending session's":      func(tr *trial) string { return tr.jar(tr.me) },
		"with both":                     func(tr *trial) string { return tr.own(tr.me) + tr.more },
	} {
		rows = append(rows, round{group: "a release", name: "once more, " + name, at: "classic", given: spent(true), counts: replayed, try: func(tr *trial) {
			if tr.guarded {
				tr.shows(tr.sendForm(tr.form, line(tr)))
			}
			tr.me.get("/contacts")
			tr.send("GET", "/contacts", "", nil, line(tr))
			if !tr.guarded {
				tr.send("GET", "/contacts", "", nil, tr.more)
			}
		}})
	}
	rows = append(rows,
		round{group: "a release", name: "the code in another challenge", at: "classic", given: spent(true), counts: replayed, try: func(tr *trial) {
			if tr.guarded {
				tr.sendForm(tr.codeForm(tr.me, tr.form.Get("code")), tr.jar(tr.me))
			}
			tr.me.get("/contacts")
		}},
		round{group: "a release", name: "the code in a later challenge", at: "classic", given: spent(false), counts: replayed, try: func(tr *trial) {
			tr.password(tr.me, tr.victim)
			if tr.guarded {
				tr.sendForm(tr.codeForm(tr.me, tr.form.Get("code")), tr.jar(tr.me))
			}
			tr.me.get("/contacts")
		}},
		round{group: "a release", name: "the cookies that the form came with", at: "kept-session", given: spent(false), counts: replayed, try: func(tr *trial) {
			tr.send("GET", "/contacts", "", nil, tr.more)
		}},
	)
	return rows
}

func replayed(tr *trial, seen demoapp.Request) bool {
	return seen.Page != demoapp.PageLogin && asVictim(tr, seen)
}
