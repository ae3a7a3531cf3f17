package twofactor

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// phpField reads a form as PHP does: blanks before a name are dropped, a NUL
// ends it, and of two fields the last counts.
func phpField(body, name string) (value string) {
	for field := range strings.SplitSeq(body, "&") {
		n, v, _ := strings.Cut(field, "=")
		n, _ = url.QueryUnescape(n)
		n, _, _ = strings.Cut(strings.TrimLeft(n, " "), "\x00")
		if n == name {
			value, _ = url.QueryUnescape(v)
		}
	}
	return value
}

func TestInvariant03ANameOfAnyLengthIsReadAsTheAppReadsIt(t *testing.T) {
	l, upstream := newLedger(t)
	l.pages["/login"] = func(w http.ResponseWriter, a *arrival) bool {
		if phpField(a.Body, "password") != right {
			return false
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.users[a.cookie("sid")] = phpField(a.Body, "email")
		w.Header().Set("Location", "/dashboard")
		w.WriteHeader(http.StatusFound)
		return true
	}
	l.pages["/contacts"] = func(w http.ResponseWriter, a *arrival) bool {
		fmt.Fprintf(w, "of <%s>", l.user(a))
		return true
	}
	s := startSite(t, ledgerConfig(), upstream)
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Dest": {"document"}}
	for name, pad := range map[string]func(field string) string{
		"blanks":         func(f string) string { return strings.Repeat("+", 1100) + f },
		"encoded blanks": func(f string) string { return strings.Repeat("%20", 400) + f },
		"a NUL":          func(f string) string { return f + "%00" + strings.Repeat("x", 1100) },
	} {
		theirs := pad("email") + "=" + url.QueryEscape(carol) + "&" + pad("password") + "=" + right
		// She knows carol's password and has no factor of carol's.
		c := s.client()
		c.get("/login")
		r := c.do(http.MethodPost, "/login", strings.NewReader("email="+url.QueryEscape(alice)+"&password=any&"+theirs), form)
		if r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: beside her own name the other is not seen: %d to %q", name, r.StatusCode, r.location())
		}
		c = s.client()
		c.get("/login")
		if r := c.do(http.MethodPost, "/login", strings.NewReader(theirs), form); r.StatusCode != http.StatusBadRequest && !strings.HasPrefix(r.location(), "/.two-factor/") {
			t.Errorf("%s: a login goes by unseen: %d to %q", name, r.StatusCode, r.location())
		}
	}
	c := s.client()
	c.pass(alice)
	c.do(http.MethodPost, "/login", strings.NewReader(strings.Repeat("+", 1100)+"email="+url.QueryEscape(carol)+"&password="+right), form)
	if r := c.get("/contacts"); strings.Contains(r.body, carol) {
		t.Errorf("in alice's session she has carol's page: %d %s", r.StatusCode, r.body)
	}
}
