package page

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
)

// Zip returns the page as gzip (RFC 9110, 8.4.1.3) where the client takes that, and
// says so in the header of the answer. It is for pages that are long by themselves
// and hold nothing that somebody else could choose: what is compressed together with
// a secret tells of it by its length.
func Zip(acceptEncoding string, h http.Header, body []byte) []byte {
	h.Add("Vary", "Accept-Encoding")
	if !takesGzip(acceptEncoding) {
		return body
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(body)
	if err != nil || z.Close() != nil {
		return body
	}
	h.Set("Content-Encoding", "gzip")
	return b.Bytes()
}

// takesGzip reports whether a client takes gzip (RFC 9110, 12.5.3).
func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(bounded(accept, maxAcceptLanguage), ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, ok := strings.CutPrefix(strings.TrimSpace(weight), "q=")
		if !ok {
			return true
		}
		n, err := strconv.ParseFloat(q, 64)
		return err == nil && n > 0
	}
	return false
}

func bounded(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
