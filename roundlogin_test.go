package twofactor

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// loginTry is a login that is spelt so that whoever looks at it may miss it.
// {user} and {password} stand for the right ones, {token} for the form's.
type loginTry struct {
	name, at           string
	method, path, kind string
	body               string
	header             http.Header
}

// fill puts the right values in.
func (l *loginTry) fill(text, user, token string, escape func(string) string) string {
	return strings.NewReplacer("{user}", escape(user), "{password}", escape(alicePassword), "{token}", escape(token)).Replace(text)
}

// sendLogin sends a login as it is spelt, in the browser that tries.
func (tr *trial) sendLogin(l *loginTry, user string) reply {
	tr.t.Helper()
	token := hidden(tr.me.get(tr.options.Path(demoapp.PageLogin)).body, `name="csrf"`).Get("csrf")
	as := func(s string) string { return s }
	if l.kind == "" || strings.Contains(strings.ToLower(l.kind), "urlencoded") {
		as = url.QueryEscape
	}
	h := http.Header{}
	if l.kind != "none" {
		h.Set("Content-Type", l.kind)
	}
	if l.kind == "" {
		h.Set("Content-Type", formType)
	}
	for name, values := range l.header {
		h[name] = values
	}
	method, path := l.method, l.path
	if method == "" {
		method = http.MethodPost
	}
	if path == "" {
		path = "/login"
	}
	return tr.me.do(method, l.fill(path, user, token, url.QueryEscape), strings.NewReader(l.fill(l.body, user, token, as)), h)
}

const (
	plainFields   = "email={user}&password={password}&csrf={token}"
	multipartKind = "multipart/form-data; boundary=x"
)

// parts are fields as multipart.
func parts(heads ...string) string {
	var b strings.Builder
	for _, head := range append(heads, `name="password"`+"\r\n\r\n{password}", `name="csrf"`+"\r\n\r\n{token}") {
		b.WriteString("--x\r\nContent-Disposition: form-data; " + head + "\r\n")
	}
	return b.String() + "--x--\r\n"
}

