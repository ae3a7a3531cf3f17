// Package handler is the way of a request through the gateway: the gate that
// decides which way it goes, the app's login watched and held, proofs, hold
// and release, and the gateway's own pages.
package handler

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Bounds of what comes from outside.
const (
	// maxBody is how much of a request's body is read before it is forwarded.
	maxBody = 64 << 10
	// maxAnswer is how much of an answer to a login is kept.
	maxAnswer = 256 << 10
	// maxForm is the largest body of a form of our own.
	maxForm = 4 << 10
	// maxCookie is the largest cookie, name and value, that browsers keep.
	maxCookie = 4096
	// loginWait is how long a login waits for another of the same browser.
	loginWait = 10 * time.Second
	// storeWait bounds what is written after the client may have gone.
	storeWait = 10 * time.Second
	// proofWait bounds one proof, its redirects included.
	proofWait = 5 * time.Second
)

// UnknownUser is what becomes of a right password of a user without account.
type UnknownUser string

// What can become of an unknown user.
const (
	RefuseUnknown UnknownUser = "refuse"
	AllowUnknown  UnknownUser = "allow"
)

// Parts are what outlives a configuration: the store, the keys, and the
// service that issues and checks codes.
type Parts struct {
	Store      store.Store
	Ring       *seal.Ring
	Challenges *challenge.Service
	// Epoch is when the store's knowledge begins.
	Epoch time.Time
}

// Lease holds the parts while one request runs.
type Lease interface {
	Parts() *Parts
	Release()
}

// Config is a gate's configuration, checked and decoded.
type Config struct {
	// Instance is the name of the handler instance.
	Instance string
	Logins   []Login
	// Identity is the placeholder of the user whose first factor was passed
	// before; empty if there is none.
	Identity string
	Protect, Public, Block, Logout,
	AllowPath caddyhttp.MatcherSets
	// StepUps are the routes that ask for a fresh code.
	StepUps []StepUp
	// LoginPage is the path of the login page as the browser sees it; empty if
	// there is none.
	LoginPage string
	// Anonymous lets unverified requests go on as an anonymous visitor's.
	Anonymous bool
	// Readable and CredentialCookies are NAME or NAME*.
	Readable, CredentialCookies []string
	CredentialFields            []string
	// Tokens are the routes whose answers in a verified session carry new
	// tokens, and Carried says where requests carry them.
	Tokens  []Token
	Carried []Carried
	// SpeaksFor says whom a request speaks for, where an app keeps several
	// users in one session.
	SpeaksFor   []SpeaksFor
	UnknownUser UnknownUser
	// IdentityHeaders tell the app who is verified.
	IdentityHeaders []IdentityHeader
	// Observe only watches: nothing is held, asked for, sealed or refused.
	Observe bool
	// Prefix begins and ends with a slash.
	Prefix       string
	CookieDomain string
	// AppSessionMax is how long the app may keep a session alive.
	AppSessionMax time.Duration
	// Pending, Idle and Absolute are the lifetimes of sessions.
	Pending, Idle, Absolute time.Duration

	Policy policy.Policy
	Pages  *page.Set
	Logger *zap.Logger
	Clock  func() time.Time
	Rand   io.Reader
	// Recorder is told what happens; nobody is if it is nil.
	Recorder Recorder
	// Lease takes a lease on the parts for one request.
	Lease func() (Lease, error)
}

// Gate is one handler instance at work.
type Gate struct {
	Config
	// own and secureOwn are the names of the own cookie, without TLS and with.
	own, secureOwn string
	readable       cookie.Matcher
	credentials    cookie.Matcher
	// addressed are names of session cookies that are taken out of addresses.
	addressed cookie.Matcher
	// isAddressed is addressed but for what is fielded; a func, so that no
	// request has to make one.
	isAddressed func(name string) bool
	// embodied are names of session cookies that are taken out of forms.
	embodied cookie.Matcher
	// fielded are names of fields that carry a credential or a token.
	fielded fieldNames
	proven  *provenCache
	// lineValues bounds the values of visitors in the store.
	lineValues budget
	// whoProof is the proof that says who is logged in, at a fixed address; nil
	// if there is none.
	whoProof *Proof
	// hosts are the hosts that the operator's config leads here.
	hosts atomic.Pointer[[]string]
	// hinted is when the operator was last told of a form that no login tells,
	// in Unix nanoseconds.
	hinted atomic.Int64
	// handed are the IdentityHeaders, and unsaid says that it was warned of a
	// value that cannot stand in one.
	handed []handedField
	unsaid atomic.Bool
	// nobody says that it was warned of an identity that names nobody.
	nobody atomic.Bool
	// watch is nil but in mode observe.
	watch *watcher
	// fieldRules are the rules that ask for fields of query and body, by their
	// first set; nil if there are none.
	fieldRules map[*caddyhttp.MatcherSet]*fieldRule
	// streams are the exchanges of verified sessions that last.
	streams streams
	// rooms are those that are not in use.
	rooms sync.Pool
}

