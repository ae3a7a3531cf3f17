package twofactor

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/text/language"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// loginBlock reads one login block.
type loginBlock struct {
	*directive
	start caddyfile.Token
	login handler.Login
	once  singles
}

// login adds one of the app's logins. Syntax:
//
//	login <m> | fields <user> <password> {
//	    user          form|json|query|header <name> | basic | placeholder <p>
//	    yes           <sign>...
//	    no            <sign>...
//	    proof         <address> | location { … }
//	    team          form|json|query|header|placeholder <name>
//	    token         json <path>
//	    script_answer problem | status <code> [<json>]
//	    policy        [<preset>] { … }
//	}
//
// Here <m> is one matcher token, since the block is login's own. A login is
// told by it, or by its two fields anywhere in query and body; fields says where
// the user name stands, too. Several login blocks may stand; the first that
// matches counts.
func (d *directive) login() error {
	b := &loginBlock{directive: d, start: d.Token(), once: singles{}}
	if err := b.head(); err != nil {
		return err
	}
	if !blockOpens(d.Dispenser) {
		return errAt(b.start, "login needs a block that says how the app answers a right and a wrong password: "+
			"yes <sign>..., no <sign>..., or a proof")
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := b.subdirective(); err != nil {
			return err
		}
	}
	if err := b.check(); err != nil {
		return err
	}
	d.hd.Logins = append(d.hd.Logins, b.login)
	return nil
}

// head reads what tells the login.
func (b *loginBlock) head() error {
	const usage = "login <m> { … } or login fields <user> <password> { … }, for example login fields email password"
	ahead := *b.Dispenser
	if ahead.NextArg() && ahead.Val() == "fields" {
		b.NextArg()
		return b.fields(usage)
	}
	set, err := b.matcherBeforeBlock(usage)
	if err != nil {
		return err
	}
	if b.NextArg() {
		return b.Errf("login: unexpected '%s'; expected: %s", b.Val(), usage)
	}
	b.login.MatchRaw = caddyhttp.RawMatcherSets{set}
	return nil
}

func (b *loginBlock) fields(usage string) error {
	args := b.RemainingArgsAsTokens()
	if len(args) != 2 {
		return errAt(b.start, "login fields takes the names of the user field and of the password field; expected: %s", usage)
	}
	for _, arg := range args {
		if err := checkPlainName(arg.Text); err != nil {
			return errAt(arg, "login fields: the name of a field %w; got '%s'", err, arg.Text)
		}
	}
	if args[0].Text == args[1].Text {
		return errAt(args[1], "login fields: user and password must be two fields; got '%s' for both", args[1].Text)
	}
	b.login.Fields = &handler.Fields{User: args[0].Text, Password: args[1].Text}
	return nil
}

func (b *loginBlock) subdirective() error {
	switch b.Val() {
	case "user":
		return b.user()
	case "yes":
		return b.signs(&b.login.Yes, b.yesSign)
	case "no":
		return b.signs(&b.login.No, b.sign)
	case "proof":
		return b.proof()
	case "team":
		return b.team()
	case "token":
		return b.tokenJSON()
	case "script_answer":
		return b.scriptAnswer()
	case "policy":
		if err := b.once.claim(b.Dispenser); err != nil {
			return err
		}
		var err error
		b.login.Policy, err = b.policyOfLogin()
		return err
	default:
		return unknownWord(b.Dispenser, "login", "user, yes, no, proof, team, token, script_answer and policy")
	}
}

// user sets where the user name of the login stands. Syntax:
//
//	user form|json|query|header <name> | basic | placeholder <p>
func (b *loginBlock) user() error {
	const usage = "user form|json|query|header <name> | basic | placeholder <p>, for example user form email"
	if err := b.once.claim(b.Dispenser); err != nil {
		return err
	}
	args, err := arguments(b.Dispenser, 1, 2, usage)
	if err != nil {
		return err
	}
	from := args[0]
	if from.Text == handler.FromBasic {
		if len(args) > 1 {
			return errAt(args[1], "user basic takes no name; got '%s'", args[1].Text)
		}
		b.login.User = &handler.UserSource{From: from.Text}
		return nil
	}
	b.login.User, err = source("user", usage, args)
	return err
}

// team sets where the name of the user's team stands. Syntax:
//
//	team form|json|query|header|placeholder <name>
func (b *loginBlock) team() error {
	const usage = "team form|json|query|header|placeholder <name>, for example team form company"
	if err := b.once.claim(b.Dispenser); err != nil {
		return err
	}
	args, err := arguments(b.Dispenser, 1, 2, usage)
	if err != nil {
		return err
	}
	b.login.Team, err = source("team", usage, args)
	return err
}

