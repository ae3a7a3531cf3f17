package twofactor

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// A matcher of the login page's path tells every request to it as a login,
// also that of a person who only asks for the form.
func TestTheFormItselfIsShownWhereItsPathIsTheLogin(t *testing.T) {
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for _, tt := range []struct {
		name, method, address string
		header                http.Header
		body                  string
		shown                 bool
	}{
		{"asked for as a page", "GET", "/login", nil, "", true},
		{"asked for without its body", "HEAD", "/login", nil, "", true},
		{"with a password in the query", "GET", "/login?p=x", nil, "", false},
		{"with an empty query", "GET", "/login?", nil, "", true},
		{"with a body", "GET", "/login", form, "p=x", false},
		{"with Basic", "GET", "/login", http.Header{"Authorization": {"Basic eDp4"}}, "", false},
		{"by POST without a body", "POST", "/login", nil, "", false},
		{"under another spelling", "GET", "/Login", nil, "", false},
		{"under a spelling of its own", "GET", "/login/", nil, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := startAnswering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the form") })
			s := startSite(t, "http://localhost:{$PORT} {\n@in path /login*\ntwo_factor {\nlogin @in {\nuser form email\nyes redirect /home\nno status 401\n}\nlogin_page /login\nprotect *\n}\nreverse_proxy {$UPSTREAM}\n}\n", app.address)
			var body io.Reader
			if tt.body != "" {
				body = strings.NewReader(tt.body)
			}
			r := s.client().do(tt.method, tt.address, body, tt.header)
			reached := len(app.requests())
			if tt.shown && (r.StatusCode != http.StatusOK || reached != 1) {
				t.Errorf("the form is not shown: %s, %d requests reached the app", words(r), reached)
			}
			if !tt.shown && (r.StatusCode != http.StatusBadRequest || reached != 0) {
				t.Errorf("it was passed on unwatched: %s, %d requests reached the app", words(r), reached)
			}
		})
	}
}
