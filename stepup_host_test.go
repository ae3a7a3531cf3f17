package twofactor

import (
	"net/http"
	"strings"
	"testing"
)

func TestAHeldRequestIsSentToNoOtherHostThatSharesTheSession(t *testing.T) {
	app, upstream := serveDemo(t, demoOptions())
	config := strings.Replace(oneLogin("yes redirect /dashboard*\nno status 200", exportOnce),
		"http://localhost:{$PORT} {", "http://localhost:{$PORT}, http://other.localhost:{$PORT} {", 1)
	s := startSite(t, config, upstream)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	page := bob.texted(bob.askedFor(bob.get("/contacts/export")))
	answer := hidden(page.body, codeField)
	answer.Del("")
	answer.Set("code", s.textCode())
	r, err := http.NewRequest(http.MethodPost, s.url+"/contacts/export", strings.NewReader(answer.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = strings.Replace(r.URL.Host, "localhost", "other.localhost", 1)
	r.Header = http.Header{
		"Content-Type": urlencoded["Content-Type"], "Cookie": {bob.jarLine("/contacts/export")},
		"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Dest": {"document"}, "Accept": {"text/html"},
	}
	res, err := (&http.Client{Transport: bob.http.Transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := exports(app); res.StatusCode != http.StatusConflict || len(got) != 0 {
		t.Errorf("at the other host the code gave %d, and %d exports reached the app", res.StatusCode, len(got))
	}
}
