// Package twofactor puts a second factor in front of a web app that nobody can
// change. It is a Caddy module: the app two_factor keeps the store, the keys
// and the senders, and the handler http.handlers.two_factor watches the app's
// own login, keeps the logged-in session back until a code was given, and lets
// the browser have only sealed copies of the app's cookies.
package twofactor

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler puts a second factor in front of the app that the rest of the route
// leads to.
type Handler struct {
	// Name is the name of the instance, part of its cookie names, seals and
	// store keys: 1 to 32 of a-z, 0-9 and -. Default: "default".
	Name string `json:"name,omitempty"`
	// Logins are the app's logins; the first that matches a request counts.
	Logins []handler.Login `json:"logins,omitempty"`
	// Identity is a placeholder that holds the user where the first factor was
	// passed before this handler (basic_auth, forward_auth).
	Identity string `json:"identity,omitempty"`
	// ProtectRaw are the requests that need a verified session.
	ProtectRaw caddyhttp.RawMatcherSets `json:"protect,omitempty" caddy:"namespace=http.matchers"`
	// PublicRaw are the exceptions from ProtectRaw.
	PublicRaw caddyhttp.RawMatcherSets `json:"public,omitempty" caddy:"namespace=http.matchers"`
	// BlockRaw are the requests that nobody may make.
	BlockRaw caddyhttp.RawMatcherSets `json:"block,omitempty" caddy:"namespace=http.matchers"`
	// LogoutRaw are the app's logouts.
	LogoutRaw caddyhttp.RawMatcherSets `json:"logout,omitempty" caddy:"namespace=http.matchers"`
	// AllowPathRaw are the requests whose path may have a spelling that is
	// refused otherwise: backslash, NUL, # and dot segments.
	AllowPathRaw caddyhttp.RawMatcherSets `json:"allow_path,omitempty" caddy:"namespace=http.matchers"`
	// StepUps are the routes that ask for a fresh challenge.
	StepUps []handler.StepUp `json:"step_up,omitempty"`
	// LoginPage is the path of the app's login page as the browser sees it,
	// public by itself. Unverified navigations to protected routes are sent
	// there.
	LoginPage string `json:"login_page,omitempty"`
	// Unverified is what becomes of unverified requests to protected routes:
	// "login_page" (the default) or "anonymous".
	Unverified string `json:"unverified,omitempty"`
	// Readable are names (NAME or NAME*) of the app's cookies that its scripts
	// read or set: a CSRF cookie or a setting, never a credential. They are
	// passed unsealed. The usual CSRF names are readable from the start.
	Readable []string `json:"readable,omitempty"`
	// CredentialCookies are names (NAME or NAME*) of cookies that only a login
	// sets.
	CredentialCookies []string `json:"credential_cookies,omitempty"`
	// CredentialFields are names of fields that carry a credential.
	CredentialFields []string `json:"credential_fields,omitempty"`
	// Tokens are the routes whose answers in a verified session carry new
	// tokens.
	Tokens []handler.Token `json:"tokens,omitempty"`
	// Carried says where requests carry a token.
	Carried []handler.Carried `json:"carried,omitempty"`
	// SpeaksFor says whom a request speaks for.
	SpeaksFor []handler.SpeaksFor `json:"speaks_for,omitempty"`
	// IdentityHeaders are header fields by which the app is told who is verified.
	IdentityHeaders []handler.IdentityHeader `json:"identity_headers,omitempty"`
	// UnknownUser is what becomes of a right password of a user without an
	// account here: "refuse" (the default), "allow" or "enrol".
	UnknownUser string `json:"unknown_user,omitempty"`
	// Enrolment says how people come to a second factor of their own, and what
	// they may change of it. Default: nobody is asked to.
	Enrolment *handler.Enrolment `json:"enrolment,omitempty"`
	// Policy says when a code is asked for. Default: the preset unfamiliar.
	Policy *handler.Policy `json:"policy,omitempty"`
	// Pages is how the gateway's own pages look. Default: the house style, with
	// the host for a name.
	Pages *Pages `json:"pages,omitempty"`
	// Mode is "enforce" (the default) or "observe".
	Mode string `json:"mode,omitempty"`
	// Prefix is the reserved path prefix of the gateway's own pages, as the
	// browser sees it. Default: /.two-factor/.
	Prefix string `json:"prefix,omitempty"`
	// CookieDomain makes the own cookie one of this parent domain.
	CookieDomain string `json:"cookie_domain,omitempty"`
	// AppSessionMax is how long the app may keep a session alive. Default: 30
	// days.
	AppSessionMax caddy.Duration `json:"app_session_max,omitempty"`

	gate *handler.Gate
}