// SetHosts tells the gate which hosts the operator's config names for it. It
// may be called while requests run.
func (g *Gate) SetHosts(hosts []string) { g.hosts.Store(&hosts) }

// csrfNames are the names of the CSRF cookies of well-known frameworks, which
// their scripts read.
var csrfNames = []string{
	"csrftoken", "XSRF-TOKEN", "_csrf", "csrf_token", "csrf-token", "X-CSRF-Token",
}

// New returns a gate, or an error that says which setting cannot be used.
func New(c Config) (*Gate, error) {
	g := &Gate{Config: c, proven: newProvenCache(c.Clock())}
	g.own = "two-factor-" + c.Instance
	g.secureOwn = "__Host-" + g.own
	if c.CookieDomain != "" {
		g.secureOwn = "__Secure-" + g.own
	}
	if g.Recorder == nil {
		g.Recorder = nowhere{}
	}
	if c.Observe {
		g.watch = newWatcher(g)
	}
	if err := g.findFieldRules(); err != nil {
		return nil, err
	}
	for _, h := range c.IdentityHeaders {
		if err := IdentityHeaderTaken(h.Name, &c); err != nil {
			return nil, fmt.Errorf("identity_header %s %w", h.Name, err)
		}
	}
	var err error
	if g.readable, err = cookie.NewMatcher(append(csrfNames[:len(csrfNames):len(csrfNames)], c.Readable...)...); err != nil {
		return nil, fmt.Errorf("readable: %w", err)
	}
	if g.credentials, err = cookie.NewMatcher(c.CredentialCookies...); err != nil {
		return nil, fmt.Errorf("credential cookie: %w", err)
	}
	if g.fielded, err = newFieldNames(c.CredentialFields, c.Carried); err != nil {
		return nil, err
	}
	if g.addressed, err = cookie.NewMatcher(append(cookie.SessionNames(), c.CredentialCookies...)...); err != nil {
		return nil, fmt.Errorf("credential cookie: %w", err)
	}
	if g.handed, err = newHanded(c.IdentityHeaders); err != nil {
		return nil, err
	}
	g.isAddressed = func(name string) bool { return g.addressed.FoldMatch(name) && !g.fielded.match(name) }
	if g.embodied, err = cookie.NewMatcher(append(cookie.ServerSessionNames(), c.CredentialCookies...)...); err != nil {
		return nil, fmt.Errorf("credential cookie: %w", err)
	}
	for i := range g.Logins {
		l := &g.Logins[i]
		if l.Proof == nil {
			continue
		}
		if err := l.Proof.compile(); err != nil {
			return nil, fmt.Errorf("login %d: proof: %w", i+1, err)
		}
		if g.whoProof == nil && l.Proof.User != nil && !l.Proof.Location && !strings.Contains(l.Proof.Address, "{") {
			g.whoProof = l.Proof
		}
	}
	return g, nil
}

func (p *Proof) compile() error {
	if p.User == nil || p.User.Regex == "" {
		return nil
	}
	re, err := regexp.Compile(p.User.Regex)
	if err != nil {
		return fmt.Errorf("user regex: %w", err)
	}
	if re.NumSubexp() != 1 {
		return errors.New("user regex: it must have exactly one group")
	}
	p.User.re = re
	return nil
}

// ServeHTTP is the gate: it decides which way a request goes.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if call := ownCallOf(r.Context()); call != nil && call.gate == g {
		return call.serve(w, r, next)
	}
	if g.Observe {
		return g.observe(w, r, next)
	}
	v := g.newVisit(w, r, next)
	v.readAddress()
	v.stripAddress()
	var sane bool
	if v.methods, sane = otherMethods(r); !sane || !strings.HasPrefix(r.URL.Path, "/") && r.Method != http.MethodOptions && r.Method != http.MethodConnect {
		return v.refuse(page.MaliciousPath, nil)
	}
	if bad, err := v.isRefusedPath(); err != nil || bad {
		return v.refuse(page.MaliciousPath, err)
	}
	if r.Method != strings.ToUpper(r.Method) {
		// Matchers compare a method as it stands, and some apps read it in upper
		// case: "post" would be a login that nobody watches.
		return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("a method is written in upper case"))
	}
	if r.Method == http.MethodTrace || r.Method == "TRACK" {
		// The app would echo the cookies that the browser must not see.
		return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("TRACE would show the app's session to the browser"))
	}
	if r.Method == http.MethodConnect && !isTunnel(r) {
		return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("a tunnel through CONNECT is not for an app"))
	}
	if !v.isSecureEnough() {
		return v.insecure()
	}
	lease, err := g.Lease()
	if err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	defer lease.Release()
	v.parts = lease.Parts()
	if err := v.readCookies(); err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	v.readIdentity()
	g.takeOffIdentity(r.Header)
	v.place()
	if rest, ok := strings.CutPrefix(v.orig.Path, g.Prefix); ok {
		return v.ownPage(rest)
	}
	return v.reuse(v.route())
}

