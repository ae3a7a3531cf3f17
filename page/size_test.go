package page

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// maxWire is how many bytes an answer with a page may have, head and body, as
// they stand before any compression: so many a server sends before it waits for
// the browser, ten segments of 1,460 bytes [RFC 6928, section 2].
const maxWire = 14_000

// wireSize is the size of an answer over HTTP/1.1.
func wireSize(t *testing.T, s *Set, body []byte) int {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Write(w, http.StatusOK, FrameNone, body); err != nil {
		t.Fatal(err)
	}
	var head strings.Builder
	fmt.Fprint(&head, "HTTP/1.1 200 OK\r\n")
	if err := w.Header().Write(&head); err != nil {
		t.Fatal(err)
	}
	return head.Len() + len("\r\n") + w.Body.Len()
}

func TestEveryPageOfEveryLanguageFitsIntoTheFirstFlight(t *testing.T) {
	fitsTheFirstFlight(t, testSet(t, fullOptions))
}

// fitsTheFirstFlight measures every page in every language.
func fitsTheFirstFlight(t *testing.T, s *Set) {
	t.Helper()
	largest, where := 0, ""
	for _, l := range s.order {
		for _, p := range everyPage() {
			body, err := p.render(s, l)
			if err != nil {
				t.Fatal(err)
			}
			n := wireSize(t, s, body)
			if n > maxWire {
				t.Errorf("%s in %s takes %d bytes on the wire, at most %d", p.name, l, n, maxWire)
			}
			if n > largest {
				largest, where = n, p.name+" in "+string(l)
			}
		}
	}
	t.Logf("the largest is %s: %d bytes", where, largest)
}
