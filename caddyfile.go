package twofactor

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("two_factor", parseDirective)
	httpcaddyfile.RegisterDirectiveOrder("two_factor", httpcaddyfile.After, "forward_auth")
	httpcaddyfile.RegisterGlobalOption("two_factor", parseGlobalOption)
}

// directive reads one two_factor block of a site.
type directive struct {
	httpcaddyfile.Helper
	hd    *Handler
	start caddyfile.Token
	once  singles
	// The tokens of the cookie names, for errors that are found at the end.
	readable, credentials []caddyfile.Token
	// handed are the names of identity headers.
	handed    []caddyfile.Token
	loginPage caddyfile.Token
}

// parseDirective sets up the handler from Caddyfile tokens. Syntax:
//
//	two_factor [<matcher>] [<name>] {
//	    login         <m> | fields <user> <password> { … }
//	    identity      <placeholder>
//	    protect       <m>
//	    public        <m>
//	    block         <m>
//	    logout        <m>
//	    allow_path    <m>
//	    step_up       <m> { … }
//	    login_page    <path>
//	    unverified    login_page|anonymous
//	    readable      <name>...
//	    credential    cookie|field <name>...
//	    token         <m> json <path>
//	    carried       header <name> [<scheme>] | query <name>
//	    speaks_for    query|form|json|header <name>
//	    identity_header <name> user|account|factor|factor_time|score
//	    unknown_user  refuse|allow|enrol
//	    enrolment     required|offered|off { … }
//	    policy        [<preset>] { … }
//	    pages         { … }
//	    mode          enforce|observe
//	    prefix        <path>
//	    cookie_domain <domain>
//	    app_session_max <duration>
//	}
//
// The first <name> is the instance's: 1 to 32 of a-z, 0-9 and -. A <m> is one
// matcher token (/path, @name or *) or, for the five from protect to
// allow_path, a block of matchers; these five may be repeated, and one match
// is enough. The name of a cookie or credential may end in *.
func parseDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	d := &directive{Helper: h, hd: new(Handler), once: singles{}}
	if err := d.parse(); err != nil {
		return nil, err
	}
	return d.hd, nil
}

func (d *directive) parse() error {
	d.Next() // the directive's own name
	d.start = d.Token()
	if err := d.name(); err != nil {
		return err
	}
	if !blockOpens(d.Dispenser) {
		return errAt(d.start, "two_factor needs a block, with at least one login or an identity")
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := d.subdirective(); err != nil {
			return err
		}
	}
	return d.check()
}

// name reads the instance's name, if there is one.
func (d *directive) name() error {
	at := d.start
	if d.NextArg() {
		at = d.Token()
		if err := checkInstanceName(at.Text); err != nil {
			return errAt(at, "the name of a two_factor instance %w; got '%s'", err, at.Text)
		}
		d.hd.Name = at.Text
	}
	if d.NextArg() {
		return errAt(d.Token(), "two_factor takes one matcher and one name at most; got '%s' after them", d.Val())
	}
	return d.claim(at)
}

func (d *directive) subdirective() error {
	switch d.Val() {
	case "login":
		return d.login()
	case "identity":
		return d.identity()
	case "protect":
		return d.matchers(&d.hd.ProtectRaw)
	case "public":
		return d.matchers(&d.hd.PublicRaw)
	case "block":
		return d.matchers(&d.hd.BlockRaw)
	case "logout":
		return d.matchers(&d.hd.LogoutRaw)
	case "allow_path":
		return d.matchers(&d.hd.AllowPathRaw)
	case "step_up":
		return d.stepUp()
	case "policy":
		if err := d.once.claim(d.Dispenser); err != nil {
			return err
		}
		var err error
		d.hd.Policy, err = d.policy()
		return err
	case "login_page":
		return d.single("login_page <path>, for example login_page /login", func(arg caddyfile.Token) error {
			d.hd.LoginPage, d.loginPage = arg.Text, arg
			return checkLoginPage(arg.Text)
		})
	case "unverified":
		return d.oneOf(&d.hd.Unverified, "login_page", "anonymous")
	case "readable":
		return d.readables()
	case "credential":
		return d.credential()
	case "token":
		return d.token()
	case "carried":
		return d.carried()
	case "speaks_for":
		return d.speaksFor()
	case "identity_header":
		return d.identityHeader()
	case "unknown_user":
		return d.oneOf(&d.hd.UnknownUser, "refuse", "allow", "enrol")
	case "enrolment":
		return d.enrolment()
	case "pages":
		return d.pages()
	case "mode":
		return d.oneOf(&d.hd.Mode, "enforce", "observe")
	case "prefix":
		return d.single("prefix <path>, for example prefix /.two-factor/", func(arg caddyfile.Token) error {
			d.hd.Prefix = arg.Text
			return checkPrefix(arg.Text)
		})
	case "cookie_domain":
		return d.single("cookie_domain <domain>, for example cookie_domain example.com", func(arg caddyfile.Token) error {
			d.hd.CookieDomain = arg.Text
			return checkDomain(arg.Text)
		})
	case "app_session_max":
		return d.single("app_session_max <duration>, for example app_session_max 30d", func(arg caddyfile.Token) (err error) {
			d.hd.AppSessionMax, err = positiveDuration(arg.Text)
			return err
		})
	default:
		return unknownWord(d.Dispenser, "two_factor", "login, identity, protect, public, block, logout, allow_path, "+
			"step_up, login_page, unverified, readable, credential, token, carried, speaks_for, identity_header, unknown_user, enrolment, policy, pages, mode, "+
			"prefix, cookie_domain and app_session_max")
	}
}

