package demoapp

import (
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
)

// Entrance is by what the app knows its users.
type Entrance int

const (
	// EntranceSession is the session that a login has opened.
	EntranceSession Entrance = iota
	// EntranceBasic is HTTP Basic (RFC 7617) with every request. Whatever comes
	// without the right name and password, static files too, gets a 401 that
	// asks for them. There is no login form and no sign-out.
	EntranceBasic
	// EntranceKeys are the headers X-Api-User and X-Api-Key with every request.
	// The start page is a tool whose script asks /api/me with them, and then
	// for the contacts. There is no sign-out.
	EntranceKeys
	// EntranceTrusted is the header Remote-User, which the app believes: what
	// stands in front of it has asked for a password. There is no login form
	// and no sign-out.
	EntranceTrusted
)

// Header fields that say who is asking, and the query's or form's field that
// does where several users share a session.
const (
	UserHeader    = "X-Api-User"
	KeyHeader     = "X-Api-Key"
	TrustedHeader = "Remote-User"
	SpeakerField  = "username"
)

// enterPath is where LoginByLink takes logins.
const enterPath = "/enter"

// ByForm tells whether people sign in by a form of two fields and then ask for
// the pages by the addresses of Path. Where they do not, Entrance or
// SeveralUsers says how they come in.
func (o Options) ByForm() bool { return o.Entrance == EntranceSession && !o.SeveralUsers }

// FormStyles lists the styles in which people come in by a form and go on with
// a session in a cookie: all can go through the same steps.
func FormStyles() []Style {
	return slices.DeleteFunc(Styles(), func(s Style) bool { return !s.Options.ByForm() || s.Options.Tokens })
}

// arrive notes whom the request itself says it is of.
func (v *visit) arrive() {
	switch o := v.app.opts; {
	case o.Entrance == EntranceBasic:
		user, password, _ := v.r.BasicAuth()
		v.person = v.knownBy(user, password)
	case o.Entrance == EntranceKeys:
		v.person = v.knownBy(v.r.Header.Get(UserHeader), v.r.Header.Get(KeyHeader))
	case o.Entrance == EntranceTrusted:
		v.person = v.app.users[fold(v.r.Header.Get(TrustedHeader))].Email
	case o.SeveralUsers:
		name, _ := v.field(SpeakerField)
		v.person = v.app.users[fold(name)].Email
	}
}

// knownBy is the user of this name if the password, or the key, is right.
func (v *visit) knownBy(name, password string) string {
	u, known := v.app.users[fold(name)]
	if !known || subtle.ConstantTimeCompare([]byte(password), []byte(u.Password)) != 1 {
		return ""
	}
	return u.Email
}

// keptOut answers whoever has not said who they are where every request must.
func (v *visit) keptOut() (answer, bool) {
	if v.app.opts.Entrance != EntranceBasic || v.person != "" {
		return answer{}, false
	}
	an := newAnswer(http.StatusUnauthorized, "text/html; charset=utf-8", []byte("<p>Old CRM wants your name and password.</p>\n"))
	an.header.Set("WWW-Authenticate", `Basic realm="Old CRM", charset="UTF-8"`)
	return an, true
}

// user is the e-mail address of who is asking, "" if nobody.
func (v *visit) user() string {
	switch o := v.app.opts; {
	case o.Entrance != EntranceSession, o.SideDoors && v.person != "":
		return v.person
	case v.token != nil:
		return v.token.user
	case v.session == nil:
		return ""
	case o.SeveralUsers:
		if slices.Contains(v.session.users, v.person) {
			return v.person
		}
		return ""
	}
	return v.session.user
}

// users are all who are signed in in the visitor's session.
func (v *visit) users() []string {
	if v.session == nil || !v.app.opts.SeveralUsers {
		return nil
	}
	return v.session.users
}

// signIn makes the session a user's too, and the request speak for that one.
func (v *visit) signIn(user string) {
	v.session.user, v.person = user, user
	if !slices.Contains(v.session.users, user) {
		v.session.users = append(v.session.users, user)
	}
}

// signOut ends the session, or, while others use it, only the speaker's part.
func (v *visit) signOut() {
	s := v.session
	s.users = slices.DeleteFunc(s.users, func(user string) bool { return user == v.person })
	if v.app.opts.SeveralUsers && len(s.users) > 0 {
		s.user = s.users[len(s.users)-1]
		return
	}
	v.app.sessions.end(s)
	v.session, v.signedOut = nil, true
}

// door is the page where a visitor is sent.
func (o Options) door() Page {
	if o.Entrance == EntranceSession {
		return PageLogin
	}
	return PageStart
}

// to is the address of a page for the one who is asking.
func (v *visit) to(p Page) string { return v.app.opts.spokenFor(p, v.user()) }

// spokenFor is the address of a page for a user.
func (o Options) spokenFor(p Page, user string) string {
	if !o.SeveralUsers || user == "" {
		return o.Path(p)
	}
	separator := "?"
	if strings.Contains(o.Path(p), "?") {
		separator = "&"
	}
	return o.Path(p) + separator + SpeakerField + "=" + user
}

// entersByLink tells whether the request is a login by a link, which names the
// user in the query or in the path.
func (v *visit) entersByLink() bool {
	_, inPath := strings.CutPrefix(v.path, enterPath+"/")
	return v.app.opts.LoginAt == LoginByLink && v.reads() && (v.path == enterPath || inPath)
}

// typedUser is the user name of a login.
func (v *visit) typedUser() string {
	if name, inPath := strings.CutPrefix(v.path, enterPath+"/"); inPath && v.app.opts.LoginAt == LoginByLink {
		return name
	}
	userField, _ := v.loginFields()
	name, _ := v.field(userField)
	return name
}
