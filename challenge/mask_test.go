package challenge

import (
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

func TestRule06AProvidersErrorIsScrubbed(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"a status stays", "status 400 from 10.0.0.12:8443", "status 400 from 10.0.0.12:8443"},
		{"a number goes", "number +4915112345678 refused", "number +… refused"},
		{"a number in an address goes", "Post \"https://sms.example/?to=%2B4915112345678&text=123456+is\": EOF", "Post \"https://sms.example/?to=%2B…&text=…+is\": EOF"},
		{"a number in groups goes", "to 49 151 123-456 78: no", "to …: no"},
		{"a code goes", "text '123456 is your code'", "text '… is your code'"},
		{"four digits stay", "error 4711, line 12", "error 4711, line 12"},
		{"a run of digits at the end goes", "no 12345", "no …"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := scrub(tt.in); got != tt.want {
				t.Errorf("scrub = %q, want %q", got, tt.want)
			}
		})
	}
	long := scrub(strings.Repeat("é", 148) + " 49151123")
	if len(long) > maxLogged+len("…") || strings.ContainsAny(long, "0123456789") {
		t.Errorf("a long error becomes %d bytes: %q", len(long), long)
	}
}

func TestRule06AProviderIDThatTellsTooMuchIsNotLogged(t *testing.T) {
	m := sms.Message{To: "+4915112345678", Text: "123456 is your code"}
	for id, want := range map[string]string{
		"SM0042-77":                      "SM0042-77",
		"to-4915112345678":               "",
		"x123456":                        "",
		strings.Repeat("x", sms.MaxID+1): "",
	} {
		if got := scrubID(id, m); got != want {
			t.Errorf("scrubID(%q) = %q, want %q", id, got, want)
		}
	}
}
