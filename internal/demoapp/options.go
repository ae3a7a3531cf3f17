package demoapp

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Yes is how the app answers a login with the right password.
type Yes int

const (
	// YesRedirect is a 302 to the dashboard's absolute path.
	YesRedirect Yes = iota
	// YesAbsolute is a 303 whose Location is a whole URL, scheme and host
	// included.
	YesAbsolute
	// YesPage is a 200 page that welcomes the user at the login's address.
	YesPage
	// YesCreated is the same page with status 201.
	YesCreated
	// YesJSON is a 200 with the body {"ok":true}.
	YesJSON
	// YesRelative is a 302 whose Location is relative to the login's address.
	YesRelative
)

// No is how the app answers a login with a wrong password or a used-up form.
type No int

const (
	// NoForm is a 200 with the login form again and a message.
	NoForm No = iota
	// NoUnauthorized is the form again with status 401.
	NoUnauthorized
	// NoForbidden is the form again with status 403.
	NoForbidden
	// NoNotFound is the form again with status 404.
	NoNotFound
	// NoUnprocessable is the form again with status 422.
	NoUnprocessable
	// NoRedirect is a 302 to the login page with error=1 in its query.
	NoRedirect
	// NoJSON is a 200 with the body {"ok":false}.
	NoJSON
	// NoMessage is a 401 with a message in JSON, which the login page's script
	// shows, and a new CSRF token for the form that stays.
	NoMessage
	// NoSameAsYes is the yes answer: its status, its Location, its body and
	// cookies with the same names and attributes. Only the page after it
	// tells, because there the visitor is not signed in.
	NoSameAsYes
)

// LoginAt is where the app takes logins.
type LoginAt int

const (
	// LoginAtPath takes a POST to /login.
	LoginAtPath LoginAt = iota
	// LoginAnywhere takes both fields in a POST to any page, in the body or in
	// the query, and in a GET with both in the query. The start page shows the
	// login form. A GET is not asked for a CSRF token.
	LoginAnywhere
	// LoginFrontController puts all pages at /index.php, with the page's name
	// in the query (action=login); a login is a POST to action=login.
	LoginFrontController
	// LoginByLink takes a GET to /enter with both fields in the query, as people
	// keep it among their bookmarks, or to /enter/ and the user with the
	// password alone in the query. The login form sends the former.
	LoginByLink
)

// Encoding is how the login form sends its fields. The app reads form and
// multipart bodies in every style, and JSON bodies only where it sends them.
type Encoding int

const (
	// EncodingForm is application/x-www-form-urlencoded.
	EncodingForm Encoding = iota
	// EncodingMultipart is multipart/form-data.
	EncodingMultipart
	// EncodingJSON is a JSON object, sent by the login page's script.
	EncodingJSON
	// EncodingNestedJSON is one too; dots in a field's name lead into objects
	// in it, so "auth.user" is sent as {"auth":{"user":...}}.
	EncodingNestedJSON
)

// SessionStart is when a visitor gets an app session.
type SessionStart int

const (
	// StartAtFirstPage gives every visitor an anonymous session at once.
	StartAtFirstPage SessionStart = iota
	// StartAtLogin gives one at the first login, with a wrong password too.
	// Without a session there is no CSRF token to check.
	StartAtLogin
	// StartAtYes gives one with the right password only.
	StartAtYes
)

// SessionAtLogin is what becomes of the visitor's session at a right password.
type SessionAtLogin int

const (
	// SessionNew starts a new session; the one before is left as it was.
	SessionNew SessionAtLogin = iota
	// SessionKept logs the visitor's session in, under the value it has; the
	// answer sets no session cookie.
	SessionKept
	// SessionRenewed logs the visitor's session in and gives it a new value;
	// the value before is worth nothing from then on.
	SessionRenewed
)

// PathReading is how the app reads the path of an address. In all of them any
// case will do, doubled slashes are one, and dot segments are resolved.
type PathReading int

