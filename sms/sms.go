// Package sms is the contract for sending texts. A provider is one folder
// below this one; its conformance suite is in smstest.
//
// The contract turns on one question: may the text have been sent? An error
// that wraps [ErrNotSent] says that it certainly was not, and the text may go
// another way. Any other error, a time-out among them, says that nobody knows;
// such a text is not sent again by itself, since a person who gets two codes
// trusts neither.
package sms

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Limits of a [Message].
const (
	// MaxText is the largest length of a text in bytes.
	MaxText = 1600
	// MaxID is the largest length of an ID in bytes.
	MaxID = 64
	// minDigits and maxDigits bound an E.164 number (ITU-T E.164, 6.2.1: at
	// most 15 digits; the shortest numbers in use have 7 with their country).
	minDigits = 7
	maxDigits = 15
)

// ErrNotSent means that the text was certainly not sent and will not be: it
// may be sent another way. Errors that do not wrap it mean that nobody knows.
var ErrNotSent = errors.New("the text was certainly not sent")

// Sender sends texts. It is safe for use by many goroutines.
type Sender interface {
	// Send hands the message to the provider and returns when the provider has
	// taken it, which does not mean that the phone has it. The caller gives a
	// context that ends (the gateway's after 10 seconds); Send returns soon
	// after it has ended, and a sender that speaks to a network puts a time-out
	// of its own on every step as well. It never tries again after an answer
	// that leaves open whether the text was sent.
	//
	// A message that [Message.Check] refuses and a context that has ended
	// before anything was sent are errors that wrap [ErrNotSent]. No error text
	// holds the number, the message's text or a part of either.
	Send(ctx context.Context, m Message) (Receipt, error)
}

// Message is one text to one phone. Printed by package fmt it shows neither
// the text nor more of the number than its last two digits.
type Message struct {
	// To is the number in E.164 form: a plus sign and 7 to 15 digits.
	To string
	// Text is what the phone shows: valid UTF-8, not empty, at most [MaxText]
	// bytes. It is sent as it is.
	Text string
	// ID names this sending, so that one that is tried twice arrives once: a
	// sender passes it on as the provider's idempotency key where there is one.
	// 1 to [MaxID] bytes of visible ASCII without blanks.
	ID string
}

// Receipt is what a provider gave for a text it took.
type Receipt struct {
	// ProviderID is the provider's name for the text. It is not empty, and
	// holds neither the number nor the text.
	ProviderID string
}

// Check returns an error that wraps [ErrNotSent] if the message breaks a limit.
// The error does not show what the message holds.
func (m Message) Check() error {
	if !ValidNumber(m.To) {
		return NotSent(errors.New("the number is not a plus sign and 7 to 15 digits (E.164)"))
	}
	if m.Text == "" || len(m.Text) > MaxText || !utf8.ValidString(m.Text) {
		return NotSent(fmt.Errorf("the text is empty, longer than %d bytes, or not UTF-8", MaxText))
	}
	if !isID(m.ID) {
		return NotSent(fmt.Errorf("the id is not 1 to %d bytes of visible ASCII", MaxID))
	}
	return nil
}

// String returns the message with its text hidden and its number masked.
func (m Message) String() string {
	return fmt.Sprintf("text %q to %s", m.ID, Mask(m.To))
}

// GoString is String: the form %#v must not tell more.
func (m Message) GoString() string { return m.String() }

// NotSent returns an error that wraps both err and [ErrNotSent].
func NotSent(err error) error {
	return fmt.Errorf("%w: %w", ErrNotSent, err)
}

// Mask returns the form of a number that may be logged: its last two digits
// behind three dots. A number of fewer than 7 characters is hidden whole.
func Mask(number string) string {
	if len(number) < minDigits {
		return "…"
	}
	return "…" + number[len(number)-2:]
}

// ValidNumber reports whether the number has E.164 form: a plus sign and 7 to 15
// digits, the first of them not 0. Whether somebody has it, nobody knows.
func ValidNumber(s string) bool {
	if len(s) < 1+minDigits || len(s) > 1+maxDigits || s[0] != '+' || s[1] == '0' {
		return false
	}
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func isID(s string) bool {
	if s == "" || len(s) > MaxID {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}
