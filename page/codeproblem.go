package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Problems of a text message, for clients that read no pages.
const (
	// TextTooEarly: the next text cannot be sent yet.
	TextTooEarly CodeProblem = iota + 100
	// TextNotSent: no text went out.
	TextNotSent
)

// CodeProblemDocument is a problem document [RFC 9457] about a code, for clients
// that read no pages. Its words are those of the challenge page in English.
type CodeProblemDocument struct {
	// Problem says what was wrong.
	Problem CodeProblem
	// TriesLeft is how many tries the code has left; nil: not said.
	TriesLeft *int
	// Digits is how many digits a code has; with WrongLength.
	Digits int
	// RetryIn says when to try again, in the header Retry-After too.
	RetryIn time.Duration
}

// codeProblems are the names, statuses and texts of the problems of a code.
var codeProblems = map[CodeProblem]struct {
	name   string
	status int
	title  string
}{
	WrongCode:    {"code_wrong", http.StatusForbidden, "error.wrong"},
	WrongLength:  {"code_length", http.StatusBadRequest, "error.length"},
	UsedCode:     {"code_used", http.StatusForbidden, "error.used"},
	TooManyTries: {"code_tries", http.StatusForbidden, "error.tries"},
	Paused:       {"code_paused", http.StatusTooManyRequests, "error.paused"},
	ExpiredCode:  {"code_expired", http.StatusForbidden, "error.expired"},
	TextTooEarly: {"text_early", http.StatusTooManyRequests, "error.early"},
	TextNotSent:  {"text_not_sent", http.StatusBadGateway, "error.text"},
}

// WriteCodeProblem renders and sends the problem document.
func (s *Set) WriteCodeProblem(w http.ResponseWriter, d CodeProblemDocument) error {
	spec, ok := codeProblems[d.Problem]
	if !ok {
		return fmt.Errorf("page: %d is no problem of a code", d.Problem)
	}
	sp := s.speak("")
	doc := struct {
		problemDocument
		TriesLeft *int `json:"tries_left,omitempty"`
		Digits    int  `json:"digits,omitempty"`
	}{TriesLeft: d.TriesLeft, Digits: d.Digits}
	doc.Type, doc.Status = ProblemType(Message(spec.name)), spec.status
	switch d.Problem {
	case WrongLength:
		doc.Title = sp.join(sp.say(spec.title, count(d.Digits)))
	case TextNotSent:
		doc.Title = sp.join(sp.say(spec.title, nested("number", sp.say("number.unnamed"))))
	default:
		doc.Title = sp.plain(spec.title)
	}
	doc.Detail = strings.Join(d.details(sp), " ")
	if d.RetryIn > 0 {
		doc.RetryIn = ceil(d.RetryIn, time.Second)
	}
	if sp.err != nil {
		return fmt.Errorf("page: problem %s: %w", spec.name, sp.err)
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(doc); err != nil {
		return fmt.Errorf("page: problem %s: %w", spec.name, err)
	}
	h := w.Header()
	ProblemHeaders(h)
	SetRetryAfter(h, d.RetryIn)
	return send(w, spec.status, b.Bytes())
}

// details say what to do.
func (d CodeProblemDocument) details(sp *speaker) []string {
	switch d.Problem {
	case WrongCode:
		if d.TriesLeft != nil {
			return []string{sp.join(sp.say("error.wrong.left", count(*d.TriesLeft)))}
		}
		return nil
	case UsedCode:
		return []string{sp.plain("error.used.next")}
	case TooManyTries:
		return []string{sp.plain("error.tries.text")}
	case Paused:
		return []string{sp.join(sp.say("error.paused.text", sp.wait(d.RetryIn)))}
	case TextTooEarly:
		return []string{sp.join(sp.say("error.early.text", sp.wait(d.RetryIn)))}
	case ExpiredCode:
		return []string{sp.plain("remedy.send")}
	case TextNotSent:
		return []string{sp.plain("remedy.again")}
	}
	return nil
}

// WriteJSON sends JSON with the headers of an answer that nobody keeps.
func (s *Set) WriteJSON(w http.ResponseWriter, status int, body []byte) error {
	h := w.Header()
	ProblemHeaders(h)
	h.Set("Content-Type", "application/json")
	return send(w, status, body)
}
