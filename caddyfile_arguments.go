package twofactor

import (
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// singles remembers where the subdirectives stood that may stand once.
type singles map[string]string

// claim refuses the subdirective at the cursor if it stood before.
func (s singles) claim(d *caddyfile.Dispenser) error {
	if at, ok := s[d.Val()]; ok {
		return d.Errf("%s is already specified at %s", d.Val(), at)
	}
	s[d.Val()] = place(d)
	return nil
}

// one reads a subdirective that may stand once and has one argument.
func (s singles) one(d *caddyfile.Dispenser, usage string, set func(arg caddyfile.Token) error) error {
	if err := s.claim(d); err != nil {
		return err
	}
	return oneArgument(d, usage, set)
}

func oneArgument(d *caddyfile.Dispenser, usage string, set func(arg caddyfile.Token) error) error {
	word := d.Val()
	args, err := arguments(d, 1, 1, usage)
	if err != nil {
		return err
	}
	if err := set(args[0]); err != nil {
		return errAt(args[0], "%s %w; got '%s'", word, err, args[0].Text)
	}
	return nil
}

// arguments reads the arguments of a line that opens no block: at least least
// of them and, if most is not 0, at most most, none of them empty.
func arguments(d *caddyfile.Dispenser, least, most int, usage string) ([]caddyfile.Token, error) {
	return argumentsOf(d.Token(), d, least, most, usage)
}

// argumentsOf is arguments where the cursor has left the subdirective's word.
func argumentsOf(word caddyfile.Token, d *caddyfile.Dispenser, least, most int, usage string) ([]caddyfile.Token, error) {
	args := d.RemainingArgsAsTokens()
	if blockOpens(d) {
		return nil, d.Errf("%s takes no block; expected: %s", word.Text, usage)
	}
	if len(args) < least {
		return nil, errAt(word, "%s lacks an argument; expected: %s", word.Text, usage)
	}
	if most > 0 && len(args) > most {
		return nil, errAt(args[most], "%s: unexpected '%s'; expected: %s", word.Text, args[most].Text, usage)
	}
	for _, arg := range args {
		if arg.Text == "" {
			return nil, errAt(arg, "an argument of %s is empty; expected: %s", word.Text, usage)
		}
	}
	return args, nil
}

// jsonPathArguments reads the two arguments 'json <path>'.
func jsonPathArguments(word caddyfile.Token, d *caddyfile.Dispenser, usage string) (string, error) {
	args, err := argumentsOf(word, d, 2, 2, usage)
	if err != nil {
		return "", err
	}
	if args[0].Text != "json" {
		return "", errAt(args[0], "%s: unexpected '%s'; expected: %s", word.Text, args[0].Text, usage)
	}
	if err := checkJSONPath(args[1].Text); err != nil {
		return "", errAt(args[1], "%s: a JSON path %w; got '%s'", word.Text, err, args[1].Text)
	}
	return args[1].Text, nil
}

// loginWords are subdirectives that are often put beside the login instead of
// into it.
var loginWords = regexp.MustCompile(`^(user|yes|no|proof|script_answer)$`)

func unknownWord(d *caddyfile.Dispenser, block, expected string) error {
	if block == "two_factor" && loginWords.MatchString(d.Val()) {
		return d.Errf("%s belongs into the block of a login", d.Val())
	}
	return d.Errf("unknown subdirective '%s' of %s; there are %s", d.Val(), block, expected)
}

// blockOpens reports whether a block opens at the end of the line, and moves
// nothing.
func blockOpens(d *caddyfile.Dispenser) bool {
	ahead := *d
	if ahead.NextLine() || !ahead.Next() {
		return false
	}
	return ahead.Val() == "{" && !ahead.Token().Quoted()
}

// errAt is an error at the line of a token.
func errAt(t caddyfile.Token, format string, args ...any) error {
	d := caddyfile.NewDispenser([]caddyfile.Token{t})
	d.Next()
	return d.Errf(format, args...)
}

// place says where the cursor is, with the import chain that led there.
func place(d *caddyfile.Dispenser) string {
	return strings.TrimPrefix(d.Err("").Error(), ", at ")
}
