package handler

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// settleLength finds out whether a GET or HEAD over HTTP/3 has a body. There a
// request has a length only if a field says so, so that one without a body looks
// like one whose body is still to come: it would be no visitor's, nor one that
// asks for the login page.
func settleLength(r *http.Request) {
	if r.ProtoMajor != 3 || r.ContentLength >= 0 || r.Body == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return
	}
	body, first := r.Body, make([]byte, 1)
	switch _, err := io.ReadFull(body, first); {
	case err == nil:
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(first), body), body}
	case errors.Is(err, io.EOF):
		r.Body, r.ContentLength = http.NoBody, 0
	}
}