// roundLogins are logins in other spellings, after which the one who tries goes
// to the contacts: with a password and without a code.
func roundLogins() (rows []round) {
	long := strings.Repeat("x", 70_000)
	tries := []loginTry{
		{name: "a form", body: plainFields},
		{name: "letters that are encoded", body: "%65mail={user}&passwor%64={password}&csrf={token}"},
		{name: "the fields in another order", body: "csrf={token}&password={password}&email={user}"},
		{name: "the name twice", body: "email=x&" + plainFields},
		{name: "the name before in the query", path: "/login?email=x", body: plainFields},
		{name: "the password twice", body: "password=x&" + plainFields},
		{name: "the name in the query", path: "/login?email={user}", body: "password={password}&csrf={token}"},
		{name: "the password in the query", path: "/login?password={password}", body: "email={user}&csrf={token}"},
		{name: "all in the query", path: "/login?" + plainFields},
		{name: "a charset", kind: formType + "; charset=utf-8", body: plainFields},
		{name: "a strange charset", kind: formType + "; charset=ibm037", body: plainFields},
		{name: "a type in capitals", kind: "Application/X-WWW-Form-URLEncoded", body: plainFields},
		{name: "a type with blanks", kind: "  " + formType + "  ; a=b", body: plainFields},
		{name: "blanks around the name", body: "email=+{user}+&password={password}&csrf={token}"},
		{name: "a broken pair before", body: "%zz&" + plainFields},
		{name: "empty pairs", body: "&&&" + plainFields + "&&"},
		{name: "a name in capitals", body: "email={user}&password={password}&csrf={token}&EMAIL=x"},
		{name: "beyond the cap", body: "filler=" + long + "&" + plainFields},
		{name: "the password beyond the cap", body: "email={user}&csrf={token}&filler=" + long + "&password={password}"},
		{name: "a slash behind the path", path: "/login/", body: plainFields},
		{name: "capitals in the path", path: "/LogIn", body: plainFields},
		{name: "a letter encoded in the path", path: "/%6cogin", body: plainFields},
		{name: "a doubled slash", path: "//login", body: plainFields},
		{name: "a parameter in the path", path: "/login;x=1", body: plainFields},
		{name: "a query", path: "/login?a=1;b", body: plainFields},
		{name: "a public path before it", path: "/assets/../login", body: plainFields},
		{name: "out of the prefix", path: "/.two-factor/../login", body: plainFields},
		{name: "a field of a challenge", body: plainFields + "&two_factor_challenge=x&code=000000"},
		{name: "as a script", body: plainFields, header: script},
		{name: "as an image", body: plainFields, header: http.Header{"Sec-Fetch-Dest": {"image"}}},
		{name: "from another site", body: plainFields, header: http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}},
		{name: "with our own mark", body: plainFields, header: http.Header{"User-Agent": {"caddy-twofactor"}}},
		{name: "another method in a field", body: plainFields, header: http.Header{"X-Http-Method-Override": {"GET"}}},
		{name: "another address in a field", body: plainFields, header: http.Header{"X-Original-Url": {"/assets/style.css"}}},
		{name: "asking for compression", body: plainFields, header: http.Header{"Accept-Encoding": {"gzip"}}},
		{name: "multipart", kind: multipartKind, body: parts(`name="email"` + "\r\n\r\n{user}")},
		{name: "multipart, unquoted", kind: multipartKind, body: parts("name=email\r\n\r\n{user}")},
		{name: "multipart, with capitals", kind: "Multipart/Form-Data; Boundary=x", body: strings.Replace(parts(`name="email"`+"\r\n\r\n{user}"), "Content-Disposition", "CONTENT-DISPOSITION", 1)},
		{name: "multipart, by RFC 5987", kind: multipartKind, body: parts("name*=utf-8''%65mail\r\n\r\n{user}")},
		{name: "multipart, a type in the part", kind: multipartKind, body: parts("name=\"email\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{user}")},
		{name: "multipart behind a preamble", kind: multipartKind, body: "hello\r\n" + parts(`name="email"`+"\r\n\r\n{user}")},
		{name: "multipart with a quoted boundary", kind: `multipart/form-data; boundary="x"`, body: parts(`name="email"` + "\r\n\r\n{user}")},
		{name: "multipart, base64 in name only", kind: multipartKind, body: parts("name=\"email\"\r\nX: " + long[:9000] + "\r\n\r\n{user}")},
		{name: "multipart beyond the cap", kind: multipartKind, body: parts("name=\"filler\"\r\n\r\n"+long, `name="email"`+"\r\n\r\n{user}")},
		{name: "multipart with a file before", kind: multipartKind, body: parts("name=\"file\"; filename=\"x\"\r\n\r\n"+long, `name="email"`+"\r\n\r\n{user}")},
		{name: "multipart, twice", kind: multipartKind, body: parts(`name="email"`+"\r\n\r\nx", `name="email"`+"\r\n\r\n{user}")},
		{name: "multipart, the name in the query", kind: multipartKind, path: "/login?email={user}", body: parts()},

		{name: "JSON", at: "json", kind: "application/json", body: `{"email":"{user}","password":"{password}","csrf":"{token}"}`},
		{name: "JSON with a charset", at: "json", kind: "application/json; charset=utf-16", body: `{"email":"{user}","password":"{password}","csrf":"{token}"}`},
		{name: "JSON in capitals", at: "json", kind: "APPLICATION/JSON", body: `{"email":"{user}","password":"{password}","csrf":"{token}"}`},
		{name: "JSON with escapes", at: "json", kind: "application/json", body: `{"\u0065mail":"{user}","p\u0061ssword":"{password}","csrf":"{token}"}`},
		{name: "JSON with a key twice", at: "json", kind: "application/json", body: `{"email":"x","email":"{user}","password":"{password}","csrf":"{token}"}`},
		{name: "JSON with a number too", at: "json", kind: "application/json", body: `{"email":1,"email":"{user}","password":"{password}","csrf":"{token}"}`},
		{name: "JSON and a query", at: "json", kind: "application/json", path: "/login?email={user}", body: `{"password":"{password}","csrf":"{token}"}`},
		{name: "JSON of a form", at: "json", body: plainFields},
		{name: "JSON beyond the cap", at: "json", kind: "application/json", body: `{"filler":"` + long + `","email":"{user}","password":"{password}","csrf":"{token}"}`},
		{name: "nested JSON", at: "nested-json", kind: "application/json", body: `{"auth":{"user":"{user}"},"password":"{password}","csrf":"{token}"}`},
		{name: "nested JSON, flat", at: "nested-json", kind: "application/json", body: `{"auth.user":"{user}","password":"{password}","csrf":"{token}"}`},
		{name: "nested JSON, twice", at: "nested-json", kind: "application/json", body: `{"auth":{"user":"x"},"auth":{"user":"{user}"},"password":"{password}","csrf":"{token}"}`},
		{name: "a form for nested JSON", at: "nested-json", body: "auth.user={user}&password={password}&csrf={token}"},

		{name: "on the start page", at: "fields-anywhere", path: "/", body: plainFields},
		{name: "on a protected page", at: "fields-anywhere", path: "/contacts", body: plainFields},
		{name: "on a protected page, by GET", at: "fields-anywhere", method: "GET", path: "/contacts?" + plainFields},
		{name: "on a protected page, by HEAD", at: "fields-anywhere", method: "HEAD", path: "/profile?" + plainFields},
		{name: "by GET with a slash", at: "fields-anywhere", method: "GET", path: "/profile/?x=%zz&" + plainFields},
		{name: "by GET, the name twice", at: "fields-anywhere", method: "GET", path: "/?email=x&" + plainFields},
		{name: "by GET on the logout", at: "fields-anywhere", method: "GET", path: "/logout?" + plainFields},
		{name: "one field in the query", at: "fields-anywhere", path: "/profile?email={user}", body: "password={password}&csrf={token}"},

		{name: "by the action", at: "index-php", path: "/index.php?action=login", body: plainFields},
		{name: "by the action, twice", at: "index-php", path: "/index.php?action=start&action=login", body: plainFields},
		{name: "by the action, encoded", at: "index-php", path: "/index.php?%61ction=%6cogin", body: plainFields},
		{name: "by the action behind a path", at: "index-php", path: "/index.php/assets/style.css?action=login", body: plainFields},
		{name: "by the action at the root", at: "index-php", path: "/?x=%zz&action=login", body: plainFields},

		{name: "a link", at: "link", method: "GET", path: "/enter?user={user}&key={password}"},
		{name: "a link with the name twice", at: "link", method: "GET", path: "/enter?user=x&user={user}&key={password}"},
		{name: "a link in capitals", at: "link", method: "GET", path: "/ENTER?user={user}&key={password}"},
		{name: "a link by HEAD", at: "link", method: "HEAD", path: "/enter?user={user}&key={password}"},
		{name: "a link with a slash", at: "link", method: "GET", path: "/enter/?user={user}&key={password}"},
		{name: "a link with the user in its path", at: "link", method: "GET", path: "/enter/{user}?key={password}"},
		{name: "a link with the user in its path, encoded", at: "link", method: "GET", path: "/%65nter/{user}?key={password}"},
		{name: "a link with the user in its path, doubled", at: "link", method: "GET", path: "//enter//{user}?key={password}"},
		{name: "a link with a parameter", at: "link", method: "GET", path: "/enter/{user};x?key={password}"},
		{name: "a link with two users", at: "link", method: "GET", path: "/enter/{user}?user=x&key={password}"},

		{name: "brackets in the names", at: "field-names", body: "user[email]={user}&user[password]={password}&csrf={token}"},
		{name: "encoded brackets", at: "field-names", body: "user%5Bemail%5D={user}&user%5bpassword%5d={password}&csrf={token}"},
		{name: "a form where multipart is usual", at: "multipart", body: plainFields},
		{name: "a name in the query where multipart is usual", at: "multipart", path: "/login?email={user}", body: "password={password}&csrf={token}"},
		{name: "the name missing where multipart is usual", at: "multipart", path: "/login/?email={user}&password={password}&csrf={token}"},
		{name: "under a folder", at: "narrow-path", path: "/crm/login", body: plainFields},
		{name: "under a folder, spelt another way", at: "narrow-path", path: "/crm//%6cogin/", body: plainFields},

		{name: "the staff's", at: "doors", path: "/admin/login", body: "username={user}&password={password}&csrf={token}"},
		{name: "the staff's, with a slash", at: "doors", path: "/admin/login/", body: "username={user}&password={password}&csrf={token}"},
		{name: "the staff's, in capitals", at: "doors", path: "/Admin/Login", body: "username={user}&password={password}&csrf={token}"},
		{name: "the staff's, by an address in a field", at: "doors", path: "/profile", body: "username={user}&password={password}&csrf={token}", header: http.Header{"X-Original-Url": {"/admin/login"}}},
		{name: "the people's, by an address in a field", at: "doors", path: "/profile", body: plainFields, header: http.Header{"X-Rewrite-Url": {"/login"}}},
		{name: "the staff's, with both names", at: "doors", path: "/admin/login?username=x", body: "username={user}&email=x&password={password}&csrf={token}"},
		{name: "by PUT and a field", at: "doors", method: "PUT", body: plainFields, header: http.Header{"X-Http-Method-Override": {"POST"}}},
		{name: "by PUT and another field", at: "doors", method: "PUT", body: plainFields, header: http.Header{"X-Http-Method": {"post"}}},
		{name: "by GET and a field", at: "doors", method: "GET", path: "/login?" + plainFields, header: http.Header{"X-Method-Override": {"POST"}}},
	}
	for _, l := range tries {
		if l.at == "" {
			l.at = "classic"
		}
		rows = append(rows, round{group: "a login", name: l.name, at: l.at, given: func(tr *trial) { tr.user = tr.newUser() }, counts: asMe,
			try: func(tr *trial) {
				tr.sendLogin(&l, tr.user)
				tr.me.get(tr.options.Path(demoapp.PageContacts))
			}})
	}
	return rows
}
