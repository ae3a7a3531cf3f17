package main

import "strings"

// contender is one way of asking, at one of the Caddys. Bare Caddy is asked
// with the cookies of each of the others, since to parse a Cookie header alone
// costs it some percent.
type contender struct {
	name string
	at   *process
	// beside is a server whose CPU is reported apart.
	beside        *process
	path, cookies string
	// bare is the contender that this one is compared with; nil for bare Caddy.
	bare *contender
	gate *gates
	// paced says that latency at half of bare Caddy's saturation is measured.
	paced bool
}

// used is CPU time in seconds.
type used struct{ own, beside float64 }

func (c *contender) cpu() (u used, err error) {
	if u.own, err = c.at.cpu(); err != nil || c.beside == nil {
		return u, err
	}
	u.beside, err = c.beside.cpu()
	return u, err
}

// gates are what a contender may cost over bare Caddy.
type gates struct {
	bytes, objects float64
	// cpu is how many times bare Caddy's CPU the lower end of the interval may
	// be.
	cpu float64
}

// maxWidth is how far the interval of a gated contender's CPU may reach to
// either side.
const maxWidth = 0.03

var (
	unconcerned = &gates{bytes: 64, objects: 1, cpu: 1.00}
	// rebuilt is unconcerned with a Cookie header that is built anew, without
	// our own cookie: a string in a slice.
	rebuilt  = &gates{bytes: 64 + 64, objects: 1 + 2, cpu: 1.00}
	verified = &gates{bytes: 512, objects: 8, cpu: 1.03}
)

// contenders returns all of them, in the order of the tables.
func (s *stage) contenders(large bool) []*contender {
	readable := "csrftoken=" + strings.Repeat("0123456789abcdef", 2)
	token := ownCookie + "=" + strings.Repeat("A", 43) + "; " + readable
	end := ""
	if large {
		end = "-large"
	}
	page, inner := "/page"+end, "/app/page"+end
	var all []*contender
	add := func(c contender) *contender {
		all = append(all, &c)
		return &c
	}
	bare := add(contender{name: "bare Caddy, one readable cookie", at: s.bare, path: page, cookies: readable, paced: true})
	bareToken := add(contender{name: "bare Caddy, an own cookie beside it", at: s.bare, path: page, cookies: token})
	bareVisitor := add(contender{name: "bare Caddy, one sealed cookie", at: s.bare, path: page, cookies: s.visitor})
	bareUser := add(contender{name: "bare Caddy, own cookie and sealed cookie", at: s.bare, path: inner, cookies: s.one})
	add(contender{name: "forward_auth to a 204", at: s.forward, beside: s.auth, path: page, cookies: readable, bare: bare, paced: true})
	add(contender{name: "two_factor, unconcerned", at: s.ours, path: page, cookies: readable, bare: bare, gate: unconcerned, paced: true})
	add(contender{name: "two_factor, unconcerned, unknown token", at: s.ours, path: page, cookies: token, bare: bareToken, gate: rebuilt})
	add(contender{name: "two_factor, anonymous, one seal", at: s.ours, path: page, cookies: s.visitor, bare: bareVisitor, paced: true})
	add(contender{name: "two_factor, verified, 1 session", at: s.ours, path: inner, cookies: s.one, bare: bareUser, gate: verified, paced: true})
	add(contender{name: "two_factor, verified, " + count(s.sessions) + " sessions", at: s.crowd, path: inner, cookies: s.many, bare: bareUser, gate: verified, paced: true})
	return all
}
