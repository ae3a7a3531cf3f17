package twofactor

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

const signUsage = "status <code|Nxx>..., header <name> [<glob>], redirect <path-glob>, cookie <name>, json <path> [<value>] or text <s>"

var signWords = []string{"status", "header", "redirect", "cookie", "json", "text"}

// signLine are the arguments of one line of signs.
type signLine struct {
	word caddyfile.Token
	args []caddyfile.Token
}

// signs adds one line of signs. Syntax:
//
//	yes|no <sign>...
//
// where <sign> is
//
//	status   <code|Nxx>...
//	header   <name> [<glob>]
//	redirect <path-glob>
//	cookie   <name>
//	json     <path> [<value>]
//	text     <s>
//
// Signs of one line must all be seen; of several lines one is enough. status
// takes all codes up to the next sign word. The optional <glob> and <value>
// are taken unless the next argument is a sign word; one that is itself a sign
// word is put into quotes: json state "text".
func (b *loginBlock) signs(lists *[]handler.Signs, read func(*signLine) (handler.Sign, error)) error {
	line := &signLine{word: b.Token(), args: b.RemainingArgsAsTokens()}
	if blockOpens(b.Dispenser) {
		return b.Errf("%s takes no block; expected: %s", line.word.Text, signUsage)
	}
	if len(line.args) == 0 {
		return errAt(line.word, "%s lacks a sign: %s", line.word.Text, signUsage)
	}
	var all handler.Signs
	statuses := 0
	for len(line.args) > 0 {
		at := line.args[0]
		sign, err := read(line)
		if err != nil {
			return err
		}
		if len(sign.Status) > 0 {
			if statuses++; statuses > 1 {
				return errAt(at, "%s: signs of one line must all be seen, and no answer has two statuses; "+
					"put all codes behind one status, or write two lines", line.word.Text)
			}
		}
		all = append(all, sign)
	}
	*lists = append(*lists, all)
	return nil
}

// next takes one argument of the line, which is not empty.
func (l *signLine) next() caddyfile.Token {
	arg := l.args[0]
	l.args = l.args[1:]
	return arg
}

// value takes one argument that is no sign word, if there is one.
func (l *signLine) value() (caddyfile.Token, bool) {
	if len(l.args) == 0 || isSignWord(l.args[0]) {
		return caddyfile.Token{}, false
	}
	return l.next(), true
}

func isSignWord(t caddyfile.Token) bool {
	return !t.Quoted() && slices.Contains(signWords, t.Text)
}

// yesSign reads a sign of a right password.
func (b *loginBlock) yesSign(l *signLine) (handler.Sign, error) {
	at := l.args[0]
	sign, err := b.sign(l)
	if err != nil {
		return sign, err
	}
	for _, code := range sign.Status {
		if code == "307" || code == "308" {
			return sign, errAt(at, "yes: an answer with status %s is never a yes, since it has the browser send the password again", code)
		}
	}
	return sign, nil
}

// proofSign reads a sign in the page of a proof.
func (b *loginBlock) proofSign(l *signLine) (handler.Sign, error) {
	if at := l.args[0]; isSignWord(at) && at.Text != "text" && at.Text != "json" {
		return handler.Sign{}, errAt(at, "%s: the signs of a proof are text <s> and json <path> [<value>]; got '%s'", l.word.Text, at.Text)
	}
	return b.sign(l)
}

// sign reads the next sign of the line, which is not empty.
func (b *loginBlock) sign(l *signLine) (handler.Sign, error) {
	word := l.next()
	if !isSignWord(word) {
		return handler.Sign{}, errAt(word, "%s: '%s' is no sign; there are %s", l.word.Text, word.Text, signUsage)
	}
	if word.Text == "status" {
		return l.status(word)
	}
	arg, ok := l.value()
	if !ok {
		return handler.Sign{}, errAt(word, "%s: the sign %s lacks its argument (a sign word that is meant as one is put into quotes); there are %s",
			l.word.Text, word.Text, signUsage)
	}
	wrong := func(err error) (handler.Sign, error) {
		return handler.Sign{}, errAt(arg, "%s: %s %w; got '%s'", l.word.Text, word.Text, err, arg.Text)
	}
	switch word.Text {
	case "header":
		if err := checkHeaderName(arg.Text); err != nil {
			return wrong(err)
		}
		h := &handler.HeaderSign{Name: arg.Text}
		if glob, ok := l.value(); ok {
			if glob.Text == "" {
				return handler.Sign{}, errAt(glob, "%s: the glob of header %s is empty; leave it out, or write * for any value", l.word.Text, arg.Text)
			}
			h.Glob = glob.Text
		}
		return handler.Sign{Header: h}, nil
	case "redirect":
		if err := checkRedirect(arg.Text); err != nil {
			return wrong(err)
		}
		return handler.Sign{Redirect: arg.Text}, nil
	case "cookie":
		if err := checkCookieName(arg.Text); err != nil {
			return wrong(err)
		}
		return handler.Sign{Cookie: arg.Text}, nil
	case "json":
		if err := checkJSONPath(arg.Text); err != nil {
			return wrong(err)
		}
		j := &handler.JSONSign{Path: arg.Text}
		if value, ok := l.value(); ok {
			j.Value = &value.Text
		}
		return handler.Sign{JSON: j}, nil
	default:
		if arg.Text == "" {
			return handler.Sign{}, errAt(arg, "%s: text is empty, and would be seen in every body", l.word.Text)
		}
		return handler.Sign{Text: arg.Text}, nil
	}
}

// status reads all codes up to the next sign word.
func (l *signLine) status(word caddyfile.Token) (handler.Sign, error) {
	var sign handler.Sign
	for arg, ok := l.value(); ok; arg, ok = l.value() {
		if err := checkStatus(arg.Text); err != nil {
			return sign, errAt(arg, "%s: status %w; got '%s'", l.word.Text, err, arg.Text)
		}
		sign.Status = append(sign.Status, arg.Text)
	}
	if len(sign.Status) == 0 {
		return sign, errAt(word, "%s: status lacks a code, for example status 302 or status 3xx", l.word.Text)
	}
	return sign, nil
}
