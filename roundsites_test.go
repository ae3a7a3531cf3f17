package twofactor

import (
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// narrowLines protect three paths and nothing else.
const narrowLines = "protect /contacts\n\t\tprotect /contacts/*\n\t\tprotect /dashboard"

// doorsFile stands before the demo app with its side doors.
const doorsFile = `http://localhost:{$PORT:8080} {
	@login {
		method POST
		path /login
	}
	@staff {
		method POST
		path /admin/login
	}
	@destroy {
		method DELETE
		path /contacts/export
	}
	two_factor {
		login @login {
			user form email
			yes redirect /dashboard*
			no status 200
		}
		login @staff {
			user form username
			yes redirect /dashboard*
			no status 200
		}
		login_page /login
		logout /logout
		block /xmlrpc.php
		block @destroy
		public /assets/*
		public /profile
		public /admin/login
		protect *
	}
	reverse_proxy {$UPSTREAM:127.0.0.1:8081}
}
`

// roundSites are the sites that tries are made at, by name: the styles of the
// demo app, and some of its other faces.
func roundSites(t *testing.T) map[string]roundSite {
	t.Helper()
	sites := map[string]roundSite{"doors": {options: demoapp.Options{SideDoors: true}, caddyfile: doorsFile}}
	for _, s := range demoapp.Styles() {
		sites[s.Name] = roundSite{options: s.Options, caddyfile: styleFile(t, s.Name)}
	}
	classic := sites["classic"].caddyfile
	narrow := strings.Replace(classic, "protect *", narrowLines, 1)
	for name, paths := range map[string]demoapp.PathReading{
		"plain paths": demoapp.PathsPlain, "Java's paths": demoapp.PathsJava, "IIS' paths": demoapp.PathsIIS,
	} {
		sites[name] = roundSite{options: demoapp.Options{Paths: paths}, caddyfile: narrow}
	}
	sites["allowed paths"] = roundSite{options: demoapp.Options{Paths: demoapp.PathsIIS}, caddyfile: strings.Replace(narrow, narrowLines, narrowLines+"\n\t\tallow_path /files/*", 1)}
	sites["visitors allowed"] = roundSite{caddyfile: strings.Replace(classic, "protect *", "protect *\n\t\tunverified anonymous", 1)}
	asks := "\n\t\tstep_up /contacts/export* {\n\t\t\taction \"export all contacts\"\n\t\t}\n\t\tstep_up /profile* {\n\t\t\tmax_age 1h\n\t\t}"
	sites["step-up"] = roundSite{caddyfile: strings.Replace(classic, "protect *", "protect *"+asks, 1), kind: account.KindPhone}
	byField := strings.NewReplacer("\ttwo_factor {", "\t@export two_factor_field action export\n\ttwo_factor {", "protect *", "protect *\n\t\tstep_up @export").Replace(sites["index-php"].caddyfile)
	sites["step-up by field"] = roundSite{options: sites["index-php"].options, caddyfile: byField, kind: account.KindPhone}
	second := strings.NewReplacer("{$PORT:8080}", "{$SECOND}", "two_factor {", "two_factor second {").Replace(classic)
	sites["twins"] = roundSite{caddyfile: classic + second, instances: []string{"second"}}
	return sites
}
