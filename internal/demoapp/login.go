package demoapp

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	textWrong   = "The e-mail address or the password is wrong."
	textExpired = "This form has expired. Please try again."

	// bigBody is beyond the 256 KiB that something in front may keep back.
	bigBody = 300 << 10
)

// isLogin tells whether the request is a login in this app's style.
func (v *visit) isLogin() bool {
	if v.app.opts.Entrance != EntranceSession {
		return false
	}
	if v.app.opts.LoginAt == LoginByLink {
		return v.entersByLink()
	}
	post := v.r.Method == http.MethodPost
	if v.app.opts.Tokens {
		return post && v.page == PageAPILogin
	}
	if v.app.opts.LoginAt != LoginAnywhere {
		return post && (v.page == PageLogin || v.page == PageStaff)
	}
	if post && (v.page == PageLogin || v.page == PageStaff) {
		return true
	}
	if v.page == "" {
		return false
	}
	_, hasEmail := v.field(v.app.opts.EmailField)
	_, hasPassword := v.field(v.app.opts.PasswordField)
	return hasEmail && hasPassword
}

// login checks form and password and says yes or no.
func (v *visit) login() answer {
	if !v.formIsFresh() {
		if v.app.opts.StrictForm {
			return v.render(http.StatusForbidden, "message", page{Title: "Form expired", Text: textExpired})
		}
		return v.no(textExpired)
	}
	_, passwordField := v.loginFields()
	password, _ := v.field(passwordField)
	u, right := v.app.users[fold(v.knownBy(v.typedUser(), password))]
	if !right {
		return v.no(textWrong)
	}
	if v.app.opts.Tokens {
		return v.giveToken(u.Email)
	}
	v.changeStanding(u.Email)
	if v.app.opts.Remember {
		v.remember = rand.Text()
		v.app.sessions.remember[v.remember] = u.Email
	}
	return v.yes(u)
}

// formIsFresh spends the form's CSRF token. A visitor without a session has
// none, and a login in a GET's query is not asked for one.
func (v *visit) formIsFresh() bool {
	if v.session == nil || v.reads() {
		return true
	}
	token, _ := v.field("csrf")
	return v.session.spend(token)
}

// changeStanding makes the visitor's session the user's, the way the style
// does it. With user "" only the cookies change.
func (v *visit) changeStanding(user string) {
	t, o := v.app.sessions, v.app.opts
	had := v.session
	switch {
	case had == nil:
		v.session, v.setSession = t.start("", v.now), true
	case o.AtLogin == SessionNew && user == "":
		v.session, v.setSession = t.copyOf(had, v.now), true
	case o.AtLogin == SessionNew:
		v.session, v.setSession = t.start("", v.now), true
	case o.AtLogin == SessionRenewed:
		t.renew(had, time.Time{})
		v.setSession = true
	}
	if user != "" {
		if v.app.opts.SeveralUsers && had != nil {
			v.session.users = slices.Clone(had.users)
		}
		v.signIn(user)
	}
	if o.TwoPaths {
		t.split(v.session)
	}
	v.setSession = v.setSession || o.TwoPaths || o.DeleteAndSet
	v.standingChanged = true
}

func (v *visit) yes(u User) answer {
	an := v.plainYes(u)
	if v.app.opts.BigLogin {
		an.body = enlarge(an.body, v.app.opts.Yes)
	}
	return an
}

func (v *visit) plainYes(u User) answer {
	dashboard := v.to(PageDashboard)
	switch v.app.opts.Yes {
	case YesAbsolute:
		return redirect(http.StatusSeeOther, v.origin()+dashboard)
	case YesPage:
		return v.welcome(http.StatusOK, u)
	case YesCreated:
		return v.welcome(http.StatusCreated, u)
	case YesJSON:
		return newAnswer(http.StatusOK, "application/json", []byte(`{"ok":true}`))
	case YesRelative:
		return redirect(http.StatusFound, v.relative(dashboard))
	}
	return redirect(http.StatusFound, dashboard)
}

// welcome is the page of a right password. An app that says the same to a
// wrong one cannot greet anybody on it.
func (v *visit) welcome(status int, u User) answer {
	p := page{Title: "Welcome", Text: "Welcome back, " + u.Name + ".", Onward: true}
	if v.app.opts.No == NoSameAsYes {
		p = page{Title: "Thank you", Text: "Your sign-in has been received.", Onward: true, Anonymous: true}
	}
	return v.render(status, "message", p)
}

func (v *visit) no(text string) answer {
	if v.session == nil && v.app.opts.Start == StartAtLogin {
		v.session, v.setSession = v.app.sessions.start("", v.now), true
	}
	if v.app.opts.Tokens {
		return jsonAnswer(http.StatusUnauthorized, map[string]any{"message": text})
	}
	switch v.app.opts.No {
	case NoUnauthorized:
		return v.loginPage(http.StatusUnauthorized, text)
	case NoForbidden:
		return v.loginPage(http.StatusForbidden, text)
	case NoNotFound:
		return v.loginPage(http.StatusNotFound, text)
	case NoUnprocessable:
		return v.loginPage(http.StatusUnprocessableEntity, text)
	case NoRedirect:
		return redirect(http.StatusFound, withError(v.app.opts.Path(PageLogin)))
	case NoJSON:
		return newAnswer(http.StatusOK, "application/json", []byte(`{"ok":false}`))
	case NoMessage:
		return jsonAnswer(http.StatusUnauthorized, map[string]any{
			"ok": false, "message": text, "csrf": page{visitor: v}.Token(),
		})
	case NoSameAsYes:
		return v.sameAsYes(text)
	}
	return v.loginPage(http.StatusOK, text)
}

// sameAsYes does all that a right password does but log the visitor in. What
// was wrong is said on the next login page.
func (v *visit) sameAsYes(text string) answer {
	v.changeStanding("")
	v.session.message = text
	if v.app.opts.Remember {
		v.remember = rand.Text()
	}
	return v.yes(User{})
}

func (v *visit) logout() answer {
	if v.app.opts.Tokens {
		v.app.tokens.drop(v.token)
		return redirect(http.StatusFound, v.app.opts.Path(PageLogin))
	}
	if !v.reads() && v.session != nil {
		if token, _ := v.field("csrf"); !v.session.spend(token) {
			return v.render(http.StatusForbidden, "message", page{Title: "Form expired", Text: textExpired})
		}
	}
	if v.session != nil {
		v.signOut()
	}
	delete(v.app.sessions.remember, v.cookies[RememberCookie])
	return redirect(http.StatusFound, v.app.opts.Path(PageLogin))
}

// origin is the address of the site as the visitor's request names it.
func (v *visit) origin() string {
	if v.r.TLS != nil || v.r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https://" + v.r.Host
	}
	return "http://" + v.r.Host
}

// relative is a same-site address as seen from the request's own.
func (v *visit) relative(address string) string {
	depth := strings.Count(v.r.URL.EscapedPath(), "/") - 1
	return strings.Repeat("../", max(depth, 0)) + strings.TrimPrefix(address, "/")
}

func withError(address string) string {
	if strings.Contains(address, "?") {
		return address + "&error=1"
	}
	return address + "?error=1"
}

// enlarge blows a body up without changing what it says.
func enlarge(body []byte, y Yes) []byte {
	filler := bytes.Repeat([]byte("All the news of the week from sales. "), bigBody/37+1)
	if y == YesJSON {
		return append(append([]byte(`{"ok":true,"news":"`), filler...), `"}`...)
	}
	return append(append(append(bytes.Clone(body), "<!-- "...), filler...), " -->\n"...)
}
