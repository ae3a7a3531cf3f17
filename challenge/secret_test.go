package challenge

import (
	"bytes"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

func TestSecretsInBase32AreReadAsPeopleHaveThem(t *testing.T) {
	const twenty = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // 12345678901234567890
	tests := []struct {
		name, input string
		bytes       int
		weak        bool
	}{
		{"as it is", twenty, 20, false},
		{"in lower case", strings.ToLower(twenty), 20, false},
		{"in groups", "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ", 20, false},
		{"with hyphens and no-break blanks", "gezd-gnbv\u00a0gy3t-qojq-gezd-gnbv-gy3t-qojq\n", 20, false},
		{"with padding", "GEZDGNBVGY3TQOJQGEZDGNBVGY======", 16, false},
		{"without padding", "GEZDGNBVGY3TQOJQGEZDGNBVGY", 16, false},
		{"80 bits, as old apps gave out", "GEZDGNBVGY3TQOJQ", 10, true},
		{"64 bytes", strings.Repeat("A", 103), 64, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, weak, err := ParseTOTPSecret(tt.input)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != tt.bytes || weak != tt.weak {
				t.Errorf("%d bytes, weak %v, want %d, %v", len(got), weak, tt.bytes, tt.weak)
			}
			if tt.bytes < 64 && !bytes.HasPrefix([]byte("12345678901234567890"), got) {
				t.Errorf("the secret is %q", got)
			}
		})
	}
}

func TestSecretsThatCannotBeAreRefusedWithoutBeingShown(t *testing.T) {
	tests := []struct{ name, input string }{
		{"nothing", ""},
		{"64 bits", "GEZDGNBVGY3TQ"},
		{"65 bytes", strings.Repeat("A", 104)},
		{"too long to look at", strings.Repeat(" ", 300)},
		{"a digit that base32 lacks", "GEZDGNBVGY3TQOJ1"},
		{"padding in the middle", "GEZDGNBV====GY3TQOJQ"},
		{"a lost character", "GEZDGNBVGY3TQOJQG"},
		{"hexadecimal", "3132333435363738393031323334353637383930"},
		{"an address", "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := ParseTOTPSecret(tt.input)
			if err == nil {
				t.Fatalf("the secret is %q, want an error", got)
			}
			if strings.Contains(err.Error(), "GEZD") || strings.Contains(err.Error(), "3132") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func TestNewSecretsHave160BitsAndSurviveTheirForm(t *testing.T) {
	secret, err := NewTOTPSecret(seeded())
	if err != nil {
		t.Fatal(err)
	}
	form := FormatTOTPSecret(secret)
	back, weak, err := ParseTOTPSecret(form)
	if err != nil || weak || len(secret) != 20 || !bytes.Equal(back, secret) {
		t.Errorf("%d bytes, %q, back %x, weak %v, %v", len(secret), form, back, weak, err)
	}
	if _, err := NewTOTPSecret(failing{}); err == nil {
		t.Error("a source that fails gave a secret")
	}
}

func TestRule04ASealedSecretOpensAsNoOtherFactors(t *testing.T) {
	s := ring(t, "one")
	secret := []byte("+4915112345678")
	sealed, err := SealFactorSecret(s, "main", "alice", "f1", account.KindPhone, secret, start)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, secret[1:]) {
		t.Fatal("the sealed secret shows the number")
	}
	tests := []struct {
		name                  string
		sealer                keyRing
		instance, acc, factor string
		kind                  account.Kind
		opens                 bool
	}{
		{"its own factor opens it", s, "main", "alice", "f1", account.KindPhone, true},
		{"another instance does not", s, "other", "alice", "f1", account.KindPhone, false},
		{"another account does not", s, "main", "mallory", "f1", account.KindPhone, false},
		{"another factor does not", s, "main", "alice", "f2", account.KindPhone, false},
		{"another kind does not", s, "main", "alice", "f1", account.KindTOTP, false},
		{"shifted names do not", s, "maina", "lice", "f1", account.KindPhone, false},
		{"another key does not", ring(t, "two"), "main", "alice", "f1", account.KindPhone, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := OpenFactorSecret(tt.sealer, tt.instance, tt.acc, tt.factor, tt.kind, sealed, start)
			if (err == nil) != tt.opens || tt.opens && !bytes.Equal(got, secret) {
				t.Errorf("OpenFactorSecret = %q, %v, want opened %v", got, err, tt.opens)
			}
		})
	}
}

func TestSecretsOfTheWrongFormAreNotSealed(t *testing.T) {
	s := ring(t, "one")
	for _, tt := range []struct {
		name   string
		kind   account.Kind
		secret string
	}{
		{"a national number", account.KindPhone, "015112345678"},
		{"a short secret", account.KindTOTP, "123456789"},
		{"a long secret", account.KindTOTP, strings.Repeat("x", 65)},
		{"an unknown kind", "pigeon", "12345678901234567890"},
	} {
		if _, err := SealFactorSecret(s, "main", "alice", "f1", tt.kind, []byte(tt.secret), start); err == nil {
			t.Errorf("%s was sealed", tt.name)
		}
	}
}
