package twofactor

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// sendAndLeave sends a form and hangs up before there is an answer.
func (c *client) sendAndLeave(page reply, marker string, fields map[string]string) {
	c.t.Helper()
	form := hidden(page.body, marker)
	at := form.Get("")
	delete(form, "")
	for name, value := range fields {
		form.Set(name, value)
	}
	var cookies []string
	for name, value := range c.cookies("/") {
		cookies = append(cookies, name+"="+value)
	}
	u, err := url.Parse(c.s.url)
	if err != nil {
		c.t.Fatal(err)
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+u.Port())
	if err != nil {
		c.t.Fatal(err)
	}
	body := form.Encode()
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: same-origin\r\nAccept: text/html\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", at, u.Host, strings.Join(cookies, "; "), len(body), body)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		c.t.Fatal(err)
	}
}

func TestWhatTheRightCodeWasForIsSentThoughItsSenderHasGone(t *testing.T) {
	app, s := stepSite(t, exportOnce)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		t.Run(method, func(t *testing.T) {
			app.Reset()
			bob := s.client()
			bob.signIn("bob@example.com", "battery staple")
			var page reply
			if method == http.MethodGet {
				page = bob.get("/contacts/export")
			} else {
				form := hidden(bob.get("/contacts").body, "separator")
				delete(form, "")
				page = bob.post("/contacts/export", form)
			}
			page = bob.texted(bob.askedFor(page))
			code := map[string]string{"code": s.textCode()}
			bob.sendAndLeave(page, codeField, code)
			time.Sleep(500 * time.Millisecond)
			sent := len(exports(app))
			// Who went away before the code was looked at has not spent it.
			r := bob.submit(page, codeField, code)
			if spent := r.StatusCode == http.StatusConflict; spent != (sent == 1) {
				t.Errorf("the code was spent: %t, and %d exports had reached the app:\n%s", spent, sent, visible(r.body))
			}
			if got := exports(app); len(got) != 1 || got[0].Method != method {
				t.Errorf("what reached the app: %+v", got)
			}
		})
	}
}
