package twofactor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// got is a request as it reached an app.
type got struct {
	Method, URI, Host string
	Header            http.Header
	Body              string
}

func (g got) cookie() string { return g.Header.Get("Cookie") }

// answering is an app that answers as its test says, and keeps what reached
// it.
type answering struct {
	url string
	// address is its host and port.
	address string

	mu     sync.Mutex
	answer http.HandlerFunc
	seen   []got
}

// startAnswering starts an app that answers with f, which finds the body of
// the request unread.
func startAnswering(t *testing.T, f http.HandlerFunc) *answering {
	t.Helper()
	a := &answering{answer: f}
	srv := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	a.url, a.address = srv.URL, srv.Listener.Addr().String()
	return a
}

func (a *answering) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	a.mu.Lock()
	a.seen = append(a.seen, got{r.Method, r.RequestURI, r.Host, r.Header.Clone(), string(body)})
	answer := a.answer
	a.mu.Unlock()
	answer(w, r)
}

// to changes what the app answers.
func (a *answering) to(f http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = f
}

// requests returns what reached the app and forgets it.
func (a *answering) requests() []got {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := slices.Clone(a.seen)
	a.seen = nil
	return seen
}

// uris are the methods and addresses of requests.
func uris(seen []got) []string {
	var all []string
	for _, g := range seen {
		all = append(all, g.Method+" "+g.URI)
	}
	return all
}

// codePage is the address of the page that asks for a code.
const codePage = "/.two-factor/challenge"

var (
	styleOrTag = regexp.MustCompile(`(?s)<style.*?</style>|<[^>]*>`)
	blanks     = regexp.MustCompile(`\s+`)
)

// words is what a person reads on a page, for messages.
func words(r reply) string {
	return fmt.Sprintf("%d to %q: %s", r.StatusCode, r.location(),
		strings.TrimSpace(blanks.ReplaceAllString(styleOrTag.ReplaceAllString(r.body, " "), " ")))
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return text
}
