package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPromptsForAPasswordAreAnswered(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "text/html")
		if password != "right of "+user {
			w.Header().Set("WWW-Authenticate", `Basic realm="a test"`)
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, "not <i>%s</i>", user)
			return
		}
		fmt.Fprintf(w, "hello %s at %s", user, r.URL.Path)
	}))
	t.Cleanup(site.Close)
	b := Start(t)
	p := b.NewPerson(t)
	p.AnswerPrompts("anna", "wrong")
	p.Open(site.URL + "/a")
	if p.Status() != http.StatusUnauthorized || p.Text() != "not anna" || p.Prompts() != 2 {
		t.Fatalf("a wrong password: %d %q after %d prompts", p.Status(), p.Text(), p.Prompts())
	}
	p.AnswerPrompts("anna", "right of anna")
	p.Open(site.URL + "/a")
	if p.Text() != "hello anna at /a" || p.Prompts() != 3 {
		t.Fatalf("the right password: %q after %d prompts", p.Text(), p.Prompts())
	}
	for _, path := range []string{"/b", "/c/d"} {
		p.Open(site.URL + path)
		if p.Text() != "hello anna at "+path || p.Prompts() != 3 {
			t.Errorf("%s: %q after %d prompts", path, p.Text(), p.Prompts())
		}
	}
	// Names in the address take the place of those that the browser has.
	p.Open(strings.Replace(site.URL, "://", "://ben:right%20of%20ben@", 1) + "/a")
	if p.Text() != "hello ben at /a" || p.Prompts() != 3 {
		t.Errorf("another user in the address: %q after %d prompts", p.Text(), p.Prompts())
	}
	p.Open(site.URL + "/a")
	if p.Text() != "hello ben at /a" {
		t.Errorf("afterwards: %q", p.Text())
	}
	other := b.NewPerson(t)
	other.AnswerPrompts("carl", "wrong")
	other.Open(site.URL + "/a")
	if other.Text() != "not carl" {
		t.Errorf("somebody else gets %q", other.Text())
	}
}
