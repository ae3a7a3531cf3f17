package twofactor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// tenants is an app whose login has a third field, and whose profile says who is
// signed in and of which company; what it says of the company is theirs, whatever
// was typed.
func tenants(t *testing.T, theirs string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/profile" {
			who := map[string]any{"visitor": true}
			if k, err := r.Cookie("app"); err == nil {
				who = map[string]any{"user": k.Value, "company": theirs}
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(who)
			return
		}
		if r.Method == http.MethodPost && r.FormValue("password") == "right" {
			http.SetCookie(w, &http.Cookie{Name: "app", Value: r.FormValue("email"), Path: "/"})
			http.Redirect(w, r, "/home", http.StatusFound)
			return
		}
		fmt.Fprint(w, "Wrong password")
	}))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

const tenantSigns = "user form email\nyes redirect /home\nno text \"Wrong password\"\n"

func tenantSite(t *testing.T, theirs, login string) *site {
	t.Helper()
	s := newSite(t)
	s.start(siteWith("login /login {\n"+tenantSigns+login+"\n}\nenrolment required", "reverse_proxy {$UPSTREAM}"), tenants(t, theirs))
	s.bare(nil, alice)
	return s
}

func (c *client) tenantLogin(password string, more url.Values) reply {
	c.t.Helper()
	form := url.Values{"email": {alice}, "password": {password}}
	for name, values := range more {
		form[name] = values
	}
	return c.post("/login", form)
}

func TestTheTeamIsReadAtTheLogin(t *testing.T) {
	const inForm, inProof = "team form company", "proof /profile {\nyes json user\nno json visitor\nteam json company\n}"
	long := strings.Repeat("x", account.MaxTeam)
	for _, tt := range []struct {
		name, theirs, login, password string
		typed                         []string
		before, want                  string
		owner                         bool
	}{
		{"from a field that the app has checked", "", inForm, "right", []string{" Acme "}, "", "Acme", false},
		{"not with a wrong password", "", inForm, "wrong", []string{"Acme"}, "Old", "Old", true},
		{"not where the field is missing", "", inForm, "right", nil, "Old", "Old", true},
		{"not where the field is empty", "", inForm, "right", []string{" "}, "Old", "Old", true},
		{"not where it is there twice", "", inForm, "right", []string{"Acme", "Other"}, "Old", "Old", true},
		{"another one takes the ownership", "", inForm, "right", []string{"Acme"}, "Old", "Acme", false},
		{"another spelling is the same one", "", inForm, "right", []string{"OLD"}, "Old", "Old", true},
		{"of the largest length", "", inForm, "right", []string{long}, "Old", long, false},
		{"not beyond it", "", inForm, "right", []string{long + "x"}, "Old", "Old", true},
		{"not with a line break", "", inForm, "right", []string{"Ac\nme"}, "Old", "Old", true},
		{"not in another charset", "", inForm, "right", []string{"Ac\xffme"}, "Old", "Old", true},
		{"from a proof", "Acme", inProof, "right", nil, "", "Acme", false},
		{"from a proof, whatever was typed", "Acme", inProof + "\n" + inForm, "right", []string{"Other"}, "Old", "Acme", false},
		{"not from a proof without it", "", inProof, "right", nil, "Old", "Old", true},
		{"not from a proof that is no text", "\u202e", inProof, "right", nil, "Old", "Old", true},
		{"not where nothing is said of it", "Acme", "proof /profile {\nyes json user\nno json visitor\n}", "right", []string{"Acme"}, "Old", "Old", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tenantSite(t, tt.theirs, tt.login)
			s.change(alice, func(a *account.Account) error {
				a.Team, a.Owner, a.Proposed = tt.before, true, &account.Factor{ID: "p", Kind: account.KindPhone, Secret: []byte("x")}
				return nil
			})
			r := s.client().tenantLogin(tt.password, url.Values{"company": tt.typed})
			if got := r.location() == codePage; got != (tt.password == "right") {
				t.Fatalf("the login gave %d to %q", r.StatusCode, r.location())
			}
			a := s.account(alice)
			if a.Team != tt.want || a.Owner != tt.owner {
				t.Errorf("the team is %q, owner %v; want %q, %v", a.Team, a.Owner, tt.want, tt.owner)
			}
			if moved := a.Team != tt.before; moved != (a.Proposed == nil) {
				t.Errorf("the number that the owner of the old team has entered is there: %v", a.Proposed != nil)
			}
		})
	}
}