const (
	// PathsPlain reads nothing after the first semicolon.
	PathsPlain PathReading = iota
	// PathsJava takes its parameters off each segment before dot segments are
	// resolved.
	PathsJava
	// PathsIIS decodes a second time, overlong UTF-8 too, takes a backslash for
	// a slash, reads nothing after a NUL, a # or a ?, and drops dots, blanks and
	// tabs at the end.
	PathsIIS
)

// User is somebody who can sign in.
type User struct {
	// Email is the name of the user, as the app writes it on its pages. What
	// is typed may differ in case and have blanks around it.
	Email string
	// Name is what the app calls the user.
	Name string
	// Password is taken as it is, case and blanks included.
	Password string
}

// Options are the switches of the app. Each works with each; the zero value is
// the plainest app, the style named "classic".
type Options struct {
	// Users can sign in. Default: alice, bob and carol at example.com.
	Users []User
	// Yes is the answer to a right password.
	Yes Yes
	// No is the answer to a wrong password.
	No No
	// LoginAt is where the login is.
	LoginAt LoginAt
	// EmailField and PasswordField name the login's fields. Default: "email"
	// and "password".
	EmailField, PasswordField string
	// Encoding is how the login form sends its fields.
	Encoding Encoding
	// Entrance is by what the app knows its users.
	Entrance Entrance
	// SeveralUsers lets several users sign in in one session. Each request says
	// for whom it speaks, by the field username in the query or the form, and
	// speaks for nobody without it.
	SeveralUsers bool
	// Start is when a visitor gets a session.
	Start SessionStart
	// AtLogin is what becomes of it at a right password.
	AtLogin SessionAtLogin
	// Rotate gives the session a new value at every answer but static files.
	// A value that was replaced is good for 5 more seconds.
	Rotate bool
	// Remember sets two more cookies at a right password: crm_remember, for 30
	// days, which opens a new session by itself, and crm_prefs, which scripts
	// may read and which opens nothing.
	Remember bool
	// TwoPaths sets the session cookie twice at a right password, with two
	// values: one for the whole app, one for /contacts. Each is good only where
	// its path says.
	TwoPaths bool
	// DeleteAndSet deletes the session cookie and sets it again in the answer
	// to a right password.
	DeleteAndSet bool
	// HashedName puts a hash of Site into the session cookie's name.
	HashedName bool
	// Site is the address the app was installed for; only HashedName reads it.
	// Default: "http://crm.example.com".
	Site string
	// BasePath is the folder that the whole app lives in, such as "/crm"; its
	// cookies have it as their path. In lower case, without a slash at its end.
	// Default: "", which is "/".
	BasePath string
	// LoginDelay is waited between the moment a login takes effect and its
	// answer, right or wrong.
	LoginDelay time.Duration
	// BigLogin makes the body of the yes answer larger than 256 KiB.
	BigLogin bool
	// StrictForm answers a login whose CSRF token is missing, used or another
	// session's with a 403 page of its own instead of the no answer.
	StrictForm bool
	// Tokens makes the app one page, at /login, whose script logs in at
	// /api/login and gets a token for it, good for 5 minutes, which it sends in
	// the Authorization header, or in the query where it can send no header.
	// It has a new one from /api/refresh in time; the one before is worth
	// nothing from then on. There are no cookies, and the switches of cookies
	// and of the login form do nothing.
	Tokens bool
	// Live adds a board whose messages come by a WebSocket, on a page of its
	// own or, with Tokens, on the one page.
	Live bool
	// Paths is how the app reads the path of an address.
	Paths PathReading
	// SideDoors adds the ways in that apps have beside their login form, and
	// that whoever knows an app tries: HTTP Basic with any request and
	// /xmlrpc.php, as WordPress has them, a login page of its own for the staff
	// at /admin/login, whose fields are username and password, as Django has it,
	// a session named in the address (PHPSESSID, ;jsessionid) or in a form, and
	// header fields and form fields that give a request another address or
	// another method.
	SideDoors bool
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Page is one page of the app, whatever its address in the style at hand.
type Page string

// The pages of the app.
const (
	PageStart     Page = "start"
	PageLogin     Page = "login"
	PageLogout    Page = "logout"
	PageDashboard Page = "dashboard"
	PageContacts  Page = "contacts"
	PageExport    Page = "export"
	PageProfile   Page = "profile"
	PageMe        Page = "me"
	// PageBoard and PageLive, its WebSocket, are there with Options.Live only.
	PageBoard Page = "board"
	PageLive  Page = "live"
	// The interface that Options.Tokens adds.
	PageAPILogin    Page = "api-login"
	PageAPIRefresh  Page = "api-refresh"
	PageAPIContacts Page = "api-contacts"
	// What Options.SideDoors adds.
	PageRPC   Page = "rpc"
	PageStaff Page = "staff"
)

var pagePaths = map[Page]string{
	PageStart:     "/",
	PageLogin:     "/login",
	PageLogout:    "/logout",
	PageDashboard: "/dashboard",
	PageContacts:  "/contacts",
	PageExport:    "/contacts/export",
	PageProfile:   "/profile",
	PageMe:        "/api/me",
	PageBoard:     "/board",
	PageLive:      "/live",

	PageAPILogin:    "/api/login",
	PageAPIRefresh:  "/api/refresh",
	PageAPIContacts: "/api/contacts",

	PageRPC:   "/xmlrpc.php",
	PageStaff: "/admin/login",
}

// has tells whether a page is there in this style.
func (o Options) has(p Page) bool {
	switch p {
	case PageBoard, PageLive:
		return o.Live
	case PageAPILogin, PageAPIRefresh, PageAPIContacts:
		return o.Tokens
	case PageRPC, PageStaff:
		return o.SideDoors
	}
	return true
}

// Path is the address of a page in the style of these options, as a link on
// the same site: path and, with LoginFrontController, query.
func (o Options) Path(p Page) string {
	if o.LoginAt != LoginFrontController {
		return o.BasePath + pagePaths[p]
	}
	if p == PageStart {
		return o.BasePath + "/index.php"
	}
	return o.BasePath + "/index.php?action=" + string(p)
}

// SessionCookie is the name of the app's session cookie.
func (o Options) SessionCookie() string {
	if !o.HashedName {
		return "crm_session"
	}
	sum := sha256.Sum256([]byte(o.withDefaults().Site))
	return "crm_session_" + hex.EncodeToString(sum[:16])
}

// Names of the cookies that Options.Remember adds.
const (
	RememberCookie = "crm_remember"
	PrefsCookie    = "crm_prefs"
)

func (o Options) withDefaults() Options {
	if len(o.Users) == 0 {
		o.Users = []User{
			{Email: "alice@example.com", Name: "Alice Archer", Password: "correct horse"},
			{Email: "bob@example.com", Name: "Bob Baker", Password: "battery staple"},
			{Email: "carol@example.com", Name: "Carol Cooper", Password: "tulip mania"},
		}
	}
	if o.EmailField == "" {
		o.EmailField = "email"
	}
	if o.PasswordField == "" {
		o.PasswordField = "password"
	}
	if o.Site == "" {
		o.Site = "http://crm.example.com"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// cookiePath is the path of the app's cookies.
func (o Options) cookiePath() string {
	if o.BasePath == "" {
		return "/"
	}
	return o.BasePath
}

// scripted tells whether the login page needs its script: a form can neither
// send JSON nor make sense of a JSON answer.
func (o Options) scripted() bool {
	return o.sendsJSON() || o.Yes == YesJSON || o.No == NoJSON || o.No == NoMessage
}

func (o Options) sendsJSON() bool {
	return o.Encoding == EncodingJSON || o.Encoding == EncodingNestedJSON
}
