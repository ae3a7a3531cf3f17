package twofactor

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

func init() {
	caddy.RegisterModule(MatchField{})
}

// MatchField matches requests by fields of the query and of a form, multipart or
// JSON body, for apps that tell an export, or a login, only there. A body of
// another type is not looked at, unless its type is missing or unknown.
//
// A rule must not be evaded, so in doubt the matcher matches. A field may stand
// anywhere in query and body, in every spelling that some app takes for its name
// (`action` is `Action`, `action[]` and `%61ction` too), and where it stands
// twice, one of its values is enough. Values are compared without regard to
// case and to blanks around them, a number with every spelling of it. What apps
// read in different ways, and a body that cannot be read for certain (broken,
// compressed, in another charset), counts as having the value. Within `not` it
// is the other way round: there the field must be where and as it is written for
// every app, and so must each of its values.
//
// Of a body 64 KiB are read, and put back. Outside of two_factor a longer one in
// which the field does not stand by then matches, too. Within it the body is
// watched as it goes on to the app: where the field turns up, the request is cut
// off and answered with status 413.
type MatchField struct {
	// Fields are those that must all be there.
	Fields []handler.AskedField `json:"fields"`

	matcher *handler.FieldMatcher
}

// CaddyModule returns the module's information.
func (MatchField) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.matchers.two_factor_field",
		New: func() caddy.Module { return new(MatchField) },
	}
}

// UnmarshalCaddyfile sets up the matcher from Caddyfile tokens. Syntax:
//
//	two_factor_field <name> [<value>...]
//
// Without a value any value matches; with several one is enough. In JSON the name
// is a dotted path of keys and indexes. In a block of matchers several lines may
// stand, for several fields that must all be there.
func (m *MatchField) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		at := d.Token()
		args := d.RemainingArgsAsTokens()
		if len(args) == 0 {
			return errAt(at, "two_factor_field needs the name of a field; expected: two_factor_field <name> [<value>...], for example two_factor_field action export")
		}
		if blockOpens(d) {
			return errAt(at, "two_factor_field takes no block; expected: two_factor_field <name> [<value>...]")
		}
		f := handler.AskedField{Name: args[0].Text}
		for _, arg := range args[1:] {
			f.Values = append(f.Values, arg.Text)
		}
		m.Fields = append(m.Fields, f)
		for i, arg := range args {
			if err := checkFieldText(i == 0, arg.Text); err != nil {
				return errAt(arg, "two_factor_field: %w", err)
			}
		}
		if err := m.checkTwice(); err != nil {
			return errAt(args[0], "two_factor_field: %w", err)
		}
	}
	return nil
}

// The bounds of what an operator may ask for, in bytes. A longer name would not
// be met in a body, where each of them can take six.
const (
	maxFieldName  = 128
	maxFieldValue = 1024
)

var anyPlaceholder = regexp.MustCompile(`\{[a-z][^{}\s]*\}`)

func checkFieldText(isName bool, s string) error {
	what, most := "a value", maxFieldValue
	if isName {
		what, most = "the name of a field", maxFieldName
	}
	switch {
	case isName:
		if err := checkPlainName(s); err != nil {
			return fmt.Errorf("%s %w; got %s", what, err, clip(s))
		}
	case !utf8.ValidString(s):
		return fmt.Errorf("%s must be UTF-8 text", what)
	}
	if anyPlaceholder.MatchString(s) {
		return fmt.Errorf("%s is compared as it is written, and placeholders are not replaced in it; got %s", what, clip(s))
	}
	if len(s) > most {
		return fmt.Errorf("%s has at most %d bytes; got %s", what, most, clip(s))
	}
	return nil
}

// checkTwice refuses a name that stands twice: by its values, one of which is
// enough, and by the matcher, of which all fields must be there, it would mean
// two things.
func (m *MatchField) checkTwice() error {
	names := map[string]bool{}
	for _, f := range m.Fields {
		if names[f.Name] {
			return fmt.Errorf("the field '%s' is asked for twice in one matcher: put all values behind it on one line, of which one is enough", f.Name)
		}
		names[f.Name] = true
	}
	return nil
}

// Provision checks what is asked for, and finds out within how many `not` the
// matcher stands.
func (m *MatchField) Provision(ctx caddy.Context) error {
	if len(m.Fields) == 0 {
		return errors.New("two_factor_field: it names no field, and would match every request")
	}
	for _, f := range m.Fields {
		if err := checkFieldText(true, f.Name); err != nil {
			return fmt.Errorf("two_factor_field: %w", err)
		}
		for _, v := range f.Values {
			if err := checkFieldText(false, v); err != nil {
				return fmt.Errorf("two_factor_field: %w", err)
			}
		}
	}
	if err := m.checkTwice(); err != nil {
		return fmt.Errorf("two_factor_field: %w", err)
	}
	nots := 0
	for _, holder := range ctx.Modules() {
		if _, ok := holder.(*caddyhttp.MatchNot); ok {
			nots++
		}
	}
	m.matcher = handler.NewFieldMatcher(m.Fields, nots)
	return nil
}

// MatchWithError matches a request. An error is that of reading its body.
func (m *MatchField) MatchWithError(r *http.Request) (bool, error) {
	return m.matcher.MatchWithError(r)
}

// FieldMatcher returns what matches, for the handler that asks it.
func (m *MatchField) FieldMatcher() *handler.FieldMatcher { return m.matcher }

// asksForField reports whether a set of matchers asks for a field, within not
// too.
func asksForField(set caddy.ModuleMap) bool {
	if _, ok := set["two_factor_field"]; ok {
		return true
	}
	var within []caddy.ModuleMap
	if err := json.Unmarshal(set["not"], &within); err != nil {
		return false
	}
	for _, s := range within {
		if asksForField(s) {
			return true
		}
	}
	return false
}

// Interface guards.
var (
	_ caddy.Provisioner                 = (*MatchField)(nil)
	_ caddyfile.Unmarshaler             = (*MatchField)(nil)
	_ caddyhttp.RequestMatcherWithError = (*MatchField)(nil)
)
