package demoapp

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"
)

const (
	lifeOfToken = 5 * time.Minute
	// renewableFor is how long a token can be changed for a new one.
	renewableFor = time.Hour
)

// token is what a script shows in place of a session cookie.
type token struct {
	value, user string
	given       time.Time
}

// tokens is the app's token table. Its caller holds the app's mutex.
type tokens struct{ values map[string]*token }

func newTokens() *tokens { return &tokens{values: map[string]*token{}} }

func (t *tokens) give(user string, now time.Time) *token {
	if len(t.values) >= maxValues {
		for value, old := range t.values {
			if now.Sub(old.given) > renewableFor {
				delete(t.values, value)
			}
		}
	}
	n := &token{value: rand.Text(), user: user, given: now}
	t.values[n.value] = n
	return n
}

func (t *tokens) drop(old *token) {
	if old != nil {
		delete(t.values, old.value)
	}
}

// findToken is the token of a request: in the Authorization header or, where
// there is none, in the query. One that is too old is good for a new one only.
func (v *visit) findToken() *token {
	value := v.query.Get("access_token")
	if scheme, credential, ok := strings.Cut(v.r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		value = credential
	}
	life := lifeOfToken
	if v.page == PageAPIRefresh {
		life = renewableFor
	}
	found := v.app.tokens.values[value]
	if found == nil || v.now.Sub(found.given) >= life {
		return nil
	}
	return found
}

func (v *visit) giveToken(user string) answer {
	return jsonAnswer(http.StatusOK, map[string]any{
		"access_token": v.app.tokens.give(user, v.now).value,
		"token_type":   "Bearer",
		"expires_in":   int(lifeOfToken / time.Second),
	})
}

// refresh changes a token for a new one.
func (v *visit) refresh() answer {
	if v.token == nil || v.reads() {
		return notSignedIn()
	}
	v.app.tokens.drop(v.token)
	return v.giveToken(v.token.user)
}

// listContacts is the list as JSON.
func (v *visit) listContacts() answer {
	if v.token == nil {
		return notSignedIn()
	}
	return v.listAll()
}

func (v *visit) listAll() answer {
	search, _ := v.field("q")
	list := []map[string]string{}
	for _, person := range findContacts(search) {
		fields := map[string]string{}
		for _, c := range columns {
			fields[c.Name] = c.of(person)
		}
		list = append(list, fields)
	}
	return jsonAnswer(http.StatusOK, map[string]any{"contacts": list})
}
