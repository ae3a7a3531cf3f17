package twofactor

import (
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

var changing = regexp.MustCompile(`(?m)^Date: .*\r\n`)

// spoken sends bytes and returns all that comes back, byte for byte but for the
// date.
func (s *site) spoken(t *testing.T, request string) string {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+u.Port(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	head, body, _ := strings.Cut(request, "\n\n")
	head = strings.Replace(head, "Host: app", "Host: localhost:"+u.Port(), 1)
	if !strings.Contains(head, "Connection:") {
		head += "\nConnection: close"
	}
	if strings.Contains(head, "chunked") {
		body = strings.ReplaceAll(body, "\n", "\r\n") + "\r\n"
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n"+body); err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(io.LimitReader(conn, 1<<20))
	return strings.ReplaceAll(changing.ReplaceAllString(string(text), ""), u.Port(), "PORT")
}
