package handler

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// remembered is a request body that remembers what is read of it, so that the
// request can go on to the app as it came if reading it fails.
type remembered struct {
	src    io.ReadCloser
	read   bytes.Buffer
	silent bool
}

// rememberBody puts a body that remembers in the place of the request's.
func rememberBody(r *http.Request) *remembered {
	m := &remembered{src: r.Body}
	r.Body = m
	return m
}

// Read reads on.
func (m *remembered) Read(p []byte) (int, error) {
	n, err := m.src.Read(p)
	if !m.silent {
		m.read.Write(p[:n])
	}
	return n, err
}

// Close closes what is read from.
func (m *remembered) Close() error { return m.src.Close() }

// after ends the remembering. If reading has failed, the app gets what was read
// and then the error.
func (m *remembered) after(r *http.Request, err error) {
	m.silent = true
	if err != nil {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(m.read.Bytes()), failing{err}), m.src}
	}
	m.read = bytes.Buffer{}
}

// failing is a reader of nothing but an error.
type failing struct{ err error }

// Read returns the error.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

// decoded returns a body without its Content-Encoding, up to maxAnswer bytes,
// and whether that is all of it. The answer was made for the browser, and may
// be in a coding that is not read here.
func decoded(h http.Header, body []byte) (plain []byte, whole bool) {
	var in io.Reader = bytes.NewReader(body)
	switch coding := strings.ToLower(strings.TrimSpace(strings.Join(h.Values("Content-Encoding"), ","))); coding {
	case "", "identity":
		return body, true
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, false
		}
		in = z
	case "zstd":
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(8<<20), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, false
		}
		defer z.Close()
		in = z
	default:
		return nil, false
	}
	plain, err := io.ReadAll(io.LimitReader(in, maxAnswer+1))
	if err != nil || len(plain) > maxAnswer {
		return nil, false
	}
	return plain, true
}
