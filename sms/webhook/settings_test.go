package webhook

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

func TestAddressesThatEverybodyCouldReadAreRefused(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"https://sms.example.com/send", ""},
		{"https://sms.example.com:8443/send?from=crm&key=x", ""},
		{"HTTPS://sms.example.com", ""},
		{"https://192.0.2.1/", ""},
		{"https://[2001:db8::1]:443/", ""},
		{"http://127.0.0.1:9000/send", ""},
		{"http://127.9.9.9/", ""},
		{"http://[::1]:9000/", ""},
		{"http://[::ffff:127.0.0.1]:9000/", ""},
		{"http://localhost:9000/", ""},
		{"http://LOCALHOST:9000/", ""},
		{"http://sms.example.com/send", "use https"},
		{"http://localhost.example.com/", "use https"},
		{"http://127.0.0.1.example.com/", "use https"},
		{"http://192.168.0.1/", "use https"},
		{"http://0.0.0.0:9000/", "use https"},
		{"http://2130706433/", "use https"},
		{"ftp://sms.example.com/", "must begin with https://"},
		{"file:///etc/passwd", "is no web address"},
		{"unix:///run/sms.sock", "is no web address"},
		{"sms.example.com/send", "is no web address"},
		{"//sms.example.com/send", "must begin with https://"},
		{"/send", "is no web address"},
		{"", "is no web address"},
		{"https://", "is no web address"},
		{"https://:443/", "is no web address"},
		{"https:sms.example.com", "is no web address"},
		{"https://sms.example.com:port/", "is no web address"},
		{"https://sms.example.com:0/", "is no web address"},
		{"https://sms.example.com:65536/", "is no web address"},
		{"https://sms.example.com/%zz", "is no web address"},
		{"https://user:password@sms.example.com/", "leave them out"},
		{"https://127.0.0.1@sms.example.com/", "leave them out"},
		{"https://sms.example.com/#part", "has a fragment"},
		{"https://sms.example.com/#", "has a fragment"},
		{"https://sms.example.com/a b", "has blanks"},
		{"https://sms.example.com/\r\nX: y", "has blanks"},
		{"https://sms.example.com/" + strings.Repeat("x", maxURL), "longer than"},
	} {
		u, err := ParseURL(c.url)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q is refused: %v", c.url, err)
		case c.want == "" && !strings.EqualFold(u.String(), c.url):
			t.Errorf("%q is read as %q", c.url, u)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q gives %v, want an error with %q", c.url, err, c.want)
		case err != nil && strings.Contains(err.Error(), "sms.example.com"):
			t.Errorf("the error of %q shows the address: %v", c.url, err)
		}
	}
}

func TestSecretsThatAreShortOrAmbiguousAreRefused(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	random := func(n int) []byte { return []byte(strings.Repeat("\xfbq\xffz", n)[:n]) }
	for _, c := range []struct{ name, secret, want string }{
		{"32 bytes", b64(random(32)), ""},
		{"32 bytes with the prefix", "whsec_" + b64(random(32)), ""},
		{"64 bytes", b64(random(64)), ""},
		{"nothing", "", "is empty"},
		{"the prefix alone", "whsec_", "is empty"},
		{"31 bytes", b64(random(31)), "has 31 bytes, expected 32 to 64"},
		{"65 bytes", b64(random(65)), "has 65 bytes, expected 32 to 64"},
		{"24 bytes, which the standard allows", "whsec_" + b64(random(24)), "has 24 bytes"},
		{"hexadecimal", hex.EncodeToString(random(32)), "is in hexadecimal"},
		{"hexadecimal with the prefix", "whsec_" + hex.EncodeToString(random(32)), "is in hexadecimal"},
		{"the alphabet of addresses", base64.URLEncoding.EncodeToString(random(32)), "is not base64"},
		{"no padding", base64.RawStdEncoding.EncodeToString(random(32)), "is not base64"},
		{"a sentence", "correct horse battery staple and two more", "is not base64"},
		{"a blank at the end", b64(random(32)) + " ", "is not base64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := ParseSecret(c.secret)
			if c.want == "" {
				if err != nil || len(key) < MinSecret {
					t.Errorf("got %d bytes, %v", len(key), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "openssl rand -base64 32") {
				t.Fatalf("got %v, want an error with %q and the remedy", err, c.want)
			}
			if len(c.secret) > 8 && strings.Contains(err.Error(), c.secret[6:]) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func TestASenderIsMadeOfSettingsThatAreAllRight(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		want   string
	}{
		{"all right", Config{URL: "https://example.com", Secret: secret}, ""},
		{"the shortest time-out", Config{URL: "https://example.com", Secret: secret, Timeout: time.Second}, ""},
		{"no address", Config{Secret: secret}, "the address is no web address"},
		{"no secret", Config{URL: "https://example.com"}, "the secret is empty"},
		{"too short a time-out", Config{URL: "https://example.com", Secret: secret, Timeout: time.Second - 1}, "the timeout must be from 1s to 10s"},
		{"too long a time-out", Config{URL: "https://example.com", Secret: secret, Timeout: 11 * time.Second}, "the timeout must be from 1s to 10s"},
		{"a time-out before now", Config{URL: "https://example.com", Secret: secret, Timeout: -1}, "the timeout must be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.config)
			if (c.want == "") != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
