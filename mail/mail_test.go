package mail

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func good() Message {
	return Message{
		To: "anna@example.com", Subject: "A new phone", Text: "A secret phone\n", HTML: "<p>A secret phone</p>",
		ID: "n-1", Lang: "en",
	}
}

func TestCheckTakesOnlyMessagesThatCanBeSent(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Message)
		want   bool
	}{
		{"a good message passes", func(*Message) {}, true},
		{"an address with letters beyond ASCII passes", func(m *Message) { m.To = "jürgen@bücher.example" }, true},
		{"an address with a plus sign passes", func(m *Message) { m.To = "anna+crm@example.com" }, true},
		{"the longest address passes", func(m *Message) { m.To = strings.Repeat("x", MaxAddress-4) + "@a.b" }, true},
		{"a longer address is refused", func(m *Message) { m.To = strings.Repeat("x", MaxAddress-3) + "@a.b" }, false},
		{"no address is refused", func(m *Message) { m.To = "" }, false},
		{"an address with a name is refused", func(m *Message) { m.To = "Anna <anna@example.com>" }, false},
		{"two addresses are refused", func(m *Message) { m.To = "anna@example.com,bob@example.com" }, false},
		{"an address with a line break is refused", func(m *Message) { m.To = "anna@example.com\r\nBcc: eve@example.com" }, false},
		{"an address that ends with a line break is refused", func(m *Message) { m.To = "anna@example.com\n" }, false},
		{"an address with parameters of the protocol is refused", func(m *Message) { m.To = "anna@example.com> NOTIFY=SUCCESS" }, false},
		{"an address with a comment is refused", func(m *Message) { m.To = "anna(x)@example.com" }, false},
		{"an address in quotes is refused", func(m *Message) { m.To = `"anna smith"@example.com` }, false},
		{"an address at an IP address is refused", func(m *Message) { m.To = "anna@[127.0.0.1]" }, false},
		{"an address that is not UTF-8 is refused", func(m *Message) { m.To = "an\xffna@example.com" }, false},
		{"a subject in another script passes", func(m *Message) { m.Subject = "تمت إضافة هاتف جديد" }, true},
		{"a subject that looks encoded passes", func(m *Message) { m.Subject = "=?UTF-8?Q?=0D=0A?=" }, true},
		{"the longest subject passes", func(m *Message) { m.Subject = strings.Repeat("x", MaxSubject) }, true},
		{"a longer subject is refused", func(m *Message) { m.Subject = strings.Repeat("x", MaxSubject+1) }, false},
		{"an empty subject is refused", func(m *Message) { m.Subject = "" }, false},
		{"a blank subject is refused", func(m *Message) { m.Subject = " " }, false},
		{"a subject with a carriage return is refused", func(m *Message) { m.Subject = "a\rBcc: eve@example.com" }, false},
		{"a subject with a line feed is refused", func(m *Message) { m.Subject = "a\nBcc: eve@example.com" }, false},
		{"a subject with another line end is refused", func(m *Message) { m.Subject = "a\u2028Bcc: eve@example.com" }, false},
		{"a subject with a NUL is refused", func(m *Message) { m.Subject = "a\x00b" }, false},
		{"a subject that is not UTF-8 is refused", func(m *Message) { m.Subject = "a\xffb" }, false},
		{"the longest text passes", func(m *Message) { m.Text = strings.Repeat("x", MaxText) }, true},
		{"a longer text is refused", func(m *Message) { m.Text = strings.Repeat("x", MaxText+1) }, false},
		{"an empty text is refused", func(m *Message) { m.Text = "" }, false},
		{"a text with a carriage return is refused", func(m *Message) { m.Text = "a\r\nb" }, false},
		{"a text that is not UTF-8 is refused", func(m *Message) { m.Text = "a\xff" }, false},
		{"the longest HTML passes", func(m *Message) { m.HTML = strings.Repeat("x", MaxHTML) }, true},
		{"a longer HTML is refused", func(m *Message) { m.HTML = strings.Repeat("x", MaxHTML+1) }, false},
		{"an empty HTML is refused", func(m *Message) { m.HTML = "" }, false},
		{"a HTML with an escape is refused", func(m *Message) { m.HTML = "<p>\x1b" }, false},
		{"the longest id passes", func(m *Message) { m.ID = strings.Repeat("x", MaxID) }, true},
		{"a longer id is refused", func(m *Message) { m.ID = strings.Repeat("x", MaxID+1) }, false},
		{"an empty id is refused", func(m *Message) { m.ID = "" }, false},
		{"an id that ends the Message-ID is refused", func(m *Message) { m.ID = "a@example.com>" }, false},
		{"an id with a line break is refused", func(m *Message) { m.ID = "a\nb" }, false},
		{"a language with a region passes", func(m *Message) { m.Lang = "pt-BR" }, true},
		{"no language is refused", func(m *Message) { m.Lang = "" }, false},
		{"a language with a line break is refused", func(m *Message) { m.Lang = "en\r\nBcc: eve@example.com" }, false},
		{"a long language is refused", func(m *Message) { m.Lang = strings.Repeat("x", maxLang+1) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := good()
			tt.change(&m)
			err := m.Check()
			if tt.want != (err == nil) {
				t.Fatalf("Check() = %v, want ok %v", err, tt.want)
			}
			if err == nil {
				return
			}
			if !errors.Is(err, ErrRefused) {
				t.Errorf("Check() = %v does not wrap ErrRefused", err)
			}
			if s := err.Error(); strings.Contains(s, "secret") || strings.Contains(s, "eve@") || strings.Contains(s, "\n") {
				t.Errorf("Check() tells the message: %q", s)
			}
		})
	}
}

func TestPrintingAMessageShowsNeitherContentNorTheWholeAddress(t *testing.T) {
	m := good()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		got := fmt.Sprintf(verb, m) + fmt.Sprintf(verb, &m) + fmt.Sprintf(verb, []Message{m})
		for _, hidden := range []string{"anna", "phone"} {
			if strings.Contains(got, hidden) {
				t.Errorf("%s prints %s", verb, got)
			}
		}
		if !strings.Contains(got, "a…@example.com") {
			t.Errorf("%s prints %s, want the masked address", verb, got)
		}
	}
}

func TestMaskShowsTheFirstCharacterAndTheDomain(t *testing.T) {
	for address, want := range map[string]string{
		"anna@example.com":      "a…@example.com",
		"jürgen@bücher.example": "j…@bücher.example",
		"öl@example.com":        "ö…@example.com",
		"a@example.com":         "…@example.com",
		"ö@example.com":         "…@example.com",
		"":                      "…",
		"anna":                  "…",
		"@example.com":          "…",
		"anna@":                 "…",
		"anna@x\n2026 INFO all": "…",
	} {
		if got := Mask(address); got != want {
			t.Errorf("Mask(%q) = %q, want %q", address, got, want)
		}
	}
}
