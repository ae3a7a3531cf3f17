package twofactor

import (
	"net/http"
	"strings"
	"testing"
)

func TestAStepUpWhoseAddressNoFormCanBePostedToPassesWhenItComesAgain(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	addr, sent := countedExport(t, upstream)
	s := startSite(t, oneLogin("yes redirect /dashboard*\nno status 200", exportOnce+"\n\t\tcredential field key"), addr)
	for address, app := range map[string]string{
		"/contacts/export?q=Ana&key=secret": "GET q=Ana",
		"//contacts/export?q=Eva":           "GET q=Eva",
	} {
		bob := s.client()
		bob.signIn("bob@example.com", "battery staple")
		before := len(sent())
		page := bob.askedFor(bob.get(address))
		if strings.Contains(page.body, "secret") {
			t.Errorf("%s: the page has the key:\n%s", address, page.body)
		}
		r := bob.submit(bob.texted(page), codeField, map[string]string{"code": s.textCode()})
		if r.StatusCode != http.StatusSeeOther || r.location() != "/" {
			t.Errorf("%s: the code gave %d to %q", address, r.StatusCode, r.location())
		}
		if got := sent()[before:]; len(got) != 0 {
			t.Errorf("%s: sent by the code: %q", address, got)
		}
		bob.get(address)
		bob.askedFor(bob.get(address))
		if got := sent()[before:]; len(got) != 1 || got[0] != app {
			t.Errorf("%s: what reached the app is %q", address, got)
		}
	}
}
