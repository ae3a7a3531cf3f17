package twofactor

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// observedWays are what people send in the styles without a form.
var observedWays = map[string]func(c *client, password string) reply{
	"basic": func(c *client, password string) reply {
		return c.page("/contacts", basic(alice, password))
	},
	"keys": func(c *client, password string) reply {
		return c.api("/api/me", demoapp.UserHeader, alice, demoapp.KeyHeader, password)
	},
	"trusted": func(c *client, password string) reply {
		return c.page("/contacts", basic(alice, password))
	},
	"several-users": func(c *client, password string) reply {
		r := c.submit(c.get("/login"), `id="password"`, map[string]string{"email": alice, "password": password})
		if r.StatusCode == http.StatusFound {
			return c.get("/contacts?" + url.Values{demoapp.SpeakerField: {alice}}.Encode())
		}
		return r
	},
}

// TestObservingChangesNothingOfAnyWayInWithoutAForm is
// TestInvariant12ObservingChangesNothingOfAnyStyleOfLogin for the styles that
// cannot go through its steps.
func TestObservingChangesNothingOfAnyWayInWithoutAForm(t *testing.T) {
	for _, style := range demoapp.Styles() {
		if style.Options.ByForm() {
			continue
		}
		t.Run(style.Name, func(t *testing.T) {
			way, ok := observedWays[style.Name]
			if !ok {
				t.Fatal("nobody signs in in this style")
			}
			between := &passing{app: demoapp.New(style.Options)}
			srv := httptest.NewServer(between)
			t.Cleanup(srv.Close)
			s := startSite(t, observing(styleFile(t, style.Name)), srv.Listener.Addr().String())
			c := s.client()
			for _, password := range []string{"wrong", alicePassword, alicePassword} {
				between.taken()
				r := way(c, password)
				all := between.taken()
				if len(all) == 0 && style.Options.Entrance == demoapp.EntranceTrusted && password == "wrong" {
					continue // What stands in front has refused it.
				}
				last := all[len(all)-1]
				if style.Options.Entrance == demoapp.EntranceTrusted {
					// What the operator's own config adds on the way.
					last.header.Del(demoapp.TrustedHeader)
				}
				samePassage(t, "with the password "+password, r.Request, last.body, r, last)
				if shown := strings.Contains(r.body, `id="contacts"`) || strings.Contains(r.body, `{"email"`); shown != (password == alicePassword) {
					t.Errorf("with the password %s: %d %s", password, r.StatusCode, r.body)
				}
			}
			if len(c.cookies("/")[ownCookie]) > 0 {
				t.Error("the browser has a cookie of the gateway's")
			}
			s.waitKeys(store.SeenUser, alice)
		})
	}
}