// single reads a subdirective that may stand once and has one argument. An
// error of set is put behind the subdirective's name.
func (d *directive) single(usage string, set func(arg caddyfile.Token) error) error {
	if err := d.once.claim(d.Dispenser); err != nil {
		return err
	}
	return oneArgument(d.Dispenser, usage, set)
}

// oneOf reads a subdirective that may stand once and whose argument is one of
// some words.
func (d *directive) oneOf(target *string, words ...string) error {
	return d.single(d.Val()+" "+strings.Join(words, "|"), func(arg caddyfile.Token) error {
		*target = arg.Text
		return checkOneOf(arg.Text, words...)
	})
}

// identity sets where the user stands whose first factor was passed before
// this handler. Syntax:
//
//	identity <placeholder>
func (d *directive) identity() error {
	return d.single("identity <placeholder>, for example identity {http.auth.user.id}", func(arg caddyfile.Token) error {
		d.hd.Identity = arg.Text
		return checkPlaceholder(arg.Text)
	})
}

// stepUp adds a route that asks for a fresh challenge. Syntax:
//
//	step_up <m> {
//	    max_age <duration>
//	    action  <text>
//	    policy  [<preset>] { … }
//	}
//
// Here <m> is one matcher token, since the block is step_up's own. The default
// of max_age is 0, which opens the route for one request.
func (d *directive) stepUp() error {
	const usage = "step_up <m> { max_age <duration>; action <text> }, for example step_up /export"
	set, err := d.matcherBeforeBlock(usage)
	if err != nil {
		return err
	}
	if d.NextArg() {
		return d.Errf("step_up: unexpected '%s'; expected: %s", d.Val(), usage)
	}
	s := handler.StepUp{MatchRaw: caddyhttp.RawMatcherSets{set}}
	once := singles{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "max_age":
			err = once.one(d.Dispenser, "max_age <duration>, for example max_age 5m", func(arg caddyfile.Token) (err error) {
				s.MaxAge, err = duration(arg.Text)
				return err
			})
		case "action":
			err = once.one(d.Dispenser, `action <text>, for example action "export the contacts"`, func(arg caddyfile.Token) error {
				s.Action = arg.Text
				return checkLine(arg.Text)
			})
		case "policy":
			if err = once.claim(d.Dispenser); err == nil {
				s.Policy, err = d.policyOfRoute()
			}
		default:
			err = unknownWord(d.Dispenser, "step_up", "max_age, action and policy")
		}
		if err != nil {
			return err
		}
	}
	d.hd.StepUps = append(d.hd.StepUps, s)
	return nil
}

// readables adds names of cookies that are passed unsealed. Syntax:
//
//	readable <name>...
func (d *directive) readables() error {
	args, err := arguments(d.Dispenser, 1, 0, "readable <name>..., for example readable theme lang_*")
	if err != nil {
		return err
	}
	for _, arg := range args {
		if err := checkCookieName(arg.Text); err != nil {
			return errAt(arg, "readable: the name of a cookie %w; got '%s'", err, arg.Text)
		}
		d.hd.Readable = append(d.hd.Readable, arg.Text)
	}
	d.readable = append(d.readable, args...)
	return nil
}

// credential adds names of cookies that only a login sets, or of fields that
// carry a credential. Syntax:
//
//	credential cookie|field <name>...
func (d *directive) credential() error {
	args, err := arguments(d.Dispenser, 2, 0, "credential cookie|field <name>..., for example credential cookie PHPSESSID")
	if err != nil {
		return err
	}
	kind, names := args[0], args[1:]
	target := &d.hd.CredentialCookies
	switch kind.Text {
	case "cookie":
		d.credentials = append(d.credentials, names...)
	case "field":
		target = &d.hd.CredentialFields
	default:
		return errAt(kind, "credential expects cookie or field, and then names; got '%s'", kind.Text)
	}
	for _, name := range names {
		if err := checkCookieName(name.Text); err != nil {
			return errAt(name, "credential: the name of a %s %w; got '%s'", kind.Text, err, name.Text)
		}
		*target = append(*target, name.Text)
	}
	return nil
}

// token adds a route whose answers carry new tokens. Syntax:
//
//	token <m> json <path>
func (d *directive) token() error {
	const usage = "token <m> json <path>, for example token /api/refresh json access_token"
	word := d.Token()
	set, err := d.matcherBeforeBlock(usage)
	if err != nil {
		return err
	}
	path, err := jsonPathArguments(word, d.Dispenser, usage)
	if err != nil {
		return err
	}
	d.hd.Tokens = append(d.hd.Tokens, handler.Token{MatchRaw: caddyhttp.RawMatcherSets{set}, JSON: path})
	return nil
}

// check says what is wrong with the block as a whole.
func (d *directive) check() error {
	if len(d.hd.Logins) == 0 && d.hd.Identity == "" {
		return errAt(d.start, "two_factor needs at least one login or an identity: without one nobody can pass")
	}
	if err := d.checkIdentityHeaders(); err != nil {
		return err
	}
	for _, r := range d.readable {
		for _, c := range d.credentials {
			if namesOverlap(r.Text, c.Text) {
				return errAt(r, "readable may not name a credential: '%s' is one by 'credential cookie %s'", r.Text, c.Text)
			}
		}
		if c, ok := knownSessionCookie(r.Text); ok {
			return errAt(r, "readable may not name a credential: '%s' takes in the session cookie %s", r.Text, c)
		}
	}
	prefix := d.hd.Prefix
	if prefix == "" {
		prefix = defaultPrefix
	}
	if strings.HasPrefix(d.hd.LoginPage, prefix) {
		return errAt(d.loginPage, "login_page is a page of the app, and '%s' lies under the prefix %s of the gateway's own pages", d.hd.LoginPage, prefix)
	}
	return nil
}
