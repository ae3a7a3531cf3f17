package handler

import (
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

func TestTheAddressOfAnAuthenticatorFitsIntoItsPicture(t *testing.T) {
	secret := strings.Repeat("A", 32)
	for _, tt := range []struct {
		name, issuer, user, wantIssuer, wantUser string
		period                                   int
	}{
		{"short names stay whole", "crm.example.com", "anna@example.com", "crm.example.com", "anna@example.com", 30},
		{"a long user is cut first", "crm.example.com", strings.Repeat("a", 256), "crm.example.com", "aaaaaaaaaaaa", 30},
		{"a long issuer beyond ASCII", strings.Repeat("Ж", 30), "anna@example.com", "Ж", "anna@example", 30},
		{"a host as long as they come", strings.Repeat("h", 253), "anna", "h", "anna", 15},
		{"both of the longest letters", strings.Repeat("語", 20), strings.Repeat("語", 85), "語", "語", 60},
		{"a colon in the user", "crm", "DOMAIN:anna", "crm", "DOMAIN anna", 30},
		{"no user", "crm", "", "crm", "", 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			uri := otpauth(&page.EnrolAppPage{Issuer: tt.issuer, Account: tt.user, Secret: secret}, &account.TOTP{Period: tt.period})
			u, err := url.Parse(uri)
			if err != nil || len(uri) > page.MaxOTPAuth {
				t.Fatalf("%d bytes: %s, %v", len(uri), uri, err)
			}
			issuer, user, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), ":")
			if issuer != u.Query().Get("issuer") || !strings.HasPrefix(issuer, tt.wantIssuer) || !strings.HasPrefix(user, tt.wantUser) || u.Query().Get("secret") != secret {
				t.Errorf("it says %q of %q, want %q… of %q…", user, u.Query(), tt.wantUser, tt.wantIssuer)
			}
			if got := u.Query().Get("period"); (got == "") != (tt.period == 30) {
				t.Errorf("the period is %q", got)
			}
		})
	}
}
