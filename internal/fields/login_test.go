package fields

import (
	"errors"
	"io"
	"net/http"
	"testing"
)

const cap64 = 64 << 10

func read(t testing.TB, r *http.Request) *Body {
	t.Helper()
	b, err := Read(r, cap64)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// said writes what Login says as a vector does.
func said(found Found, err error) string {
	var e *Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &e):
		return "!" + e.Reason
	case errors.As(err, &large):
		return "!413"
	case err != nil:
		return "error " + err.Error()
	case !found.Login:
		return "-"
	}
	return found.User
}

func TestRule18ALoginIsReadForCertainOrRefused(t *testing.T) {
	for _, v := range allVectors() {
		t.Run(v.name, func(t *testing.T) {
			r := v.request(t)
			b := read(t, r)
			if got := said(Login(r, b, "email", "password")); got != v.want {
				t.Errorf("Login says %q, want %q", got, v.want)
			}
			after, err := io.ReadAll(r.Body)
			if err != nil || string(after) != v.body {
				t.Errorf("the body is not what it was: %q, %v", after, err)
			}
		})
	}
}
