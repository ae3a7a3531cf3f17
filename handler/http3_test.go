package handler

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func TestABodyOverHTTP3IsToldFromNone(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method string
		major  int
		body   io.Reader
		length int64
		none   bool
		reads  string
	}{
		{"a GET without a body", http.MethodGet, 3, strings.NewReader(""), -1, true, ""},
		{"a HEAD without a body", http.MethodHead, 3, strings.NewReader(""), -1, true, ""},
		{"a GET with a body", http.MethodGet, 3, strings.NewReader("email=a"), -1, false, "email=a"},
		{"a GET with a body of one byte", http.MethodGet, 3, strings.NewReader("e"), -1, false, "e"},
		{"a GET with a length", http.MethodGet, 3, strings.NewReader("email=a"), 7, false, "email=a"},
		{"a POST", http.MethodPost, 3, strings.NewReader(""), -1, false, ""},
		{"a GET over HTTP/1.1 with an empty body in chunks", http.MethodGet, 1, strings.NewReader(""), -1, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{Method: tt.method, ProtoMajor: tt.major, Body: io.NopCloser(tt.body), ContentLength: tt.length}
			settleLength(r)
			if none := r.Body == http.NoBody && r.ContentLength == 0; none != tt.none {
				t.Errorf("no body: %t, want %t (length %d)", none, tt.none, r.ContentLength)
			}
			if got, err := io.ReadAll(r.Body); string(got) != tt.reads || err != nil {
				t.Errorf("the body is %q, want %q: %v", got, tt.reads, err)
			}
		})
	}
	broken := errors.New("broken")
	r := &http.Request{Method: http.MethodGet, ProtoMajor: 3, Body: io.NopCloser(iotest.ErrReader(broken)), ContentLength: -1}
	if settleLength(r); r.Body == http.NoBody || r.ContentLength == 0 {
		t.Error("a body that cannot be read is taken for none")
	}
}
