package demoapp

import (
	"crypto/rand"
	"slices"
	"time"
)

const (
	graceOfOldValue   = 5 * time.Second
	maxFormTokens     = 64
	maxValues         = 20_000
	lifeOfIdleVisitor = 30 * time.Minute
)

// scope is where in the app a session's value is good.
type scope int

const (
	scopeAll scope = iota
	scopeContacts
	scopeNotContacts
)

func (s scope) covers(contacts bool) bool {
	if s == scopeAll {
		return true
	}
	return contacts == (s == scopeContacts)
}

type session struct {
	user     string
	users    []string // all of them, with Options.SeveralUsers
	tokens   []string
	message  string // for the next login page
	started  time.Time
	current  string // the value for the whole app
	contacts string // the value for /contacts, with Options.TwoPaths
}

type value struct {
	session *session
	scope   scope
	until   time.Time // zero: as long as the session
}

// sessions is the app's session table. Its caller holds the app's mutex.
type sessions struct {
	values   map[string]value
	remember map[string]string
}

func newSessions() *sessions {
	return &sessions{values: map[string]value{}, remember: map[string]string{}}
}

func (t *sessions) start(user string, now time.Time) *session {
	if len(t.values) >= maxValues {
		t.sweep(now)
	}
	s := &session{user: user, started: now, current: rand.Text()}
	if user != "" {
		s.users = []string{user}
	}
	t.values[s.current] = value{session: s}
	return s
}

// sweep keeps visitors who never come back from filling the memory.
func (t *sessions) sweep(now time.Time) {
	for id, v := range t.values {
		idle := v.session.user == "" && now.Sub(v.session.started) > lifeOfIdleVisitor
		if idle || expired(v, now) {
			delete(t.values, id)
		}
	}
}

func expired(v value, now time.Time) bool {
	return !v.until.IsZero() && now.After(v.until)
}

func (t *sessions) find(id string, contacts bool, now time.Time) *session {
	v, ok := t.values[id]
	if !ok || !v.scope.covers(contacts) {
		return nil
	}
	if expired(v, now) {
		delete(t.values, id)
		return nil
	}
	return v.session
}

// copyOf starts a session with another's content.
func (t *sessions) copyOf(s *session, now time.Time) *session {
	if s == nil {
		return t.start("", now)
	}
	c := t.start(s.user, now)
	c.tokens, c.users = slices.Clone(s.tokens), slices.Clone(s.users)
	return c
}

// renew gives the session a new value. The old one is good until then; the
// zero time ends it at once.
func (t *sessions) renew(s *session, until time.Time) {
	old := s.current
	v := t.values[old]
	s.current = rand.Text()
	t.values[s.current] = v
	if until.IsZero() {
		delete(t.values, old)
		return
	}
	v.until = until
	t.values[old] = v
}

// split gives the session a value of its own for /contacts.
func (t *sessions) split(s *session) {
	delete(t.values, s.contacts)
	s.contacts = rand.Text()
	t.values[s.contacts] = value{session: s, scope: scopeContacts}
	t.values[s.current] = value{session: s, scope: scopeNotContacts}
}

func (t *sessions) end(s *session) {
	for id, v := range t.values {
		if v.session == s {
			delete(t.values, id)
		}
	}
}

func (s *session) newToken() string {
	token := rand.Text()
	s.tokens = append(s.tokens, token)
	if len(s.tokens) > maxFormTokens {
		s.tokens = slices.Delete(s.tokens, 0, len(s.tokens)-maxFormTokens)
	}
	return token
}

// spend takes a form's token; each is good once.
func (s *session) spend(token string) bool {
	i := slices.Index(s.tokens, token)
	if i < 0 {
		return false
	}
	s.tokens = slices.Delete(s.tokens, i, i+1)
	return true
}
