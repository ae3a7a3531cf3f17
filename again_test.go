package twofactor

import (
	"net/http"
	"testing"
)

func TestAfterALogoutThePasswordNeedsACodeAgain(t *testing.T) {
	s, _ := tokenStart(t, "logout /logout")
	c := s.client()
	c.passOnce(alice)
	c.get("/contacts")
	c.get("/logout")
	if r := c.byScript(alice, right); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}
