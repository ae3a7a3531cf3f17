package twofactor

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// matchers adds one set of matchers: a matcher token or a block of matchers.
// Syntax:
//
//	protect|public|block|logout|allow_path <m>
//
// where <m> is
//
//	/path | @name | *
//	{
//	    <matcher> <args...>
//	}
//
// What stands in one block must all match; of several lines one is enough.
func (d *directive) matchers(sets *caddyhttp.RawMatcherSets) error {
	word := d.Token()
	set, ok, err := d.matcherToken(word.Text)
	if err != nil {
		return err
	}
	if !ok {
		set, err = d.matcherBlock(word)
		if err != nil {
			return err
		}
		*sets = append(*sets, set)
		return nil
	}
	if d.NextArg() {
		return d.Errf("%s takes one matcher a line; got '%s' after it: repeat the line", word.Text, d.Val())
	}
	if blockOpens(d.Dispenser) {
		return d.Errf("%s takes a matcher token or a block of matchers, not both", word.Text)
	}
	*sets = append(*sets, set)
	return nil
}

// matcherBeforeBlock reads the matcher of a subdirective that has arguments or
// a block of its own, so that a block of matchers has no place there.
func (d *directive) matcherBeforeBlock(usage string) (caddy.ModuleMap, error) {
	word := d.Token()
	set, ok, err := d.matcherToken(word.Text)
	if err != nil {
		return nil, err
	}
	if ok {
		return set, nil
	}
	if blockOpens(d.Dispenser) {
		return nil, errAt(word, "%s needs a matcher token (/path, @name or *) on its line; a block of matchers cannot stand here: "+
			"define a named matcher, and use it as %[1]s @name; expected: %s", word.Text, usage)
	}
	return nil, errAt(word, "%s needs a matcher: /path, @name or *; expected: %s", word.Text, usage)
}

// matcherToken reads the next argument if there is one, which must be a
// matcher token then.
func (d *directive) matcherToken(word string) (caddy.ModuleMap, bool, error) {
	if !d.NextArg() {
		return nil, false, nil
	}
	arg := d.Token()
	if strings.HasPrefix(arg.Text, "/") && strings.ContainsAny(arg.Text, "?#") {
		return nil, false, errAt(arg, "%s: a path matcher sees no query and no fragment, so '%s' would never match; "+
			"define a named matcher with path and query", word, arg.Text)
	}
	d.Prev()
	set, ok, err := d.MatcherToken()
	if err != nil {
		return nil, false, errAt(arg, "%s: %w", word, err)
	}
	if !ok {
		return nil, false, errAt(arg, "%s expects a matcher: /path, @name or *; got '%s'", word, arg.Text)
	}
	if arg.Text == "*" {
		return anyRequest(), true, nil
	}
	if err := checkSet(arg, word, set); err != nil {
		return nil, false, err
	}
	return set, true, nil
}

// matcherBlock reads a block of matchers.
func (d *directive) matcherBlock(word caddyfile.Token) (caddy.ModuleMap, error) {
	if !blockOpens(d.Dispenser) {
		return nil, errAt(word, "%s needs a matcher: /path, @name, * or a block of matchers", word.Text)
	}
	if err := d.lookAhead(word.Text); err != nil {
		return nil, err
	}
	set, err := caddyhttp.ParseCaddyfileNestedMatcherSet(d.Dispenser)
	if err != nil {
		return nil, err
	}
	return set, checkSet(word, word.Text, set)
}

// lookAhead refuses what is no matcher in the block that opens here, with its
// own line. It moves nothing.
func (d *directive) lookAhead(word string) error {
	ahead := *d.Dispenser
	for nesting := ahead.Nesting(); ahead.NextBlock(nesting); {
		name := ahead.Token()
		if name.Quoted() {
			continue
		}
		if strings.HasPrefix(name.Text, "@") || strings.HasPrefix(name.Text, "/") || name.Text == "*" {
			return ahead.Errf("a block holds matchers such as path and method; a matcher token stands on the line itself: %s %s", word, name.Text)
		}
		if _, err := caddy.GetModule("http.matchers." + name.Text); err != nil {
			return ahead.Errf("%s: there is no request matcher '%s'", word, name.Text)
		}
		ahead.NextSegment()
	}
	return nil
}

// checkSet refuses a set that matches everything because nothing is in it, and
// one with a matcher that lost its arguments.
func checkSet(at caddyfile.Token, word string, set caddy.ModuleMap) error {
	if len(set) == 0 {
		return errAt(at, "the matcher of %s is empty, and would match every request; write * if that is meant", word)
	}
	if asksForField(set) {
		switch word {
		case "public", "allow_path":
			return errAt(at, "%s cannot be told by %w", word, handler.ErrOpens)
		case "trust", "always", "never":
			return errAt(at, "%s cannot be told by %w", word, handler.ErrOwnField)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		switch string(set[name]) {
		case "null", "[]", "":
			return errAt(at, "%s: the matcher '%s' has no arguments", word, name)
		}
	}
	return nil
}

// anyRequest is the matcher of the token *. It is not written as an empty set
// of matchers, since one that is empty by mistake would match everything too.
func anyRequest() caddy.ModuleMap {
	return caddy.ModuleMap{"path": json.RawMessage(`["*"]`)}
}