// source reads where the name of a user or a team stands.
func source(word, usage string, args []caddyfile.Token) (*handler.UserSource, error) {
	from := args[0]
	switch from.Text {
	case handler.FromForm, handler.FromJSON, handler.FromQuery, handler.FromHeader, handler.FromPlaceholder:
	default:
		return nil, errAt(from, "%s: unexpected '%s'; expected: %s", word, from.Text, usage)
	}
	if len(args) < 2 {
		return nil, errAt(from, "%s %s lacks a name; expected: %s", word, from.Text, usage)
	}
	if err := checkSourceName(from.Text, args[1].Text); err != nil {
		return nil, errAt(args[1], "%s %s %w; got '%s'", word, from.Text, err, args[1].Text)
	}
	return &handler.UserSource{From: from.Text, Name: args[1].Text}, nil
}

// tokenJSON sets where the script's token stands in the answer. Syntax:
//
//	token json <path>
func (b *loginBlock) tokenJSON() error {
	if err := b.once.claim(b.Dispenser); err != nil {
		return err
	}
	path, err := jsonPathArguments(b.Token(), b.Dispenser, "token json <path>, for example token json access_token")
	if err != nil {
		return err
	}
	b.login.TokenJSON = path
	return nil
}

// scriptAnswer sets what a login by script gets while its answer is held.
// Syntax:
//
//	script_answer problem | status <code> [<json>]
//
// The default is problem: a 401 problem document.
func (b *loginBlock) scriptAnswer() error {
	const usage = "script_answer problem | status <code> [<json>], for example script_answer status 401 `{\"error\":\"reload\"}`"
	if err := b.once.claim(b.Dispenser); err != nil {
		return err
	}
	args, err := arguments(b.Dispenser, 1, 3, usage)
	if err != nil {
		return err
	}
	switch kind := args[0]; {
	case kind.Text == "problem" && len(args) == 1:
		return nil
	case kind.Text == "status" && len(args) > 1:
	case kind.Text == "status":
		return errAt(kind, "script_answer status lacks its code; expected: %s", usage)
	case kind.Text == "problem":
		return errAt(args[1], "script_answer problem takes nothing more; got '%s'", args[1].Text)
	default:
		return errAt(kind, "script_answer: unexpected '%s'; expected: %s", kind.Text, usage)
	}
	code, err := strconv.Atoi(args[1].Text)
	if err != nil || code < 200 || code > 599 || len(args[1].Text) != 3 {
		return errAt(args[1], "script_answer: the status must be from 200 to 599; got '%s'", args[1].Text)
	}
	answer := &handler.ScriptAnswer{Status: code}
	if len(args) == 3 {
		if !json.Valid([]byte(args[2].Text)) {
			return errAt(args[2], "script_answer: the body must be JSON in one argument, in backticks if it has quotes or blanks; got '%s'", args[2].Text)
		}
		if code == http.StatusNoContent || code == http.StatusResetContent || code == http.StatusNotModified {
			return errAt(args[2], "script_answer: an answer with status %d has no body", code)
		}
		answer.Body = json.RawMessage(args[2].Text)
	}
	b.login.ScriptAnswer = answer
	return nil
}

// proof sets the page that the gateway asks the app for. Syntax:
//
//	proof <address> | location {
//	    yes      <sign>...
//	    no       <sign>...
//	    user     json <path> | regex <re>
//	    team     json <path> | regex <re>
//	    language <tag>
//	}
//
// The signs of a proof are text and json only. In an <address> the placeholder
// {http.two_factor.user} stands for the user name of the login; location is
// the Location of the app's answer.
func (b *loginBlock) proof() error {
	const usage = "proof <address> | location { … }, for example proof /profile { yes text \"Log out\" }"
	start := b.Token()
	if err := b.once.claim(b.Dispenser); err != nil {
		return err
	}
	args := b.RemainingArgsAsTokens()
	if len(args) != 1 {
		return errAt(start, "proof takes one address, or the word location; expected: %s", usage)
	}
	p := &handler.Proof{}
	if args[0].Text == "location" {
		p.Location = true
	} else {
		if err := checkProofAddress(args[0].Text); err != nil {
			return errAt(args[0], "the address of a proof %w; got '%s'", err, args[0].Text)
		}
		p.Address = args[0].Text
	}
	if !blockOpens(b.Dispenser) {
		return errAt(start, "proof needs a block that says how its page tells a user from a visitor; expected: %s", usage)
	}
	once := singles{}
	for nesting := b.Nesting(); b.NextBlock(nesting); {
		if err := b.proofSubdirective(p, once); err != nil {
			return err
		}
	}
	if len(p.Yes) == 0 && len(p.No) == 0 && p.User == nil {
		return errAt(start, "proof needs a yes, a no or a user")
	}
	if err := differ(start, p.Yes, p.No); err != nil {
		return err
	}
	b.login.Proof = p
	return nil
}

