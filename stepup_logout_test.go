package twofactor

import (
	"strings"
	"testing"
)

func TestInvariant07ALogoutsFieldsOpenNoStepUpRoute(t *testing.T) {
	app, s := stepSite(t, exportOnce+"\n\t\tlogout {\n\t\t\tquery action=logout\n\t\t}")
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	bob.get("/contacts/export?action=logout")
	if got := exports(app); len(got) != 0 {
		t.Errorf("an export reached the app in a session without a code: %+v", got[0].URI)
	}
}

func TestInvariant07AFieldInTheLogoutsAddressOpensNoStepUpRoute(t *testing.T) {
	app, upstream := serveDemo(t, demoOptions())
	file := oneLogin("yes redirect /dashboard*\nno status 200", "logout /logout\nstep_up @asked")
	s := startSite(t, strings.Replace(file, "two_factor {", "@asked query export=*\n\ttwo_factor {", 1), upstream)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	bob.askedFor(bob.get("/logout?export=1"))
	if r := bob.get("/logout?next=1"); strings.HasPrefix(r.location(), atChallenge) {
		t.Errorf("the logout asks for a code: %q", r.location())
	}
	for _, r := range byPeople(app) {
		if r.URI == "/logout?export=1" {
			t.Error("what the field asks for reached the app without a code")
		}
	}
}
