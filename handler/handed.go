package handler

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// What an IdentityHeader can say.
const (
	HandUser       = "user"
	HandAccount    = "account"
	HandFactor     = "factor"
	HandFactorTime = "factor_time"
	HandScore      = "score"
)

// HandedValues are all that an IdentityHeader can say.
func HandedValues() []string {
	return []string{HandUser, HandAccount, HandFactor, HandFactorTime, HandScore}
}

// maxHanded is the longest name that is handed to the app, in bytes.
const maxHanded = 1024

// handedField is an IdentityHeader at work.
type handedField struct {
	// name is the field's name as Go writes it, folded as foldHeader does.
	name, folded, value string
}

func newHanded(headers []IdentityHeader) ([]handedField, error) {
	var list []handedField
	for _, h := range headers {
		if err := CheckIdentityHeader(h.Name); err != nil {
			return nil, fmt.Errorf("identity_header %w; got '%s'", err, bounded(h.Name, 64))
		}
		if !slices.Contains(HandedValues(), h.Value) {
			return nil, fmt.Errorf("identity_header %s says %s, not '%s'", h.Name, strings.Join(HandedValues(), ", "), bounded(h.Value, 64))
		}
		f := handedField{name: http.CanonicalHeaderKey(h.Name), folded: foldHeader(h.Name), value: h.Value}
		if slices.ContainsFunc(list, func(o handedField) bool { return o.folded == f.folded }) {
			return nil, fmt.Errorf("identity_header %s is there twice", h.Name)
		}
		list = append(list, f)
	}
	return list, nil
}

// foldHeader returns a field name as the most forgiving servers hand it to an
// app: CGI knows no hyphen, PHP no dot, and Apache nothing but letters and
// digits.
func foldHeader(name string) string {
	b := []byte(name)
	for i := range b {
		b[i] = foldByte(b[i])
	}
	return string(b)
}

func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	default:
		return '_'
	}
}

// isHanded reports whether an app could take a field for one by which the
// gateway tells it who is verified.
func (g *Gate) isHanded(name string) bool {
	for i := range g.handed {
		if foldsTo(name, g.handed[i].folded) {
			return true
		}
	}
	return false
}

// foldsTo reports whether foldHeader makes folded of name, without making it.
func foldsTo(name, folded string) bool {
	if len(name) != len(folded) {
		return false
	}
	for i := range len(name) {
		if foldByte(name[i]) != folded[i] {
			return false
		}
	}
	return true
}

// takeOffIdentity takes off what only the gateway may say (rule 27).
func (g *Gate) takeOffIdentity(h http.Header) {
	if len(g.handed) == 0 {
		return
	}
	for name := range h {
		if g.isHanded(name) {
			delete(h, name)
		}
	}
}

// handIdentity tells the app who is verified.
func (v *visit) handIdentity() {
	if len(v.g.handed) == 0 || !v.verified() {
		return
	}
	for i := range v.g.handed {
		f := &v.g.handed[i]
		value, ok := handedText(f.value, &v.session)
		if ok {
			v.r.Header[f.name] = []string{value}
			continue
		}
		if (f.value == HandUser || f.value == HandAccount) && v.g.unsaid.CompareAndSwap(false, true) {
			v.g.Logger.Warn("the name of a user cannot stand in a header and is not handed to the app: it is longer than 1024 bytes, or has control characters",
				zap.String("identity_header", f.name), zap.String("user", v.session.User))
		}
	}
}

// handedText is what a field says of a session, and whether there is anything.
func handedText(value string, s *account.Session) (string, bool) {
	switch value {
	case HandUser:
		return headerText(s.User)
	case HandAccount:
		return headerText(s.Account)
	case HandFactor:
		kind, _ := s.LastFactor()
		return string(kind), kind != ""
	case HandFactorTime:
		_, at := s.LastFactor()
		return timeText(at), !at.IsZero()
	default:
		return strconv.Itoa(s.Score), true
	}
}

// timeText is a time in RFC 3339, in UTC, without fractions of a second.
func timeText(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// headerText is a name as it can stand in a header, so that no two names look
// the same there: servers cut blanks off at its ends, and few read anything but
// ASCII. It returns false for what cannot.
func headerText(name string) (string, bool) {
	if name == "" || len(name) > maxHanded || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", false
	}
	plain := func(i int) bool {
		c := name[i]
		return c == ' ' && i > 0 && i < len(name)-1 || '!' <= c && c <= '~' && c != '%'
	}
	more := 0
	for i := range len(name) {
		if !plain(i) {
			more += 2
		}
	}
	if more == 0 {
		return name, true
	}
	b := make([]byte, 0, len(name)+more)
	for i := range len(name) {
		if plain(i) {
			b = append(b, name[i])
			continue
		}
		b = append(b, '%', "0123456789ABCDEF"[name[i]>>4], "0123456789ABCDEF"[name[i]&15])
	}
	return string(b), true
}

// trailing is the body of a request that goes on unwatched, but for what its
// trailer may not say.
type trailing struct {
	io.ReadCloser
	g *Gate
	r *http.Request
}

// watchTrailer sees to it that the trailer of a request says nothing either
// that only the gateway may say.
func (v *visit) watchTrailer() {
	if len(v.g.handed) > 0 && v.hasBody() {
		v.r.Body = trailing{v.r.Body, v.g, v.r}
	}
}

// Read hands a piece of the body on.
func (t trailing) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err == io.EOF { //nolint:errorlint // Readers return it as it is.
		for name := range t.r.Trailer {
			if t.g.isHanded(name) {
				delete(t.r.Trailer, name)
			}
		}
	}
	return n, err
}
