package twofactor

import (
	"net/http"
	"strings"
	"testing"
)

func TestInvariant11WhatAHandlerBeforeUsSaidOfThePersonIsNotKeptWithAHeldRequest(t *testing.T) {
	app, upstream := serveDemo(t, demoOptions())
	file := oneLogin("yes redirect /dashboard*\nno status 200", exportOnce+"\nreadable role")
	file = strings.Replace(file, "two_factor {",
		"@admin header Cookie *role=admin*\n\troute {\n\trequest_header -Remote-Groups\n\trequest_header @admin Remote-Groups admins\n\ttwo_factor {", 1)
	s := startSite(t, strings.Replace(file, "reverse_proxy {$UPSTREAM}", "reverse_proxy {$UPSTREAM}\n\t}", 1), upstream)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	bob.setCookie("role", "admin")
	page := bob.texted(bob.askedFor(bob.get("/contacts/export")))
	bob.setCookie("role", "none")
	mustSay(t, bob.submit(page, codeField, map[string]string{"code": s.textCode()}), http.StatusOK)
	got := exports(app)
	if len(got) != 1 || len(got[0].Header["Remote-Groups"]) != 0 {
		t.Errorf("the export went out with the groups of before: %+v", got)
	}
}