func TestTheTeamIsReadInALoginThatItsFieldsTell(t *testing.T) {
	s := newSite(t)
	s.start(siteWith("login fields email password {\nyes redirect /home\nno text \"Wrong password\"\nteam query company\n}\nenrolment required", "reverse_proxy {$UPSTREAM}"), tenants(t, ""))
	s.bare(nil, alice)
	c := s.client()
	if r := c.post("/login?company=Acme", url.Values{"email": {alice}, "password": {"right"}}); r.location() != codePage {
		t.Fatalf("the login gave %d to %q", r.StatusCode, r.location())
	}
	if a := s.account(alice); a.Team != "Acme" {
		t.Errorf("the team is %q", a.Team)
	}
}

func TestADemandOfTheTeamThatIsReadHoldsAtOnce(t *testing.T) {
	s := newSite(t)
	s.start(siteWith("login /login {\n"+tenantSigns+"team form company\n}\nenrolment offered {\nconfirm open\n}", "reverse_proxy {$UPSTREAM}"), tenants(t, ""))
	s.bare(nil, alice)
	s.demandOfTeam("Acme", account.ByOperator)
	c := s.client()
	c.tenantLogin("right", url.Values{"company": {"ACME"}})
	page := c.get("/.two-factor/enrol")
	if page.StatusCode != http.StatusOK || strings.Contains(page.body, "two_factor_go_on") {
		t.Errorf("there is a way past what the team demands: %d\n%s", page.StatusCode, page.body)
	}
	waitFor(t, "the event of the team", func() bool {
		return strings.Contains(s.audited(), `"event":"authz_change"`) && strings.Contains(s.audited(), `"to ACME"`)
	})
}

func TestATeamInJSONThatIsNoneIsRefused(t *testing.T) {
	for team, want := range map[string]string{
		`{"from": "form", "name": "company"}`:   "",
		`{"from": "cookie", "name": "company"}`: `team: from must be form, json, query, header or placeholder, not "cookie"`,
		`{"from": "basic"}`:                     `not "basic"`,
		`{"from": "json", "name": "a..b"}`:      "team: json must be keys and indexes",
		`{"from": "form"}`:                      "team: form must be one plain name",
	} {
		raw := fmt.Appendf(nil, `{"admin": {"disabled": true, "config": {"persist": false}}, "logging": {"logs": {"default": {"writer": {"output": "discard"}}}}, "apps": {"http": {"servers": {"s": {
			"listen": ["127.0.0.1:0"], "routes": [{"handle": [{"handler": "two_factor", "logins": [{"match": [{"path": ["/a"]}], "user": {"from": "form", "name": "email"}, "team": %s, "yes": [[{"status": ["302"]}]], "no": [[{"status": ["200"]}]]}], "protect": [{"path": ["*"]}]}]}]}}}}}`, team)
		ownDataDir(t)
		var config *caddy.Config
		err := caddy.StrictUnmarshalJSON(raw, &config)
		if err == nil {
			err = caddy.Validate(config)
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want an error with %q", team, err, want)
		}
	}
}

// demandOfTeam demands a factor of a team.
func (s *site) demandOfTeam(team, by string) {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	err := l.Parts().Store.ChangeDemands(s.t.Context(), defaultName, func(d *account.Demands) error {
		d.Teams[account.TeamKey(team)] = account.Demand{From: time.Now().Add(-time.Minute), By: by, At: time.Now()}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
