package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

const (
	// maxAnswer bounds what is read of an answer's body, in bytes.
	maxAnswer = 64 << 10
	// maxReason bounds what an error says of a failed connection, in bytes.
	maxReason = 200
	// tellingDigits is how many digits in a row may be a code or a part of a
	// number.
	tellingDigits = 4
)

// read says what an answer means:
//
//	200 to 299                  taken
//	300 to 499                  certainly not sent
//	503 with a Retry-After      certainly not sent
//	any other                   nobody knows
//
// Nothing that the receiver wrote goes into an error: it may repeat the request.
func (s *Sender) read(res *http.Response, m sms.Message) (sms.Receipt, error) {
	code := res.StatusCode
	switch {
	case code >= 200 && code <= 299:
		return sms.Receipt{ProviderID: providerID(res.Body, m)}, nil
	case code >= 300 && code <= 399:
		return sms.Receipt{}, sms.NotSent(fmt.Errorf("the webhook at %s answered %d, and a redirect is not followed: set the address that answers itself", s.url.Host, code))
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return sms.Receipt{}, sms.NotSent(fmt.Errorf("the webhook at %s answered %d: it must know the same secret, and both clocks must be right", s.url.Host, code))
	case code >= 400 && code <= 499:
		return sms.Receipt{}, sms.NotSent(fmt.Errorf("the webhook at %s answered %d", s.url.Host, code))
	case code == http.StatusServiceUnavailable && isRetryAfter(res.Header.Get("Retry-After")):
		return sms.Receipt{}, sms.NotSent(fmt.Errorf("the webhook at %s answered %d for the moment", s.url.Host, code))
	default:
		return sms.Receipt{}, fmt.Errorf("the webhook at %s answered %d", s.url.Host, code)
	}
}

// isRetryAfter tells whether a field is what RFC 9110, 10.2.3, calls so: a
// number of seconds or a date. With it a receiver says that it wants to be
// asked again, so it has not sent.
func isRetryAfter(s string) bool {
	if _, err := strconv.ParseUint(s, 10, 32); err == nil {
		return true
	}
	_, err := http.ParseTime(s)
	return err == nil
}

// noAnswer says what it means that none came. Without a connection nothing was
// written. The reason of a broken one is not shown: it may quote what the
// receiver wrote.
func (s *Sender) noAnswer(ctx context.Context, err error, connected bool) error {
	switch {
	case !connected:
		return sms.NotSent(fmt.Errorf("no connection to the webhook at %s: %s", s.url.Host, clip(err.Error())))
	case ctx.Err() != nil:
		return fmt.Errorf("the webhook at %s did not answer in time: %w", s.url.Host, ctx.Err())
	default:
		var timeout interface{ Timeout() bool }
		if errors.As(err, &timeout) && timeout.Timeout() {
			return fmt.Errorf("the webhook at %s did not answer in time", s.url.Host)
		}
		return fmt.Errorf("the webhook at %s broke the connection off, or answered what is no HTTP", s.url.Host)
	}
}

// providerID returns the id that the receiver gave the text, {"id": "…"}, or
// the message's own where it gave none that can be used. What is wrong with the
// body of a yes does not make it a no.
func providerID(body io.Reader, m sms.Message) string {
	data, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err != nil || len(data) > maxAnswer {
		return m.ID
	}
	var answer struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(data, &answer) != nil || tells(answer.ID, m) {
		return m.ID
	}
	// An id of theirs has the limits of one of ours.
	if (sms.Message{To: m.To, Text: m.Text, ID: answer.ID}).Check() != nil {
		return m.ID
	}
	return answer.ID
}

// tells reports whether an id repeats the number or a code of the text, also
// with other characters between its digits.
func tells(id string, m sms.Message) bool {
	notDigit := func(r rune) bool { return r < '0' || r > '9' }
	digits := strings.Join(strings.FieldsFunc(id, notDigit), "")
	for _, run := range strings.FieldsFunc(m.To+" "+m.Text, notDigit) {
		if len(run) >= tellingDigits && strings.Contains(digits, run) {
			return true
		}
	}
	return false
}

// clip bounds what a failed connection's error says: a certificate's may list
// every name it is for.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) <= maxReason {
		return s
	}
	cut := maxReason
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
