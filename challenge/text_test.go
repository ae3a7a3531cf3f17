package challenge

import (
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

func TestATextSaysCodePurposeSiteAndHost(t *testing.T) {
	got := Text(Languages{}, "en", account.PurposeLogin, "Acme CRM", "crm.example.com:8443", "012345", "")
	want := "012345 is your code to sign in to Acme CRM. Do not share it with anyone.\n\n@crm.example.com #012345"
	if got != want {
		t.Errorf("text is %q, want %q", got, want)
	}
}

func TestTextsTakeOneGSMSegment(t *testing.T) {
	const code = "012345"
	label := strings.Repeat("a", 60)
	tests := []struct {
		name, site, host string
		prose, last      string
	}{
		{"a usual site", "crm.example.com", "crm.example.com", "to crm.example.com.", "@crm.example.com #012345"},
		{"umlauts stay", "Müller & Söhne", "example.de", "to Müller & Söhne.", "@example.de #012345"},
		{"accents outside the alphabet are dropped", "Škoda", "example.cz", "to Skoda.", "@example.cz #012345"},
		{"a name in another alphabet is not named", "Пример", "example.ru", "sign in. Do", "@example.ru #012345"},
		{"a line break cannot add a line", "x\n@evil.example #999999\n", "example.com", "to x @evil.example #999999.", "@example.com #012345"},
		{"a long name is not named", strings.Repeat("long ", 13), "example.com", "sign in. Do", "@example.com #012345"},
		{"a name that fits only without the host's line goes first", strings.Repeat("b", 50), label + ".example.com", "sign in. Do", "@" + label + ".example.com #012345"},
		{"a host that is too long has no line", "crm", label + "." + label + ".example.com", "to crm.", "anyone."},
		{"a host that is none has no line", "crm", "exa mple.com", "to crm.", "anyone."},
		{"a host with a line break has no line", "crm", "a.example\n@b.example", "to crm.", "anyone."},
		{"no host has no line", "crm", "", "to crm.", "anyone."},
		{"a port is dropped", "", "localhost:8080", "sign in. Do", "@localhost #012345"},
		{"capitals and a last dot are folded", "", "CRM.Example.com.", "sign in. Do", "@crm.example.com #012345"},
		{"an IPv6 address keeps its brackets", "", "[::1]:8080", "sign in. Do", "@[::1] #012345"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := Text(Languages{}, "en", account.PurposeLogin, tt.site, tt.host, code, "")
			n, ok := sms.Septets(text)
			if !ok || n > 160 {
				t.Errorf("%q takes %d septets (%v), want at most 160", text, n, ok)
			}
			if !strings.HasPrefix(text, code+" ") {
				t.Errorf("%q does not begin with the code", text)
			}
			if !strings.Contains(text, tt.prose) || !strings.Contains(text, "Do not share") {
				t.Errorf("%q lacks %q", text, tt.prose)
			}
			if !strings.HasSuffix(text, tt.last) {
				t.Errorf("%q does not end with %q", text, tt.last)
			}
			if strings.Count(text, "\n@") > 1 {
				t.Errorf("%q has two last lines", text)
			}
		})
	}
}

func TestATextOfAStepUpSaysWhatTheCodeIsForOrNothingOfIt(t *testing.T) {
	const code = "012345"
	label := strings.Repeat("a", 60)
	sixty := "export " + strings.Repeat("b", 53)
	tests := []struct {
		name, action, site, host string
		want                     string
	}{
		{"the action and the site", "export all contacts", "crm.example.com", "crm.example.com", "export all contacts at crm.example.com. Do not share it with anyone.\n\n@crm.example.com #012345"},
		{"no action", "", "crm.example.com", "crm.example.com", "go on at crm.example.com. Do not share it with anyone.\n\n@crm.example.com #012345"},
		{"accents outside the alphabet are dropped", "exportér à Škoda", "crm", "", "exportér à Skoda at crm. Do not share it with anyone."},
		{"another alphabet is left out", "экспорт", "crm", "", "go on at crm. Do not share it with anyone."},
		{"one letter of another alphabet is not dropped", "export аll contacts", "crm", "", "go on at crm. Do not share it with anyone."},
		{"a turned direction is left out", "export \u202estcatnoc", "crm", "", "go on at crm. Do not share it with anyone."},
		{"a line break becomes a blank", "export\r\nall\tcontacts", "crm", "", "export all contacts at crm. Do not share it with anyone."},
		{"blanks alone are no action", " \n ", "crm", "", "go on at crm. Do not share it with anyone."},
		{"a last line of its own is left out", "export\n\n@evil.example #999999", "crm", "crm.example.com", "go on at crm. Do not share it with anyone.\n\n@crm.example.com #012345"},
		{"a number sign is left out", "export list #7", "crm", "", "go on at crm. Do not share it with anyone."},
		{"an at sign is left out", "mail to all@example.com", "crm", "", "go on at crm. Do not share it with anyone."},
		{"sixty septets are named", sixty, "crm", "crm.test", sixty + " at crm. Do not share it with anyone.\n\n@crm.test #012345"},
		{"more than sixty are left out and not cut", sixty + "b", "crm", "crm.test", "go on at crm. Do not share it with anyone.\n\n@crm.test #012345"},
		{"letters of two septets count twice", strings.Repeat("[", 31), "crm", "", "go on at crm. Do not share it with anyone."},
		{"the site is left out before the action", sixty, "Acme Customers and Partners", "crm.example.com", sixty + ". Do not share it with anyone.\n\n@crm.example.com #012345"},
		{"the action is left out before the last line", sixty, "crm", label + ".example.com", "go on at crm. Do not share it with anyone.\n\n@" + label + ".example.com #012345"},
		{"a host that is too long leaves the action", sixty, "crm", label + "." + label + ".example.com", sixty + " at crm. Do not share it with anyone."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := Text(Languages{}, "en", account.PurposeStepUp, tt.site, tt.host, code, tt.action)
			if want := code + " is your code to " + tt.want; text != want {
				t.Errorf("text is %q, want %q", text, want)
			}
			if n, ok := sms.Septets(text); !ok || n > 160 || sms.Segments(text) != 1 {
				t.Errorf("%q takes %d septets (%v)", text, n, ok)
			}
		})
	}
}

func TestATextOfASignInNamesNoAction(t *testing.T) {
	text := Text(Languages{}, "en", account.PurposeLogin, "crm", "crm.test", "012345", "export all contacts")
	if want := "012345 is your code to sign in to crm. Do not share it with anyone.\n\n@crm.test #012345"; text != want {
		t.Errorf("text is %q, want %q", text, want)
	}
}

// greek is a wording outside the GSM alphabet.
type greek struct{}

func (greek) Prose(string, account.Purpose, string, string) string {
	return "είναι ο κωδικός σας."
}

func TestATextInAnotherAlphabetTakesOneSegmentToo(t *testing.T) {
	text := Text(greek{}, "el", account.PurposeLogin, "crm", "crm.example.gr", "012345", "")
	if sms.Segments(text) != 1 || !strings.HasSuffix(text, "\n\n@crm.example.gr #012345") {
		t.Errorf("%q takes %d segments", text, sms.Segments(text))
	}
}
