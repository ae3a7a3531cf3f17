package handler

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/internal/fields"
)

// AskedField is a field that a matcher asks for.
type AskedField struct {
	// Name is the field's name as it stands in a query or a form; in JSON, the
	// dotted path of keys and indexes.
	Name string `json:"name"`
	// Values are those of which one is enough. Default: any value, an empty one
	// too.
	Values []string `json:"values,omitempty"`
}

// FieldMatcher tells requests by fields of query and body. It is safe for use
// by many requests at once.
type FieldMatcher struct {
	condition *fields.Condition
	names     []string
	nots      int
}

// NewFieldMatcher returns a matcher that matches where all fields are there. It
// stands within so many negations: in doubt it says what makes the whole match.
func NewFieldMatcher(asked []AskedField, nots int) *FieldMatcher {
	m := &FieldMatcher{nots: nots}
	var all []fields.Field
	for _, a := range asked {
		all = append(all, fields.Field(a))
		m.names = append(m.names, a.Name)
	}
	m.condition = fields.NewCondition(all...)
	return m
}

// say says what a request with this raw query and body has of the fields.
func (m *FieldMatcher) say(query string, body *fields.Body) fields.Verdict {
	if m.nots%2 == 0 {
		return m.condition.In(query, body)
	}
	if m.condition.Surely(query, body) {
		return fields.Present
	}
	return fields.Absent
}

// MatchWithError matches a request. One that a gate asks about is judged by what
// the gate has read of it; of any other up to 64 KiB of the body are read and put
// back, and what cannot be decided by them counts as matching. The error is that
// of reading the body.
func (m *FieldMatcher) MatchWithError(r *http.Request) (bool, error) {
	if a, ok := r.Context().Value(askingKey{}).(*asking); ok {
		if a.opens {
			// What every app reads in one field does not tell what some app does
			// for another, so that a field opens nothing.
			return m.nots%2 == 1, nil
		}
		return a.visit.hasField(r, a.rule, m)
	}
	body, err := fields.Read(r, maxBody)
	if err != nil {
		return false, (&unreadBody{err}).answer()
	}
	said := m.say(r.URL.RawQuery, body)
	return said == fields.Present || said == fields.Beyond && !body.IsOpaque(), nil
}

// unreadBody means that a body that a rule asks about cannot be read: the client
// has gone, or the body is larger than the operator lets through.
type unreadBody struct{ err error }

// Error says so.
func (u *unreadBody) Error() string { return "two_factor_field: reading the body: " + u.err.Error() }

// Unwrap returns the error of reading.
func (u *unreadBody) Unwrap() error { return u.err }

// answer is the error that Caddy answers.
func (u *unreadBody) answer() error {
	var tooLarge *http.MaxBytesError
	if errors.As(u.err, &tooLarge) {
		return caddyhttp.Error(http.StatusRequestEntityTooLarge, u)
	}
	return caddyhttp.Error(http.StatusBadRequest, u)
}

// asking is a gate that asks a rule about a request.
type asking struct {
	visit *visit
	rule  *fieldRule
	// opens says that something opens if the rule matches.
	opens bool
}

type askingKey struct{}

// forRule is a request with the gate that asks about it in its context, if the
// rule asks for a field.
func (v *visit) forRule(r *http.Request, ms caddyhttp.MatcherSets, opens bool) *http.Request {
	rule := v.g.fieldRules[&ms[0]]
	if rule == nil {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), askingKey{}, &asking{v, rule, opens}))
}

// cutBy is set when a request was cut off for a field.
type cutBy struct{ atomic.Bool }
