package demoapp

import "time"

// Style is a named set of switches: one way in which real apps log people in.
// For each there is a Caddyfile of the same name in testdata/styles.
type Style struct {
	// Name is made of lower-case letters, digits and hyphens.
	Name string
	// Description says in one line what is peculiar to the style.
	Description string
	// Options are the switches, without defaults filled in.
	Options Options
}

// Styles lists the named styles, the plainest first.
func Styles() []Style {
	return []Style{
		{"classic", "right is a redirect, wrong is the form again, the session is new at the login", Options{}},
		{"absolute-303", "right is a 303 with an absolute Location, wrong is a 401",
			Options{Yes: YesAbsolute, No: NoUnauthorized}},
		{"page-200", "right is a page with status 200, wrong is a 403",
			Options{Yes: YesPage, No: NoForbidden}},
		{"page-201", "right is a page with status 201, wrong is a 422",
			Options{Yes: YesCreated, No: NoUnprocessable}},
		{"not-found", "right is a redirect, wrong is a 404", Options{No: NoNotFound}},
		{"relative-redirect", "right is a redirect with a relative Location, wrong is a redirect too",
			Options{Yes: YesRelative, No: NoRedirect}},
		{"json", "the login is sent as JSON by a script, right and wrong are JSON with status 200",
			Options{Encoding: EncodingJSON, Yes: YesJSON, No: NoJSON}},
		{"nested-json", "the login is sent by a script, the user name in an object in the JSON; wrong is a 401 with a message",
			Options{Encoding: EncodingNestedJSON, EmailField: "auth.user", Yes: YesJSON, No: NoMessage}},
		{"tokens", "one page whose script gets a token and sends it along, without any cookie; a board by WebSocket",
			Options{Tokens: true, Live: true}},
		{"live", "a page whose script opens a WebSocket in the session of the cookie",
			Options{Live: true}},
		{"same-answer", "right and wrong have the same status, Location and cookies",
			Options{No: NoSameAsYes}},
		{"same-answer-kept", "right and wrong have the same status and Location, and neither sets a cookie",
			Options{No: NoSameAsYes, AtLogin: SessionKept}},
		{"fields-anywhere", "the fields log in on every page, by POST and in the query of a GET",
			Options{LoginAt: LoginAnywhere}},
		{"index-php", "one path for all pages, the action in the query",
			Options{LoginAt: LoginFrontController}},
		{"multipart", "the login form is sent as multipart/form-data",
			Options{Encoding: EncodingMultipart}},
		{"field-names", "the login's fields have brackets in their names",
			Options{EmailField: "user[email]", PasswordField: "user[password]"}},
		{"kept-session", "the anonymous session becomes the logged-in one, its value stays",
			Options{AtLogin: SessionKept}},
		{"renewed-session", "the anonymous session becomes the logged-in one under a new value",
			Options{AtLogin: SessionRenewed}},
		{"rotating-session", "the session has a new value at every answer",
			Options{Rotate: true}},
		{"cookie-on-failure", "no session before the login, and a session cookie on a wrong password too",
			Options{Start: StartAtLogin}},
		{"several-cookies", "a session, a remember-me that opens one by itself, and a preference",
			Options{Remember: true}},
		{"two-paths", "the session cookie is set for two paths with two values",
			Options{TwoPaths: true}},
		{"delete-and-set", "the session cookie is deleted and set in one answer",
			Options{DeleteAndSet: true}},
		{"narrow-path", "the whole app and its cookies live under /crm",
			Options{BasePath: "/crm"}},
		{"hashed-name", "the session cookie's name has a hash of the site, and only a right password sets it",
			Options{HashedName: true, Start: StartAtYes}},
		{"slow-login", "the anonymous session is logged in 2 seconds before the answer",
			Options{AtLogin: SessionKept, LoginDelay: 2 * time.Second}},
		{"big-login", "the answer to a right password is larger than 256 KiB",
			Options{BigLogin: true}},
		{"link", "a link logs in: user and key in a GET's query, or the user in its path",
			Options{LoginAt: LoginByLink, EmailField: "user", PasswordField: "key", No: NoUnauthorized}},
		{"basic", "HTTP Basic with every request, and a 401 without it",
			Options{Entrance: EntranceBasic}},
		{"keys", "a tool whose script sends user and key in two header fields of every request",
			Options{Entrance: EntranceKeys}},
		{"trusted", "the app believes a header field set by what stands in front of it",
			Options{Entrance: EntranceTrusted}},
		{"several-users", "several users in one session, and each request says for whom it speaks",
			Options{SeveralUsers: true, AtLogin: SessionRenewed}},
	}
}

// StyleNamed finds a style by its name; ok is false if there is none.
func StyleNamed(name string) (s Style, ok bool) {
	for _, s := range Styles() {
		if s.Name == name {
			return s, true
		}
	}
	return Style{}, false
}
