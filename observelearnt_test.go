package twofactor

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

func TestObservingLearnsNothingOfAnAccountFromWhoOnlyNamesIt(t *testing.T) {
	_, addr := serveScripted(t, func(w http.ResponseWriter, a *arrival) {
		switch {
		case a.path() == "/login" && a.field("password") == right:
			w.Header().Set("Set-Cookie", "sid=in; Path=/")
			w.Header().Set("Location", "/home")
			w.WriteHeader(http.StatusFound)
		case a.path() == "/" && a.cookie("sid") == "in":
			w.Header().Set("Location", "/home")
			w.WriteHeader(http.StatusFound)
		default:
			fmt.Fprint(w, "a page")
		}
	})
	s := newSite(t)
	s.global = behindProxy
	s.start("http://localhost:{$PORT} {\ntwo_factor {\nlogin fields email password {\nyes redirect /home\nno status 200\n}\nlogin_page /login\nprotect *\nmode observe\npolicy new_ip\n}\nreverse_proxy {$UPSTREAM}\n}\n", addr)
	s.enrol(alice, account.KindPhone)
	c, _ := s.browserAt(abroad, chromeOnLinux)
	c.post("/login", filled("mallory", right))
	c.get("/?email=" + alice + "&password=x")
	eventually(t, "the login is assessed", func() bool {
		return slices.ContainsFunc(decisions(t), func(e auditEntry) bool { return e.Account == alice })
	})
	l := s.lease()
	defer l.Release()
	raw, err := l.Parts().Store.History(t.Context(), defaultName, alice)
	if h, _ := policy.ParseHistory(raw); err != nil || len(h.Addresses) > 0 {
		t.Errorf("alice's account is used to %+v %v", h.Addresses, err)
	}
}
