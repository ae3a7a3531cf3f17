package fields

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// readLogin reads a form or JSON as a login of two fields.
func readLogin(t *testing.T, kind, body, user, password string) (found Found, err error) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	b, err := Read(r, 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	return Login(r, b, user, password)
}

func TestNoPaddingHidesAFieldOfALogin(t *testing.T) {
	pad := func(s string) string { return strings.Repeat(s, 1100) }
	for name, email := range map[string]string{
		"plus":               pad("+") + "email",
		"blanks":             pad(" ") + "email",
		"encoded blanks":     pad("%20") + "email",
		"tabs":               pad("%09") + "email",
		"escapes of ASP.NET": pad("%u0020") + "email",
		"wide blanks":        pad("%E3%80%80") + "email",
		"marks":              pad("\ufeff") + "email",
		"blanks behind":      "email" + pad("+"),
		"after a NUL":        "email%00" + pad("x"),
		"NULs":               "em" + pad("%00") + "ail",
		"brackets":           "+" + pad("[") + "email",
		"encoded brackets":   pad("%5B") + "email",
		"brackets behind":    "email" + pad("]"),
		"an index":           "email[" + pad("x") + "]",
		"blanks and a NUL":   pad("+") + "email%00" + pad("x"),
	} {
		for _, body := range []string{email + "=alice&password=x", "password=x&" + email + "=alice", "a=b;" + email + "=alice;password=x"} {
			found, err := readLogin(t, "application/x-www-form-urlencoded", body, "email", "password")
			if err == nil && !found.Login {
				t.Errorf("%s: no login in %.60q", name, body)
			}
			_, err = readLogin(t, "application/x-www-form-urlencoded", "email=carol&password=y&"+body, "email", "password")
			if err == nil {
				t.Errorf("%s: beside another it is read for certain", name)
			}
		}
	}
	for name, email := range map[string]string{
		"blanks in the index": "user[" + pad("+") + "email]",
		"before the bracket":  "user" + pad("]") + "[email]",
	} {
		found, err := readLogin(t, "application/x-www-form-urlencoded", email+"=alice&user[password]=x", "user[email]", "user[password]")
		if err == nil && !found.Login {
			t.Errorf("%s: no login", name)
		}
	}
	found, err := readLogin(t, "application/json", `{"email\u0000`+pad("x")+`":"alice","password":"x"}`, "email", "password")
	if err == nil && !found.Login {
		t.Error("JSON, after a NUL: no login")
	}
}

func TestALongNameThatIsNoneOfOursIsLeft(t *testing.T) {
	for _, name := range []string{strings.Repeat("a", 70<<10), strings.Repeat("a+", 20<<10), "x" + strings.Repeat("+", 40<<10) + "email"} {
		body := name[:min(len(name), 60<<10)] + "=1&a=b"
		if found, err := readLogin(t, "application/x-www-form-urlencoded", body, "email", "password"); err != nil || found.Login {
			t.Errorf("%.10q: %v, %v", name, found, err)
		}
	}
}
