package handler

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestABodyIsDecodedUpToTheCap(t *testing.T) {
	zip := func(text string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		return b.Bytes()
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	zst := func(text string) []byte { return z.EncodeAll([]byte(text), nil) }
	bomb := strings.Repeat("a", 64<<20)
	for _, c := range []struct {
		name, coding string
		body         []byte
		whole        bool
	}{
		{"plain", "", []byte("Welcome"), true},
		{"identity", "identity", []byte("Welcome"), true},
		{"gzip", "gzip", zip("Welcome"), true},
		{"gzip in capitals", " GZIP ", zip("Welcome"), true},
		{"zstd", "zstd", zst("Welcome"), true},
		{"a coding that is not read", "br", []byte("Welcome"), false},
		{"two codings", "gzip, gzip", zip("Welcome"), false},
		{"gzip that is none", "gzip", []byte("Welcome"), false},
		{"gzip cut off", "gzip", zip("Welcome")[:12], false},
		{"zstd that is none", "zstd", []byte("Welcome"), false},
		{"a bomb of gzip", "gzip", zip(bomb), false},
		{"a bomb of zstd", "zstd", zst(bomb), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			if c.coding != "" {
				h.Set("Content-Encoding", c.coding)
			}
			plain, whole := decoded(h, c.body)
			if whole != c.whole || whole && string(plain) != "Welcome" {
				t.Errorf("got %d bytes, whole %v", len(plain), whole)
			}
		})
	}
}

func TestABodyThatCannotBeReadGoesOnAsItCame(t *testing.T) {
	broken := errors.New("broken")
	r, err := http.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("abc"), failing{broken}))
	if err != nil {
		t.Fatal(err)
	}
	keep := rememberBody(r)
	_, err = io.ReadAll(r.Body)
	keep.after(r, err)
	got, err := io.ReadAll(r.Body)
	if string(got) != "abc" || !errors.Is(err, broken) {
		t.Errorf("the app reads %q, %v", got, err)
	}
}

func TestAPatternHidesNumbersAndNames(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "/contacts": "/contacts", "/contacts/17/edit": "/contacts/*/edit", "/u/anna@example.com": "/u/*",
		"/" + strings.Repeat("x", 41): "/*", strings.Repeat("/a", 20): "/a/a/a/a/a/a/a/…",
	} {
		if got := pathPattern(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}
