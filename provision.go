package twofactor

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// The defaults of a handler.
const (
	defaultName          = "default"
	defaultPrefix        = "/.two-factor/"
	defaultAppSessionMax = 30 * 24 * time.Hour
)

// The lifetimes of sessions (rule 32; ASVS 5.0, 7.3.1 and 7.3.2).
const (
	pendingLife  = 10 * time.Minute
	verifiedIdle = 8 * time.Hour
	verifiedLife = 24 * time.Hour
)

// CaddyModule returns the module's information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.two_factor",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision decodes the configuration and makes the gate. It opens nothing.
func (h *Handler) Provision(ctx caddy.Context) error {
	// Before anything else is loaded: afterwards Caddy names the logger after
	// what was loaded last.
	logger := ctx.Logger()
	given, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("two_factor: %w", err)
	}
	h.setDefaults()
	if err := h.check(); err != nil {
		return err
	}
	if !shortName.MatchString(h.Name) {
		return fmt.Errorf("two_factor: the name %s is not 1 to 32 of a-z, 0-9 and -", clip(h.Name))
	}
	v, err := ctx.App(appName)
	if err != nil {
		return err
	}
	app, ok := v.(*App)
	if !ok {
		return fmt.Errorf("two_factor: the app is a %T", v)
	}
	if err := app.claim(h.Name, given); err != nil {
		return err
	}
	config := handler.Config{
		Instance: h.Name, Logins: h.Logins, Identity: h.Identity, LoginPage: h.LoginPage,
		Anonymous: h.Unverified == "anonymous", Readable: h.Readable,
		CredentialCookies: h.CredentialCookies, CredentialFields: h.CredentialFields,
		Tokens: h.Tokens, StepUps: h.StepUps, Carried: h.Carried, SpeaksFor: h.SpeaksFor, IdentityHeaders: h.IdentityHeaders, Observe: h.observes(),
		UnknownUser: handler.UnknownUser(h.UnknownUser), Prefix: h.Prefix, CookieDomain: h.CookieDomain,
		AppSessionMax: time.Duration(h.AppSessionMax),
		RememberFor:   h.Policy.RememberFor(),
		Pending:       pendingLife, Idle: verifiedIdle, Absolute: verifiedLife,
		Enrolment: *h.Enrolment,
		Policy:    h.Policy, Places: app.places(), Agents: app.agents, Retention: app.retention(), Logger: logger.With(zap.String("instance", h.Name)), Clock: time.Now, Rand: rand.Reader,
		Lease: func() (handler.Lease, error) { return app.shared.requestLease() }, Recorder: app.shared.events,
	}
	if err := h.loadMatchers(ctx, &config); err != nil {
		return err
	}
	if err := h.loadPolicies(ctx, config.Places); err != nil {
		return fmt.Errorf("two_factor: %w", err)
	}
	if config.Pages, err = h.Pages.load(); err != nil {
		return fmt.Errorf("two_factor: %w", err)
	}
	h.warnOfWeakNo(logger)
	if h.gate, err = handler.New(config); err != nil {
		return fmt.Errorf("two_factor: %w", err)
	}
	app.instances.add(h.gate)
	return nil
}

// warnOfWeakNo warns of a no that an app may also give to a right password, in
// another format or by a parameter of the client's choice. Then a login would
// count as refused that has opened a session.
func (h *Handler) warnOfWeakNo(log *zap.Logger) {
	if len(h.CredentialCookies) > 0 {
		return
	}
	for i := range h.Logins {
		for _, list := range h.Logins[i].No {
			weak := true
			for _, sign := range list {
				weak = weak && len(sign.Status) > 0 && strings.HasPrefix(sign.Status[0], "2")
			}
			if weak {
				log.Warn("a no of a login is a status alone: if the app can answer a right password with it too (as JSON, in a pop-up, by ?next=), that login would count as refused; add a text that only a wrong password brings, or name the cookie that a login sets: credential cookie NAME",
					zap.String("instance", h.Name), zap.Int("login", i+1))
			}
		}
	}
}

func (h *Handler) setDefaults() {
	if h.Name == "" {
		h.Name = defaultName
	}
	if h.Prefix == "" {
		h.Prefix = defaultPrefix
	}
	if h.AppSessionMax == 0 {
		h.AppSessionMax = caddy.Duration(defaultAppSessionMax)
	}
	if h.Policy == nil {
		h.Policy = new(handler.Policy)
	}
	if h.Enrolment == nil {
		h.Enrolment = new(handler.Enrolment)
	}
	if h.UnknownUser == "" {
		h.UnknownUser = string(handler.RefuseUnknown)
	}
}

func (h *Handler) loadMatchers(ctx caddy.Context, c *handler.Config) error {
	for _, m := range []struct {
		field string
		to    *caddyhttp.MatcherSets
	}{
		{"ProtectRaw", &c.Protect},
		{"PublicRaw", &c.Public},
		{"BlockRaw", &c.Block},
		{"LogoutRaw", &c.Logout},
		{"AllowPathRaw", &c.AllowPath},
	} {
		if err := loadMatchers(ctx, h, m.field, m.to); err != nil {
			return err
		}
	}
	for i := range h.Logins {
		l := &h.Logins[i]
		if err := loadMatchers(ctx, l, "MatchRaw", &l.Match); err != nil {
			return fmt.Errorf("two_factor: login %d: %w", i+1, err)
		}
	}
	for i := range h.StepUps {
		s := &h.StepUps[i]
		key, err := routeKey(s.MatchRaw)
		if err != nil {
			return fmt.Errorf("two_factor: step_up %d: %w", i+1, err)
		}
		s.Key = key
		if err := loadMatchers(ctx, s, "MatchRaw", &s.Match); err != nil {
			return fmt.Errorf("two_factor: step_up %d: %w", i+1, err)
		}
		if len(s.Match) == 0 {
			return fmt.Errorf("two_factor: step_up %d: it needs a matcher; * is for all", i+1)
		}
	}
	for i := range h.Tokens {
		if err := loadMatchers(ctx, &h.Tokens[i], "MatchRaw", &h.Tokens[i].Match); err != nil {
			return fmt.Errorf("two_factor: token %d: %w", i+1, err)
		}
	}
	return nil
}

