package twofactor

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// roundTwoNames are logins that name two users, of whom the gateway might take
// one and the app the other: the one who tries knows both passwords, has an
// authenticator as the first only, and answers what is asked.
func roundTwoNames() (rows []round) {
	for _, l := range []loginTry{
		{name: "the name twice", body: "email={me}&" + plainFields},
		{name: "the name twice, once encoded", body: "%65mail={me}&" + plainFields},
		{name: "the name in the query too", path: "/login?email={me}", body: plainFields},
		{name: "the name in brackets too", body: "email[]={me}&" + plainFields},
		{name: "the name with a NUL", body: "email%00x={me}&" + plainFields},
		{name: "the name in capitals too", body: "EMAIL={me}&" + plainFields},
		{name: "the name with a blank", body: "+email={me}&" + plainFields},
		{name: "the name with a dot", body: "e.mail={me}&" + plainFields},
		{name: "the name behind a semicolon", body: "x=1;email={me}&" + plainFields},
		{name: "multipart, the name twice", kind: multipartKind, body: parts(`name="email"`+"\r\n\r\n{me}", `name="email"`+"\r\n\r\n{user}")},
		{name: "multipart, the name in a file too", kind: multipartKind, body: parts(`name="email"; filename="x"`+"\r\n\r\n{me}", `name="email"`+"\r\n\r\n{user}")},
		{name: "multipart, the name by RFC 5987 too", kind: multipartKind, body: parts("name*=utf-8''email\r\n\r\n{me}", `name="email"`+"\r\n\r\n{user}")},
		{name: "multipart, the name in two ways", kind: multipartKind, body: parts(`name="email"; name*=utf-8''emai`+"\r\n\r\n{me}", `name="email"`+"\r\n\r\n{user}")},
		{name: "multipart, the name in the query too", kind: multipartKind, path: "/login?email={me}", body: parts(`name="email"` + "\r\n\r\n{user}")},
		{name: "multipart with another boundary in it", kind: "multipart/form-data; boundary=x; charset=utf-8", body: "--y\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\n{me}\r\n" + parts(`name="email"`+"\r\n\r\n{user}")},
		{name: "two types", header: http.Header{"Content-Type": {formType, "application/json"}}, body: plainFields},
		{name: "JSON, the key twice", at: "json", kind: "application/json", body: `{"email":"{me}","email":"{user}","password":"{password}","csrf":"{token}"}`},
		{name: "JSON, the key twice by an escape", at: "json", kind: "application/json", body: `{"\u0065mail":"{me}","email":"{user}","password":"{password}","csrf":"{token}"}`},
		{name: "JSON, the key in capitals too", at: "json", kind: "application/json", body: `{"EMAIL":"{me}","email":"{user}","password":"{password}","csrf":"{token}"}`},
		{name: "JSON, the name in the query too", at: "json", kind: "application/json", path: "/login?email={me}", body: `{"email":"{user}","password":"{password}","csrf":"{token}"}`},
		{name: "nested JSON, twice", at: "nested-json", kind: "application/json", body: `{"auth":{"user":"{me}"},"auth":{"user":"{user}"},"password":"{password}","csrf":"{token}"}`},
		{name: "a form in JSON's place", at: "nested-json", path: "/login?auth.user={me}", body: "auth.user={user}&password={password}&csrf={token}"},
		{name: "a link, the name twice", at: "link", method: "GET", path: "/enter?user={me}&user={user}&key={password}"},
		{name: "a link, the name in its path too", at: "link", method: "GET", path: "/enter/{user}?user={me}&key={password}"},
		{name: "a link, two names in its path", at: "link", method: "GET", path: "/enter/{me}/../{user}?key={password}"},
		{name: "a link, an encoded name in its path", at: "link", method: "GET", path: "/enter/{user}%3b{me}?key={password}"},
		{name: "the staff's and the people's", at: "doors", path: "/admin/login", body: "email={me}&username={user}&password={password}&csrf={token}"},
		{name: "the staff's by an address in a field", at: "doors", path: "/login", body: "email={me}&username={user}&password={password}&csrf={token}", header: http.Header{"X-Original-Url": {"/admin/login"}}},
	} {
		if l.at == "" {
			l.at = "classic"
		}
		rows = append(rows, round{group: "a login with two names", name: l.name, at: l.at, counts: asVictim,
			given: func(tr *trial) { tr.user, tr.victim = tr.newUser(), tr.newUser() },
			try: func(tr *trial) {
				l := l
				l.body = strings.ReplaceAll(l.body, "{me}", url.QueryEscape(tr.user))
				if strings.HasPrefix(l.kind, "multi") || strings.Contains(l.kind, "json") {
					l.body = strings.ReplaceAll(l.body, url.QueryEscape(tr.user), tr.user)
				}
				l.path = strings.ReplaceAll(l.path, "{me}", url.QueryEscape(tr.user))
				tr.sendLogin(&l, tr.victim)
				tr.answer(tr.user)
				tr.me.get(tr.options.Path(demoapp.PageContacts))
			}})
	}
	return rows
}

// answer enters a user's code if one is asked for.
func (tr *trial) answer(user string) {
	tr.t.Helper()
	if !tr.guarded {
		return
	}
	if page := tr.me.get(codePage); strings.Contains(page.body, codeField) {
		tr.me.submit(page, codeField, map[string]string{"code": tr.code(user)})
	}
}
