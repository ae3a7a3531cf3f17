package handler

import (
	"encoding/json"
	"regexp"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Login says how one of the app's logins is told, who logs in, and how the
// app says yes and no.
type Login struct {
	// MatchRaw tells the login by its request; a request that one of the sets
	// matches is this login. Either this or Fields.
	MatchRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`
	// Fields tells the login by its fields, anywhere: a request that carries
	// both, in query and body together, is this login.
	Fields *Fields `json:"fields,omitempty"`
	// User is where the user name stands. Fields implies its first.
	User *UserSource `json:"user,omitempty"`
	// Yes lists the signs of a right password. Signs of one list must all be
	// seen; one list that is seen is enough.
	Yes []Signs `json:"yes,omitempty"`
	// No lists the signs of a wrong password, in the same form.
	No []Signs `json:"no,omitempty"`
	// Proof is a page that the gateway asks the app for, to see whether the
	// session is logged in and as whom.
	Proof *Proof `json:"proof,omitempty"`
	// Team is where the name of the team stands that the user belongs to, if the
	// app has checked it: what is asked before the yes is the client's word. One
	// that the proof says goes before it.
	Team *UserSource `json:"team,omitempty"`
	// TokenJSON is the dotted path of the script's token in a JSON answer.
	TokenJSON string `json:"token_json,omitempty"`
	// ScriptAnswer is what a login by script gets while its answer is held.
	// Default: a 401 problem document.
	ScriptAnswer *ScriptAnswer `json:"script_answer,omitempty"`
	// Policy says when this login is asked for a code. Default: that of the
	// handler.
	Policy *Policy `json:"policy,omitempty"`

	// Match is MatchRaw, decoded by whoever provisions the handler.
	Match caddyhttp.MatcherSets `json:"-"`
}

// Fields names the two fields of a login form.
type Fields struct {
	// User is the name of the field that holds the user name.
	User string `json:"user"`
	// Password is the name of the field that holds the password.
	Password string `json:"password"`
}

// Where a user name can stand.
const (
	FromForm        = "form"
	FromJSON        = "json"
	FromQuery       = "query"
	FromHeader      = "header"
	FromBasic       = "basic"
	FromPlaceholder = "placeholder"
)

// UserSource says where a login carries the name of the user, or of the team.
type UserSource struct {
	// From is form, json, query, header, basic or placeholder.
	From string `json:"from"`
	// Name is the field, the dotted JSON path, the header or the placeholder;
	// empty for basic.
	Name string `json:"name,omitempty"`
}

// Signs are signs that must all be seen.
type Signs []Sign

// Sign is one thing seen in the app's answer. Exactly one field is set.
type Sign struct {
	// Status lists status codes, or classes such as 3xx.
	Status []string `json:"status,omitempty"`
	// Header is a header field with an optional glob for its value.
	Header *HeaderSign `json:"header,omitempty"`
	// Redirect is a glob for the path of the Location, on the same site.
	Redirect string `json:"redirect,omitempty"`
	// Cookie is the name, or NAME*, of a cookie that is set and not deleted.
	Cookie string `json:"cookie,omitempty"`
	// JSON is a value in a JSON body.
	JSON *JSONSign `json:"json,omitempty"`
	// Text is a run of bytes of the decoded body, case as written.
	Text string `json:"text,omitempty"`
}

// HeaderSign is a header field of the answer.
type HeaderSign struct {
	// Name is the field's name, in any case.
	Name string `json:"name"`
	// Glob is what one of its values must be; * stands for any run of bytes.
	// Empty means that the field is present.
	Glob string `json:"glob,omitempty"`
}

// JSONSign is a value in a JSON body.
type JSONSign struct {
	// Path is dotted: data.0.token.
	Path string `json:"path"`
	// Value is what the value must be, compared as text; nil means present
	// and not null.
	Value *string `json:"value,omitempty"`
}

// Proof is a page that the gateway asks the app for with the cookies of the
// login and of its answer, to see whether the session is logged in and as
// whom.
type Proof struct {
	// Address is the path and query of the page, as a browser would see it.
	// {http.two_factor.user} stands for the user name of the login. Either
	// this or Location.
	Address string `json:"address,omitempty"`
	// Location means that the answer's own Location is the page.
	Location bool `json:"location,omitempty"`
	// Yes lists texts and JSON values that only a logged-in user sees; one
	// list that is seen is enough.
	Yes []Signs `json:"yes,omitempty"`
	// No lists texts and JSON values that only a visitor sees.
	No []Signs `json:"no,omitempty"`
	// User says how the page says who is logged in. If it is set, that name is
	// the account.
	User *ProofUser `json:"user,omitempty"`
	// Team says how the page says which team the user belongs to, in the same way.
	Team *ProofUser `json:"team,omitempty"`
	// Language is the Accept-Language of the request. Default: en.
	Language string `json:"language,omitempty"`
}

// ProofUser says how a page says who is logged in, or of which team. One field is
// set.
type ProofUser struct {
	// JSON is the dotted path of the name in a JSON body.
	JSON string `json:"json,omitempty"`
	// Regex is an RE2 expression with one group; exactly one distinct match,
	// HTML entities decoded, is the name.
	Regex string `json:"regex,omitempty"`

	re *regexp.Regexp
}

// ScriptAnswer is what a login by script gets while its answer is held.
type ScriptAnswer struct {
	// Status is the status code of the answer.
	Status int `json:"status"`
	// Body is its JSON body; empty for none.
	Body json.RawMessage `json:"body,omitempty"`
}

// StepUp is a route that asks for a fresh challenge inside a verified session.
type StepUp struct {
	// MatchRaw tells the route.
	MatchRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`
	// MaxAge is for how long a passed challenge opens the route; 0, the
	// default, for one request.
	MaxAge caddy.Duration `json:"max_age,omitempty"`
	// Action names the route in the operator's words, as they would stand after
	// "to": "export all contacts". The page and the text message name it.
	Action string `json:"action,omitempty"`
	// Policy says when the route asks. Default: always.
	Policy *Policy `json:"policy,omitempty"`

	// Match is MatchRaw, decoded by whoever provisions the handler. Key names
	// the route in the store: the same over a reload while the route is the same.
	Match caddyhttp.MatcherSets `json:"-"`
	Key   string                `json:"-"`

	// change says that it is no route but a change of the client, for which only
	// a code counts that was given for it.
	change bool
}

// Token is a route whose answers carry new tokens.
type Token struct {
	// MatchRaw tells the route.
	MatchRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`
	// JSON is the dotted path of the token.
	JSON string `json:"json"`

	// Match is MatchRaw, decoded by whoever provisions the handler.
	Match caddyhttp.MatcherSets `json:"-"`
}

// Carried says where requests carry a token. One of Header and Query is set.
type Carried struct {
	// Header is the header field; Scheme the word before the token in it.
	Header string `json:"header,omitempty"`
	Scheme string `json:"scheme,omitempty"`
	// Query is the query field.
	Query string `json:"query,omitempty"`
}

// IdentityHeader is a header field by which the app is told who is verified, by
// the gateway alone: it is removed from every request that comes in, in every
// spelling that an app could take for it, and set on requests of a verified
// session.
type IdentityHeader struct {
	// Name is the field's name, of letters, digits and hyphens.
	Name string `json:"name"`
	// Value is what it says: user (the name that the app was given), account (the
	// key of the account here, the same for all spellings of a name), factor
	// (totp, phone or recovery), factor_time (when its code was entered, RFC 3339 in UTC) or
	// score (the points of the login's assessment). Of a user or an account, all
	// but printable ASCII is percent-encoded as UTF-8, and so are % itself and
	// blanks at the ends; one with control characters, or longer than 1,024
	// bytes, is not sent. Without a second factor the two fields of it are absent.
	Value string `json:"value"`
}

// SpeaksFor says whom a request speaks for, where an app keeps several users
// in one session.
type SpeaksFor struct {
	// From is query, form, json or header.
	From string `json:"from"`
	// Name is the field, the dotted JSON path or the header.
	Name string `json:"name"`
}
