package smtpd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for a mail.
const patience = 15 * time.Second

// Mail is one mail that a server has taken.
type Mail struct {
	// From and To are the envelope's addresses.
	From string
	To   []string
	// TLS says whether it came over TLS.
	TLS bool
	// User is who had signed in, by which Mechanism; empty if nobody had.
	User, Mechanism string
	// Raw is the mail as it came, with CRLF at the end of lines.
	Raw []byte

	// Header are the fields, not decoded.
	Header mail.Header
	// Subject is the decoded subject.
	Subject string
	// Text and HTML are the decoded parts of a multipart/alternative, with \n at
	// the end of lines.
	Text, HTML string
	// PartTypes are the content types of all parts, in their order.
	PartTypes []string
}

// Mails returns what the server has taken until now, in order.
func (s *Server) Mails(t testing.TB) []Mail {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.folder, "mail", "*.json"))
	if err != nil {
		t.Fatalf("smtpd: %v", err)
	}
	var mails []Mail
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("smtpd: %v", err)
		}
		var m Mail
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatalf("smtpd: %s: %v", file, err)
		}
		if err := m.parse(); err != nil {
			t.Fatalf("smtpd: %v in the mail\n%s", err, m.Raw)
		}
		mails = append(mails, m)
	}
	return mails
}

// Await waits until the server has taken that many mails and returns all, or
// ends the test.
func (s *Server) Await(t testing.TB, n int) []Mail {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		mails := s.Mails(t)
		if len(mails) >= n {
			return mails
		}
		if time.Now().After(deadline) {
			t.Fatalf("smtpd: %d mails after %s, want %d", len(mails), patience, n)
		}
	}
}

// parse reads the raw mail.
func (m *Mail) parse() error {
	parsed, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		return err
	}
	m.Header = parsed.Header
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); err != nil {
		return fmt.Errorf("the subject: %w", err)
	}
	kind, params, err := mime.ParseMediaType(parsed.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return fmt.Errorf("the content type is %q, want multipart/alternative: %w", kind, err)
	}
	for parts := multipart.NewReader(parsed.Body, params["boundary"]); ; {
		// The raw part: a reader of parts would hide how they are encoded.
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("a part: %w", err)
		}
		if err := m.addPart(part); err != nil {
			return err
		}
	}
}

func (m *Mail) addPart(part *multipart.Part) error {
	if how := part.Header.Get("Content-Transfer-Encoding"); how != "quoted-printable" {
		return fmt.Errorf("a part is encoded as %q", how)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(part))
	if err != nil {
		return fmt.Errorf("a part: %w", err)
	}
	content := strings.ReplaceAll(string(text), "\r\n", "\n")
	kind := strings.ToLower(part.Header.Get("Content-Type"))
	m.PartTypes = append(m.PartTypes, kind)
	switch kind {
	case "text/plain; charset=utf-8":
		m.Text = content
	case "text/html; charset=utf-8":
		m.HTML = content
	}
	return nil
}
