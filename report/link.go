package report

import (
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// login is one right password of the log, or one decision inside a session.
type login struct {
	instance string
	// facts have time, user and account; nothing else where known is false.
	facts policy.Facts
	known bool
	// observed says that nobody was held to the decision, inSession that it is
	// none of a login.
	observed, inSession bool
	// stranger says that there was no account, so that no policy was asked.
	stranger bool
	// verified says that the account got used to it.
	verified bool
	decided  outcome
}

// asked is a challenge. Of a step-up only what it was opened for matters.
type asked struct {
	instance string
	at       time.Time
	stepUp   bool
	// wrong says that a code did not pass.
	passed, cancelled, wrong bool
}

// sent is a text that a provider took, or may have.
type sent struct {
	instance string
	at       time.Time
	stepUp   bool
}

// noFactor is a login that was refused since the account had nothing to ask for.
type noFactor struct {
	instance string
	at       time.Time
}

// soon is how long the event that belongs to another can take: both are recorded
// while one request is answered.
const soon = time.Minute

type accountOf struct{ instance, account string }

type challengeOf struct{ instance, id string }

// links find the login that an event is about.
type links struct {
	// allowed, challenged and again are the logins of an account of which more
	// may come.
	allowed, challenged, again map[accountOf][]waiting
	challenges                 map[challengeOf]link
}

// waiting is a login of which more may come.
type waiting struct {
	at    time.Time
	login int
}

// link is a challenge with its login; -1 for none.
type link struct{ challenge, login int }

func newLinks() links {
	return links{map[accountOf][]waiting{}, map[accountOf][]waiting{}, map[accountOf][]waiting{}, map[challengeOf]link{}}
}

// push notes a login, and forgets those that wait too long.
func push(m map[accountOf][]waiting, who accountOf, w waiting) {
	list := m[who]
	for len(list) > 0 && w.at.Sub(list[0].at) > soon {
		list = list[1:]
	}
	m[who] = append(list, w)
}

// pop returns the login of an account that waits longest; -1 if there is none.
func pop(m map[accountOf][]waiting, who accountOf, now time.Time) int {
	list := m[who]
	for len(list) > 0 && now.Sub(list[0].at) > soon {
		list = list[1:]
	}
	if len(list) == 0 {
		delete(m, who)
		return -1
	}
	m[who] = list[1:]
	return list[0].login
}

// event takes an event in.
func (r *reader) event(l *line) {
	who := accountOf{l.Instance, l.Account}
	switch l.Event {
	case eventAssessed:
		r.assessed(l, who)
	case eventOpened:
		r.opened(l, who)
	case eventSent:
		if l.Result == resultTaken || l.Result == resultUnknown {
			at, ok := r.links.challenges[challengeOf{l.Instance, l.Challenge}]
			r.log.sent = append(r.log.sent, sent{l.Instance, l.Time, !ok || r.log.challenges[at.challenge].stepUp})
		}
	case eventPassed:
		r.onChallenge(l, func(a *asked) { a.passed = true })
		r.verify(r.challengeLogin(l))
	case eventCancelled:
		r.onChallenge(l, func(a *asked) { a.cancelled = true })
	case eventUsedUp, eventPaused:
		r.onChallenge(l, func(a *asked) { a.wrong = true })
	case eventFailed:
		if l.Result == resultNoFactor {
			r.log.refused = append(r.log.refused, noFactor{l.Instance, l.Time})
		}
		r.onChallenge(l, func(a *asked) { a.wrong = true })
	case eventSucceeded:
		if l.Challenge != "" {
			r.verify(r.challengeLogin(l))
			return
		}
		r.verify(pop(r.links.allowed, who, l.Time))
	}
}

func (r *reader) assessed(l *line, who accountOf) {
	n := login{
		instance: l.Instance, decided: outcomeOf(l), known: l.Facts != nil,
		observed: l.Detail == detailObserved, inSession: l.Detail == detailInSession,
	}
	if l.Facts != nil {
		n.facts = *l.Facts
		n.stranger = l.Policy == "" && len(l.Signals) == 0
	}
	n.facts.Time, n.facts.User, n.facts.Account = l.Time, l.User, l.Account
	n.verified = n.observed
	at := waiting{l.Time, len(r.log.logins)}
	switch {
	case n.observed:
	case n.inSession:
		push(r.links.again, who, at)
	case l.Verdict == policy.Allow:
		push(r.links.allowed, who, at)
	case l.Verdict == policy.Challenge:
		push(r.links.challenged, who, at)
	}
	r.log.logins = append(r.log.logins, n)
}

func (r *reader) opened(l *line, who accountOf) {
	from := r.links.challenged
	stepUp := l.Result != resultOpened
	if stepUp {
		from = r.links.again
	}
	r.links.challenges[challengeOf{l.Instance, l.Challenge}] = link{len(r.log.challenges), pop(from, who, l.Time)}
	r.log.challenges = append(r.log.challenges, asked{instance: l.Instance, at: l.Time, stepUp: stepUp})
}

func (r *reader) onChallenge(l *line, note func(*asked)) {
	if at, ok := r.links.challenges[challengeOf{l.Instance, l.Challenge}]; ok {
		note(&r.log.challenges[at.challenge])
	}
}

// challengeLogin is the login of a challenge; -1 if it is not known.
func (r *reader) challengeLogin(l *line) int {
	if at, ok := r.links.challenges[challengeOf{l.Instance, l.Challenge}]; ok {
		return at.login
	}
	return -1
}

func (r *reader) verify(login int) {
	if login >= 0 {
		r.log.logins[login].verified = true
	}
}