// routeKey names a step-up route by its matchers, so that a code that was given
// for it counts over a reload, and not for a route that has changed.
func routeKey(m caddyhttp.RawMatcherSets) (string, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8]), nil
}

func loadMatchers(ctx caddy.Context, holder any, field string, to *caddyhttp.MatcherSets) error {
	v, err := ctx.LoadModule(holder, field)
	if err != nil {
		return fmt.Errorf("two_factor: matcher: %w", err)
	}
	if v == nil {
		return nil
	}
	if err := to.FromInterface(v); err != nil {
		return fmt.Errorf("two_factor: matcher: %w", err)
	}
	for _, set := range *to {
		if len(set) == 0 {
			return errors.New("two_factor: an empty matcher would match every request: name one, or * for all")
		}
	}
	return nil
}

// check checks what the settings mean together. It comes before the modules are
// loaded, since loading empties the raw fields.
func (h *Handler) check() error {
	if len(h.Logins) == 0 && h.Identity == "" {
		return errors.New("two_factor: there is neither a login nor an identity: without one nobody can pass")
	}
	for i := range h.Logins {
		if err := validateLogin(&h.Logins[i]); err != nil {
			return fmt.Errorf("two_factor: login %d: %w", i+1, err)
		}
	}
	switch h.Unverified {
	case "", "login_page", "anonymous":
	default:
		return fmt.Errorf("two_factor: unverified is login_page or anonymous, not %s", clip(h.Unverified))
	}
	switch h.UnknownUser {
	case "refuse":
	case "enrol":
		if err := h.checkEnrol(); err != nil {
			return err
		}
	case "allow":
		if err := h.checkAllow(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("two_factor: unknown_user is refuse, allow or enrol, not %s", clip(h.UnknownUser))
	}
	switch h.Mode {
	case "", "enforce", "observe":
	default:
		return fmt.Errorf("two_factor: mode is enforce or observe, not %s", clip(h.Mode))
	}
	if err := checkEnrolment(h.Enrolment); err != nil {
		return fmt.Errorf("two_factor: enrolment: %w", err)
	}
	if len(h.ProtectRaw) == 0 {
		return errors.New("two_factor: nothing is protected, so the second factor would guard nothing: say which requests need it, protect * for all")
	}
	if h.AppSessionMax < 0 {
		return errors.New("two_factor: app_session_max must be positive")
	}
	return nil
}

// checkEnrol sees to it that whoever is unknown is asked for a factor, and can be
// known by one name (see checkAllow).
func (h *Handler) checkEnrol() error {
	if h.Enrolment.Mode != account.ModeRequired && h.Enrolment.Mode != account.ModeOffered {
		return errors.New("two_factor: unknown_user enrol asks unknown users to add a factor, and enrolment says off: write enrolment required or offered too")
	}
	return h.checkNames("unknown_user enrol")
}

// checkAllow sees to it that whoever is unknown here is so by the name that the
// app has for the user. An app takes one user by several names: by mail, with
// an accent or without, in another case. By the letters that were typed, a user
// with an account would pass without a code under the next of them.
func (h *Handler) checkAllow() error { return h.checkNames("unknown_user allow") }

func (h *Handler) checkNames(what string) error {
	for i := range h.Logins {
		if p := h.Logins[i].Proof; p == nil || p.User == nil {
			return fmt.Errorf("two_factor: %s needs to know whom the app has logged in, or a user with an account would pass without a code under another name of the same user: give login %d a proof that says who (proof <address> { user … })", what, i+1)
		}
	}
	return nil
}

func validateLogin(l *handler.Login) error {
	if (len(l.MatchRaw) == 0) == (l.Fields == nil) {
		return errors.New("it is told by a matcher or by fields: give one of them")
	}
	if t := l.Team; t != nil {
		if err := checkOneOf(t.From, handler.FromForm, handler.FromJSON, handler.FromQuery, handler.FromHeader, handler.FromPlaceholder); err != nil {
			return fmt.Errorf("team: from %w, not %s", err, clip(t.From))
		}
		if err := checkSourceName(t.From, t.Name); err != nil {
			return fmt.Errorf("team: %s %w", t.From, err)
		}
	}
	yes, no := len(l.Yes) > 0, len(l.No) > 0
	if p := l.Proof; p != nil {
		yes, no = yes || len(p.Yes) > 0 || p.User != nil, no || len(p.No) > 0
	}
	if !yes || !no {
		return errors.New("it needs both: a sign of yes and a sign of no, by the answer or by a proof")
	}
	return nil
}

// observes reports whether the handler only watches.
func (h *Handler) observes() bool { return h.Mode == "observe" }

// Cleanup writes what a watching handler has seen and not written yet.
func (h *Handler) Cleanup() error {
	if h.gate != nil {
		h.gate.WriteSeen()
	}
	return nil
}

// ServeHTTP lets the gate decide which way a request goes.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return h.gate.ServeHTTP(w, r, next)
}

// Interface guards.
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
