package fields

import (
	"net/http"
)

// Found is what Login found.
type Found struct {
	// Login says whether both fields are there.
	Login bool
	// User is the value of the user field, without blanks around it.
	User string
	// InQuery says that the password stands in the query, so that the address
	// may be written nowhere.
	InQuery bool
}

// Login says whether query and body together carry both fields. With Login
// true and err nil, User is read for certain. An *Error means that this may be
// a login and cannot be read for certain; an *http.MaxBytesError that it is one
// with a body that is not Whole. Both must be refused.
func Login(r *http.Request, b *Body, user, password string) (Found, error) {
	c := newCollector(user, password)
	readQuery(r, c)
	if !b.whole {
		return Found{}, b.judgePrefix(c)
	}
	doubt := b.read(c)
	for i := range c.wanted {
		if !c.seen(i) && !doubt.maybe(i) {
			return Found{}, nil
		}
	}
	if doubt != nil {
		return Found{}, doubt.why
	}
	name, err := c.userName(b)
	if err != nil {
		return Found{}, err
	}
	at, err := c.once(1)
	if err != nil {
		return Found{}, err
	}
	return Found{Login: true, User: name, InQuery: at.at == inQuery}, nil
}

// judgePrefix judges the part of a body that was read, of one that is not whole.
func (b *Body) judgePrefix(c *collector) error {
	f := newLoginFinder(c)
	j := newJudge(b.media, f, c.depth())
	f.guessing = b.media.kind == kindUnknown
	j.feed(b.raw, false)
	switch {
	case !j.found():
		return nil
	case b.media.fault != nil:
		return b.media.fault
	default:
		return &http.MaxBytesError{Limit: b.limit}
	}
}

func readQuery(r *http.Request, to sink) {
	s := newFormScanner(to, inQuery)
	_ = s.scan([]byte(r.URL.RawQuery))
	_ = s.end()
}
