// Package mail is the contract for sending notices by mail. A provider is one
// folder below this one; its conformance suite is in mailtest.
//
// The contract turns on one question: is it worth trying again? An error that
// wraps [ErrRefused] says that it is not: this mail will never be taken. Any
// other error, a time-out among them, says that it may be tried later. Whether
// such a mail has arrived all the same, nobody knows; it keeps its [Message.ID],
// so that a reader's mail program can tell that the two are one.
package mail

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a [Message], in bytes.
const (
	// MaxAddress is the largest length of an address (RFC 5321, 4.5.3.1.3).
	MaxAddress = 254
	// MaxSubject is the largest length of a subject.
	MaxSubject = 400
	// MaxText is the largest length of the plain text.
	MaxText = 64 << 10
	// MaxHTML is the largest length of the HTML.
	MaxHTML = 256 << 10
	// MaxID is the largest length of an ID.
	MaxID = 64
	// maxLang is the longest language tag that is worth a field (RFC 5646,
	// 4.4.1: 35 characters).
	maxLang = 35
)

// ErrRefused means that the mail was certainly not taken and never will be: it
// is of no use to try again. Errors that do not wrap it may pass.
var ErrRefused = errors.New("the mail is refused for good")

// Message is one notice to one person. Printed by package fmt it shows neither
// its content nor the whole address.
type Message struct {
	// To is the address without a name, at most [MaxAddress] bytes. It may have
	// letters beyond ASCII before and behind the at sign (RFC 6531).
	To string
	// Subject is one line of UTF-8 without control characters, not empty, at
	// most [MaxSubject] bytes.
	Subject string
	// Text is what a program without HTML shows: UTF-8 with \n at the end of
	// lines of any length, not empty, at most [MaxText] bytes.
	Text string
	// HTML is the same as a whole document, not empty, at most [MaxHTML] bytes.
	HTML string
	// ID names this mail, so that one that is tried twice is recognised: it is
	// the left part of the Message-ID. 1 to [MaxID] of letters, digits, '-' and
	// '_'.
	ID string
	// Lang is the language of the mail, a BCP 47 tag such as "en" or "pt-BR".
	Lang string
}

// Check returns an error that wraps [ErrRefused] if the message breaks a limit.
// The error does not show what the message holds.
func (m Message) Check() error {
	switch {
	case !ValidAddress(m.To):
		return Refused(fmt.Errorf("the address is not one such as anna@example.com, of at most %d bytes", MaxAddress))
	case strings.TrimSpace(m.Subject) == "" || len(m.Subject) > MaxSubject || !isText(m.Subject, ""):
		return Refused(fmt.Errorf("the subject is empty, longer than %d bytes, or not one line of UTF-8", MaxSubject))
	case m.Text == "" || len(m.Text) > MaxText || !isText(m.Text, "\n\t"):
		return Refused(fmt.Errorf("the text is empty, longer than %d bytes, not UTF-8, or has control characters", MaxText))
	case m.HTML == "" || len(m.HTML) > MaxHTML || !isText(m.HTML, "\n\t"):
		return Refused(fmt.Errorf("the HTML is empty, longer than %d bytes, not UTF-8, or has control characters", MaxHTML))
	case !isWord(m.ID, "-_", MaxID):
		return Refused(fmt.Errorf("the id is not 1 to %d of letters, digits, '-' and '_'", MaxID))
	case !isWord(m.Lang, "-", maxLang):
		return Refused(errors.New("the language is no BCP 47 tag"))
	}
	return nil
}

// String returns the message with its content hidden and its address masked.
func (m Message) String() string {
	return fmt.Sprintf("mail %q to %s", m.ID, Mask(m.To))
}

// GoString is String: the form %#v must not tell more.
func (m Message) GoString() string { return m.String() }

// Refused returns an error that wraps both err and [ErrRefused].
func Refused(err error) error {
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// Mask returns the form of an address that may be logged, "a…@example.com": the
// first character and what follows the at sign. Where only one character stands
// before it, that is hidden too, and what is no address is hidden whole.
func Mask(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || !ValidAddress(address) {
		return "…"
	}
	first, size := utf8.DecodeRuneInString(address)
	if size == at {
		return "…" + address[at:]
	}
	return string(first) + "…" + address[at:]
}

// ValidAddress reports whether a string is one address without a name (RFC
// 5322, 3.4.1, with the letters of RFC 6532), at a domain and not at an IP
// address. Whether somebody has it, nobody knows.
func ValidAddress(s string) bool {
	if len(s) > MaxAddress || !isText(s, "") || strings.ContainsFunc(s, unicode.IsSpace) || strings.HasSuffix(s, "]") {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s
}

// isText reports whether a string is UTF-8 with no other control characters and
// line ends than those allowed. Controls of direction may stand in it: the names
// that people give need them.
func isText(s, allowed string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return (unicode.IsControl(r) || r == '\u2028' || r == '\u2029') && !strings.ContainsRune(allowed, r)
	})
}

func isWord(s, also string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for _, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte(also, c) < 0 {
			return false
		}
	}
	return true
}
