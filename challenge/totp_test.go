package challenge

import (
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// codeAt returns the code of a step as the library computes it.
func codeAt(t *testing.T, secret []byte, p account.TOTP, step int64) string {
	t.Helper()
	opts, err := totpOptions(&p)
	if err != nil {
		t.Fatal(err)
	}
	code, err := hotp.GenerateCodeCustom(FormatTOTPSecret(secret), uint64(step), opts)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// The vectors of RFC 6238, appendix B; six digits are the last six of eight.
func TestRule03TheVectorsOfRFC6238Match(t *testing.T) {
	sha1, sha256 := []byte("12345678901234567890"), []byte("12345678901234567890123456789012")
	tests := []struct {
		unix         int64
		sha1, sha256 string
	}{
		{59, "94287082", "46119246"},
		{1111111109, "07081804", "68084774"},
		{1111111111, "14050471", "67062674"},
		{1234567890, "89005924", "91819424"},
		{2000000000, "69279037", "90698825"},
		{20000000000, "65353130", "77737706"},
	}
	for _, tt := range tests {
		now := time.Unix(tt.unix, 0)
		for _, v := range []struct {
			algorithm, code string
			secret          []byte
		}{{"SHA1", tt.sha1, sha1}, {"SHA256", tt.sha256, sha256}} {
			for _, digits := range []int{6, 8} {
				p := &account.TOTP{Algorithm: v.algorithm, Digits: digits, Period: 30}
				m, err := matchTOTP(v.secret, p, v.code[8-digits:], 0, now, false)
				if err != nil {
					t.Fatal(err)
				}
				if !m.found || m.step != tt.unix/30 {
					t.Errorf("%s, %d digits, at %d: %+v, want step %d", v.algorithm, digits, tt.unix, m, tt.unix/30)
				}
			}
		}
	}
}

func TestRule03TheWindowIsThisStepAndTheOneBefore(t *testing.T) {
	secret := []byte("12345678901234567890")
	for _, period := range []int{15, 30, 60} {
		p := account.TOTP{Algorithm: "SHA256", Digits: 8, Period: period}
		now := start
		step := now.Unix() / int64(period)
		tests := []struct {
			name   string
			offset int64
			ahead  bool
			last   int64
			found  bool
			used   bool
		}{
			{"two before is too old", -2, false, 0, false, false},
			{"one before passes", -1, false, 0, true, false},
			{"this one passes", 0, false, 0, true, false},
			{"the next does not", 1, false, 0, false, false},
			{"the next passes where the operator says so", 1, true, 0, true, false},
			{"two ahead never passes", 2, true, 0, false, false},
			{"one before passes with a step ahead too", -1, true, 0, true, false},
			{"an accepted step is used", 0, false, step, false, true},
			{"a step before an accepted one is used", -1, false, step, false, true},
			{"the step after an accepted one passes", 0, false, step - 1, true, false},
			{"nothing passes while the last step lies ahead", 0, false, step + 5, false, true},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				m, err := matchTOTP(secret, &p, codeAt(t, secret, p, step+tt.offset), tt.last, now, tt.ahead)
				if err != nil {
					t.Fatal(err)
				}
				if m.found != tt.found || m.used != tt.used {
					t.Errorf("period %d: %+v, want found %v, used %v", period, m, tt.found, tt.used)
				}
				if m.found && m.step != step+tt.offset {
					t.Errorf("period %d: step %d, want %d", period, m.step, step+tt.offset)
				}
			})
		}
	}
}

func TestRule03OfTwoStepsWithOneCodeTheLaterIsSpent(t *testing.T) {
	// Two neighbours with the same code: found by search, one pair in a million.
	secret := []byte("12345678901234567890")
	p := account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30}
	const step = 59061241
	code := codeAt(t, secret, p, step)
	if code != codeAt(t, secret, p, step-1) {
		t.Fatalf("steps %d and %d have different codes", step-1, step)
	}
	now := time.Unix(step*30+3, 0)
	m, err := matchTOTP(secret, &p, code, 0, now, false)
	if err != nil || !m.found || m.step != step {
		t.Fatalf("match is %+v, %v, want step %d", m, err, step)
	}
	again, err := matchTOTP(secret, &p, code, m.step, now, false)
	if err != nil || again.found || !again.used {
		t.Errorf("the second match is %+v, %v, want used", again, err)
	}
}

func TestParametersThatAreNotOfferedAreErrors(t *testing.T) {
	secret := []byte("12345678901234567890")
	tests := []struct {
		name string
		p    *account.TOTP
		now  time.Time
	}{
		{"no parameters", nil, start},
		{"SHA512", &account.TOTP{Algorithm: "SHA512", Digits: 6, Period: 30}, start},
		{"no algorithm", &account.TOTP{Digits: 6, Period: 30}, start},
		{"seven digits", &account.TOTP{Algorithm: "SHA1", Digits: 7, Period: 30}, start},
		{"a period of zero", &account.TOTP{Algorithm: "SHA1", Digits: 6}, start},
		{"a period of 20 s", &account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 20}, start},
		{"a clock before 1970", &account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30}, time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if m, err := matchTOTP(secret, tt.p, "123456", 0, tt.now, true); err == nil || m.found {
				t.Errorf("matchTOTP = %+v, %v, want an error", m, err)
			}
		})
	}
}
