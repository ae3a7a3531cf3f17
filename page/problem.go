package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Problem is a problem document [RFC 9457] for clients that read no pages. Its
// words are those of the message page in English.
type Problem struct {
	// Message is what happened.
	Message Message
	// Status replaces the status that Message proposes; 0: it does not.
	Status int
	// Host is the host of the site as the client sees it.
	Host string
	// Reason is needed with Unreadable, and only there.
	Reason Reason
	// Doing is StepUp.Doing, for the messages of a step-up. It may be empty.
	Doing string
	// MaxAge is how old the last second factor may be for the request to pass
	// (0: it passes with a code of its own only), in whole seconds. Where it is
	// not nil, the document and the header WWW-Authenticate say what is missing
	// as RFC 9470, section 3, has it.
	MaxAge *time.Duration
	// Instance is the reference that the operator finds in the log. It becomes
	// a URN. It may be empty.
	Instance string
	// Challenge is the address of the open challenge's page. It may be empty.
	Challenge string
	// RetryIn says when to try again, in the header Retry-After too.
	RetryIn time.Duration
}

// problemURN begins the type and the instance of every problem document.
const problemURN = "urn:caddy-twofactor:"

// ContentTypeProblem is the media type of a problem document.
const ContentTypeProblem = "application/problem+json"

type problemDocument struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Instance  string `json:"instance,omitempty"`
	Challenge string `json:"challenge,omitempty"`
	RetryIn   int    `json:"retry_after,omitempty"`
	Error     string `json:"error,omitempty"`
	MaxAge    *int64 `json:"max_age,omitempty"`
}

// ProblemType returns the type member of a message's problem documents.
func ProblemType(m Message) string {
	return problemURN + "problem:" + strings.ReplaceAll(string(m), "_", "-")
}

// Problem renders a problem document and returns its status.
func (s *Set) Problem(p Problem) (status int, body []byte, err error) {
	if _, ok := messages[p.Message]; !ok {
		return 0, nil, fmt.Errorf("page: there is no message %q", p.Message)
	}
	sp := s.speak("").inStepUp(p.Message.stepUp(p.Doing))
	var detail []string
	for _, line := range p.Message.lines(sp, given("site", s.siteOr(p.Host)), p.Reason, p.RetryIn) {
		detail = append(detail, sp.join(line))
	}
	doc := problemDocument{
		Type:      ProblemType(p.Message),
		Title:     sp.plain(p.Message.key("title")),
		Status:    p.Message.Status(),
		Detail:    strings.Join(detail, " "),
		Challenge: p.Challenge,
	}
	if p.Status != 0 {
		doc.Status = p.Status
	}
	if ref := tidy(p.Instance); ref != "" {
		doc.Instance = problemURN + "reference:" + url.PathEscape(ref)
	}
	if p.RetryIn > 0 {
		doc.RetryIn = ceil(p.RetryIn, time.Second)
	}
	if p.MaxAge != nil {
		age := maxAge(*p.MaxAge)
		doc.Error, doc.MaxAge = insufficientAuthentication, &age
	}
	if sp.err != nil {
		return 0, nil, fmt.Errorf("page: problem %s: %w", p.Message, sp.err)
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(doc); err != nil {
		return 0, nil, fmt.Errorf("page: problem %s: %w", p.Message, err)
	}
	return doc.Status, b.Bytes(), nil
}

// WriteProblem renders and sends a problem document with its headers. Nothing
// is sent if it cannot be rendered.
func (s *Set) WriteProblem(w http.ResponseWriter, p Problem) error {
	status, body, err := s.Problem(p)
	if err != nil {
		return err
	}
	h := w.Header()
	ProblemHeaders(h)
	SetRetryAfter(h, p.RetryIn)
	if p.MaxAge != nil {
		h.Set("WWW-Authenticate", s.stepUpChallenge(p))
	}
	return send(w, status, body)
}

// ProblemHeaders sets the headers of a problem document.
func ProblemHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Content-Type", ContentTypeProblem)
	commonHeaders(h, FrameNone)
}