func (b *loginBlock) proofSubdirective(p *handler.Proof, once singles) error {
	switch b.Val() {
	case "yes":
		return b.signs(&p.Yes, b.proofSign)
	case "no":
		return b.signs(&p.No, b.proofSign)
	case "user", "team":
		if err := once.claim(b.Dispenser); err != nil {
			return err
		}
		return b.proofUser(p)
	case "language":
		return once.one(b.Dispenser, "language <tag>, for example language en", func(arg caddyfile.Token) error {
			p.Language = arg.Text
			if _, err := language.Parse(arg.Text); err != nil {
				return errors.New("must be a language tag such as en or pt-BR")
			}
			return nil
		})
	default:
		return unknownWord(b.Dispenser, "proof", "yes, no, user, team and language")
	}
}

// proofUser sets how the page says who is logged in, or of which team. Syntax:
//
//	user json <path> | regex <re>
//	team json <path> | regex <re>
func (b *loginBlock) proofUser(p *handler.Proof) error {
	word, example := b.Val(), "user json data.email"
	if word == "team" {
		example = "team json data.company"
	}
	args, err := arguments(b.Dispenser, 2, 2, word+" json <path> | regex <re>, for example "+example)
	if err != nil {
		return err
	}
	made := new(handler.ProofUser)
	switch kind, value := args[0], args[1]; kind.Text {
	case "json":
		if err := checkJSONPath(value.Text); err != nil {
			return errAt(value, "%s json: a JSON path %w; got '%s'", word, err, value.Text)
		}
		made.JSON = value.Text
	case "regex":
		re, err := regexp.Compile(value.Text)
		if err != nil {
			return errAt(value, "%s regex: %w", word, err)
		}
		if n := re.NumSubexp(); n != 1 {
			return errAt(value, "%s regex must have exactly one group, which is the name; '%s' has %d", word, value.Text, n)
		}
		made.Regex = value.Text
	default:
		return errAt(kind, "%s in a proof expects json or regex; got '%s'", word, kind.Text)
	}
	if word == "team" {
		p.Team = made
	} else {
		p.User = made
	}
	return nil
}

// check says what is wrong with the login as a whole.
func (b *loginBlock) check() error {
	l, p := &b.login, b.login.Proof
	if p == nil {
		p = &handler.Proof{}
	}
	if len(l.Yes) == 0 && len(p.Yes) == 0 && p.User == nil {
		return errAt(b.start, "login needs a yes: how the app's answer to a right password is told (yes <sign>..., or a proof with yes or user)")
	}
	if len(l.No) == 0 && len(p.No) == 0 {
		return errAt(b.start, "login needs a no: how the app's answer to a wrong password is told (no <sign>..., or a proof with no)")
	}
	if err := differ(b.start, l.Yes, l.No); err != nil {
		return err
	}
	if l.Fields != nil && l.User != nil {
		return errAt(b.start, "login fields says already where the user name stands, in the field '%s'; leave user out", l.Fields.User)
	}
	if l.Fields == nil && l.User == nil && p.User == nil {
		return errAt(b.start, "login needs to know who logs in: user form|json|query|header <name>, user basic, "+
			"user placeholder <p>, or a proof with user")
	}
	for _, earlier := range b.hd.Logins {
		if reflect.DeepEqual(earlier.MatchRaw, l.MatchRaw) && reflect.DeepEqual(earlier.Fields, l.Fields) {
			return errAt(b.start, "this login is never reached: one before it matches the same requests")
		}
	}
	return nil
}

// differ refuses signs that are both yes and no, since what shows both is not
// recognised.
func differ(at caddyfile.Token, yes, no []handler.Signs) error {
	for _, y := range yes {
		if slices.ContainsFunc(no, func(n handler.Signs) bool { return reflect.DeepEqual(y, n) }) {
			return errAt(at, "a yes and a no of this %s are the same signs, so that neither would be recognised", at.Text)
		}
	}
	return nil
}
