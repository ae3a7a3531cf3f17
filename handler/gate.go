package handler

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

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
	// EnrolUnknown makes an account, once the user has added a factor.
	EnrolUnknown UnknownUser = "enrol"
)

// Parts are what outlives a configuration: the store, the keys, and the
// service that issues and checks codes.
type Parts struct {
	Store      store.Store
	Ring       *seal.Ring
	Challenges *challenge.Service
	// Mails says that there is a sender of mails.
	Mails bool
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
	// RememberFor is how long a browser is remembered whose user wants that; 0:
	// none is, and those that were do not count.
	RememberFor time.Duration
	// Enrolment says how people come to a factor of their own.
	Enrolment Enrolment
	// Pending, Idle and Absolute are the lifetimes of sessions.
	Pending, Idle, Absolute time.Duration

	// Policy says when a code is asked for, where a login or a step-up has no
	// policy of its own. It is compiled. Default: the preset unfamiliar.
	Policy *Policy
	// Places tells where addresses are; nil if there are no data.
	Places Places
	// Agents reads user agents. Default: one of the gate's own.
	Agents *Agents
	// Retention is how long a history keeps what it knows. Default: 30 and 180
	// days.
	Retention policy.Retention
	Pages     *page.Set
	Logger    *zap.Logger
	Clock     func() time.Time
	Rand      io.Reader
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
	// ownPages are those on which people look after their own factors.
	ownPages map[string]ownRoute
	// unchanged are changes of clients that ask for no code.
	unchanged changeCache
	// assessed are decisions inside sessions that were written down.
	assessed changeCache
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
	g := &Gate{Config: c, proven: newProvenCache(c.Clock()), ownPages: ownRoutes()}
	g.own = "two-factor-" + c.Instance
	g.secureOwn = "__Host-" + g.own
	if c.CookieDomain != "" {
		g.secureOwn = "__Secure-" + g.own
	}
	if g.Recorder == nil {
		g.Recorder = nowhere{}
	}
	if err := g.setDefaults(); err != nil {
		return nil, err
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

func (g *Gate) setDefaults() error {
	g.Enrolment.setDefaults()
	if g.Agents == nil {
		g.Agents = NewAgents()
	}
	if g.Retention == (policy.Retention{}) {
		g.Retention = policy.DefaultRetention
	}
	if g.Policy != nil {
		return nil
	}
	g.Policy = new(Policy)
	return g.Policy.Compile(policy.Data{})
}

func (p *Proof) compile() error {
	if err := p.User.compile(); err != nil {
		return fmt.Errorf("user regex: %w", err)
	}
	if err := p.Team.compile(); err != nil {
		return fmt.Errorf("team regex: %w", err)
	}
	return nil
}

func (u *ProofUser) compile() error {
	if u == nil || u.Regex == "" {
		return nil
	}
	re, err := regexp.Compile(u.Regex)
	if err != nil {
		return err
	}
	if re.NumSubexp() != 1 {
		return errors.New("it must have exactly one group")
	}
	u.re = re
	return nil
}