// route is the order in which the rules are asked.
func (v *visit) route() error {
	if done, err := v.answered(); done || err != nil {
		return err
	}
	return v.routeOn()
}

// routeOn is the order of the rules for what is no form of ours, and for a held
// request that is sent now.
func (v *visit) routeOn() error {
	if blocked, err := v.matches(v.g.Block); err != nil || blocked {
		return v.refuse(page.Blocked, err)
	}
	login, err := v.findLogin()
	if err != nil {
		return v.refuseLogin(err)
	}
	if login != nil {
		return v.login(login)
	}
	if v.found && v.session.State == account.StatePending {
		if v.anothers && v.identity != "" {
			return v.askIdentity()
		}
		return v.routePending()
	}
	if err := v.endAgain(); err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	if err := v.heed(); err != nil {
		return v.refuseLogin(err)
	}
	if err := v.stripCredentials(); err != nil {
		return v.refuseLogin(err)
	}
	if err := v.openSeals(); err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	if v.protected, err = v.isProtected(); err != nil {
		return v.refuse(page.Blocked, err)
	}
	steps, err := v.stepUpRoutes()
	if err != nil {
		return v.refuse(page.Blocked, err)
	}
	v.protected = v.protected || len(steps) > 0
	if v.protected && !v.verified() && v.identity != "" {
		return v.askIdentity()
	}
	if v.protected && !v.verified() && (len(steps) > 0 || !v.mayGoAnonymous()) {
		return v.askForLogin()
	}
	if ok, err := v.prove(); err != nil || !ok {
		return err
	}
	if len(steps) > 0 {
		if goesOn, err := v.stepUp(steps); err != nil || !goesOn {
			return err
		}
	} else if shown, err := v.showWaiting(); shown || err != nil {
		return err
	}
	return v.forward()
}

// routePending answers a request of a browser with an open challenge.
func (v *visit) routePending() error {
	logout, err := v.matches(v.g.Logout)
	if err != nil {
		return v.refuse(page.CodeNeeded, err)
	}
	if logout {
		return v.cancel()
	}
	if v.wantsPage() {
		v.count(PageShown, Result(page.CodeNeeded))
		return v.redirect(v.challengeAddress())
	}
	return v.problem(page.CodeNeeded)
}

// isProtected reports whether the request needs a verified session: protect
// matches any reading, and public does not match all that a careful app makes.
func (v *visit) isProtected() (bool, error) {
	if v.isLoginPage() {
		return false, nil
	}
	protected, err := v.matchesProtect()
	if err != nil || !protected {
		return err != nil, err
	}
	public, err := v.matchesAll(v.g.Public)
	return !public, err
}

// isLoginPage reports whether the browser asks for exactly the login page.
func (v *visit) isLoginPage() bool {
	return v.g.LoginPage != "" && v.orig.Path == v.g.LoginPage && (v.orig.RawPath == "" || v.orig.RawPath == v.g.LoginPage)
}

// mayGoAnonymous reports whether an unverified request to a protected route
// goes on as an anonymous visitor's.
func (v *visit) mayGoAnonymous() bool {
	if !v.g.Anonymous || v.r.ContentLength != 0 || len(v.r.TransferEncoding) > 0 {
		return false
	}
	return (v.r.Method == http.MethodGet || v.r.Method == http.MethodHead) && v.r.Header.Get("Upgrade") == ""
}

// askForLogin answers an unverified request to a protected route.
func (v *visit) askForLogin() error {
	v.hintForm()
	if !v.wantsPage() || v.g.LoginPage == "" {
		return v.refuse(page.SignInNeeded, nil)
	}
	v.count(PageShown, Result(page.SignInNeeded))
	return v.redirect(v.g.LoginPage)
}

// siteURL returns the address of the request as the browser sees it.
func (v *visit) siteURL() *url.URL {
	u := *v.orig
	u.Scheme, u.Host = "http", v.r.Host
	if v.secure() {
		u.Scheme = "https"
	}
	return &u
}
