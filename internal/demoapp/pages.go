package demoapp

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
)

var (
	//go:embed templates/*.html
	templateFiles embed.FS
	//go:embed assets/*
	assetFiles embed.FS

	templates = template.Must(template.ParseFS(templateFiles, "templates/*.html"))
)

// page is what the templates get to know.
type page struct {
	Title     string
	Text      string // one paragraph
	Error     string // a message above the login form
	Email     string // what was typed
	Onward    bool   // with a link to the dashboard
	LoginForm bool
	Anonymous bool // without a word on who is signed in
	Contacts  []contact
	Columns   []column
	Search    string

	opts    Options
	visitor *visit
}

// URL is the address of a page of the app.
func (p page) URL(name string) string { return p.visitor.to(Page(name)) }

// Asset is the address of a static file.
func (p page) Asset(name string) string { return p.opts.BasePath + "/assets/" + name }

// User is the e-mail address of who is signed in.
func (p page) User() string { return p.visitor.user() }

// UserName is what the app calls who is signed in.
func (p page) UserName() string { return p.visitor.app.users[fold(p.User())].Name }

// Token is a new CSRF token, "" for a visitor without a session.
func (p page) Token() string {
	if p.visitor.session == nil {
		return ""
	}
	return p.visitor.session.newToken()
}

// EmailField and PasswordField are the names of the login's fields.
func (p page) EmailField() string    { name, _ := p.visitor.loginFields(); return name }
func (p page) PasswordField() string { _, name := p.visitor.loginFields(); return name }

// LoginAction is where the login form is sent: in an app that takes logins
// anywhere, to the page that shows it.
func (p page) LoginAction() string {
	if p.ByLink() {
		return p.opts.BasePath + enterPath
	}
	if p.opts.LoginAt == LoginAnywhere {
		return p.opts.BasePath + p.visitor.path
	}
	if p.visitor.page == PageStaff {
		return p.URL(string(PageStaff))
	}
	return p.URL(string(PageLogin))
}

// ByLink tells whether the login form is sent by GET.
func (p page) ByLink() bool { return p.opts.LoginAt == LoginByLink }

// Tool tells whether the start page is the tool that sends keys.
func (p page) Tool() bool { return p.opts.Entrance == EntranceKeys }

// SignsOut tells whether there is a way to sign out.
func (p page) SignsOut() bool { return p.opts.Entrance == EntranceSession }

// Speaker is whom forms must say they speak for, "" if nobody.
func (p page) Speaker() string {
	if !p.opts.SeveralUsers {
		return ""
	}
	return p.User()
}

// Users are all who are signed in in this session, where there can be several,
// each with the address of their start page.
func (p page) Users() map[string]string {
	all := map[string]string{}
	for _, user := range p.visitor.users() {
		all[user] = p.opts.spokenFor(PageStart, user)
	}
	return all
}

// LoginEnctype is the form's encoding.
func (p page) LoginEnctype() string {
	if p.opts.Encoding == EncodingMultipart {
		return "multipart/form-data"
	}
	return "application/x-www-form-urlencoded"
}

// Scripted tells whether the login form is sent by script.
func (p page) Scripted() bool { return p.opts.scripted() }

// SendsJSON tells whether the script sends JSON.
func (p page) SendsJSON() bool { return p.opts.sendsJSON() }

// Nests tells whether dots in the names of its fields lead into objects.
func (p page) Nests() bool { return p.opts.Encoding == EncodingNestedJSON }

// Live tells whether there is a board.
func (p page) Live() bool { return p.opts.Live }

// LoginAgain is where the script goes after a wrong password.
func (p page) LoginAgain() string { return withError(p.URL(string(PageLogin))) }

// FrontController tells whether forms sent by GET must name their action.
func (p page) FrontController() bool { return p.opts.LoginAt == LoginFrontController }

func (v *visit) render(status int, name string, p page) answer {
	p.opts, p.visitor = v.app.opts, v
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name+".html", p); err != nil {
		return newAnswer(http.StatusInternalServerError, "text/plain; charset=utf-8",
			fmt.Appendf(nil, "The page could not be made: %v\n", err))
	}
	return newAnswer(status, "text/html; charset=utf-8", out.Bytes())
}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
}

// static answers what has nothing to do with a session: static files, and
// what lies outside the app's folder.
func (v *visit) static() (answer, bool) {
	notFound := newAnswer(http.StatusNotFound, "text/plain; charset=utf-8", []byte("Not found\n"))
	if v.outside {
		if v.path == "/" {
			return redirect(http.StatusFound, v.app.opts.Path(PageStart)), true
		}
		return notFound, true
	}
	if v.path == "/favicon.ico" {
		return notFound, true
	}
	name, ok := strings.CutPrefix(v.path, "/assets/")
	if !ok {
		return answer{}, false
	}
	body, err := assetFiles.ReadFile("assets/" + name)
	if err != nil {
		return notFound, true
	}
	an := newAnswer(http.StatusOK, assetTypes[path.Ext(name)], body)
	an.header.Set("Cache-Control", "max-age=3600")
	return an, true
}

func (v *visit) startPage() answer {
	form := v.app.opts.LoginAt == LoginAnywhere && v.user() == ""
	return v.render(http.StatusOK, "start", page{Title: "Welcome", LoginForm: form})
}

// loginMessage is what the login page says of the login before it.
func (v *visit) loginMessage() string {
	if v.query.Get("error") != "" {
		return textWrong
	}
	if v.session == nil {
		return ""
	}
	kept := v.session.message
	v.session.message = ""
	return kept
}

func (v *visit) loginPage(status int, message string) answer {
	if v.app.opts.Tokens {
		return v.render(status, "single", page{Title: "Your contacts", Anonymous: true, Columns: columns})
	}
	return v.render(status, "login", page{Title: "Sign in", Error: message, Email: v.typedUser()})
}

func (v *visit) profilePage() answer {
	return v.render(http.StatusOK, "profile", page{Title: "Profile"})
}

func (v *visit) me() answer {
	if v.user() == "" {
		return notSignedIn()
	}
	return jsonAnswer(http.StatusOK, map[string]any{"email": v.user()})
}

func notSignedIn() answer {
	return jsonAnswer(http.StatusUnauthorized, map[string]any{"error": "not signed in"})
}

func jsonAnswer(status int, told map[string]any) answer {
	body, err := json.Marshal(told)
	if err != nil {
		return newAnswer(http.StatusInternalServerError, "text/plain; charset=utf-8", []byte("Error\n"))
	}
	return newAnswer(status, "application/json", body)
}

func (v *visit) protectedPage() answer {
	if v.user() == "" {
		return redirect(http.StatusFound, v.app.opts.Path(v.app.opts.door()))
	}
	switch v.page {
	case PageContacts:
		search, _ := v.field("q")
		return v.render(http.StatusOK, "contacts", page{
			Title: "Contacts", Contacts: findContacts(search), Columns: columns, Search: search,
		})
	case PageExport:
		return v.export()
	case PageBoard:
		return v.render(http.StatusOK, "board", page{Title: "Board"})
	}
	return v.render(http.StatusOK, "dashboard", page{Title: "Dashboard", Contacts: allContacts[:5]})
}
