package sms

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCheckTakesOnlyMessagesThatCanBeSent(t *testing.T) {
	good := Message{To: "+4915112345678", Text: "hello", ID: "abc-1"}
	tests := []struct {
		name   string
		change func(*Message)
		want   bool
	}{
		{"a good message passes", func(*Message) {}, true},
		{"the longest number passes", func(m *Message) { m.To = "+123456789012345" }, true},
		{"the shortest number passes", func(m *Message) { m.To = "+2901234" }, true},
		{"a number without plus is refused", func(m *Message) { m.To = "4915112345678" }, false},
		{"a number with 16 digits is refused", func(m *Message) { m.To = "+1234567890123456" }, false},
		{"a short number is refused", func(m *Message) { m.To = "+110" }, false},
		{"a country code beginning with 0 is refused", func(m *Message) { m.To = "+0151123456" }, false},
		{"a number with blanks is refused", func(m *Message) { m.To = "+49 151 123456" }, false},
		{"a number with a line break is refused", func(m *Message) { m.To = "+491511234567\n" }, false},
		{"a number in other digits is refused", func(m *Message) { m.To = "+٤٩١٥١١" }, false},
		{"an empty text is refused", func(m *Message) { m.Text = "" }, false},
		{"the longest text passes", func(m *Message) { m.Text = strings.Repeat("x", MaxText) }, true},
		{"a longer text is refused", func(m *Message) { m.Text = strings.Repeat("x", MaxText+1) }, false},
		{"a text that is not UTF-8 is refused", func(m *Message) { m.Text = "a\xff" }, false},
		{"an empty id is refused", func(m *Message) { m.ID = "" }, false},
		{"a long id is refused", func(m *Message) { m.ID = strings.Repeat("x", MaxID+1) }, false},
		{"an id with a line break is refused", func(m *Message) { m.ID = "a\nb" }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := good
			tt.change(&m)
			err := m.Check()
			if tt.want != (err == nil) {
				t.Fatalf("Check() = %v, want ok %v", err, tt.want)
			}
			if err != nil && !errors.Is(err, ErrNotSent) {
				t.Errorf("Check() = %v does not wrap ErrNotSent", err)
			}
		})
	}
}

func TestRule06PrintingAMessageShowsNeitherNumberNorText(t *testing.T) {
	m := Message{To: "+4915112345678", Text: "123456 is your code", ID: "abc"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		got := fmt.Sprintf(verb, m) + fmt.Sprintf(verb, &m) + fmt.Sprintf(verb, []Message{m})
		if strings.Contains(got, "123456") || strings.Contains(got, "4915") {
			t.Errorf("%s prints %s", verb, got)
		}
		if !strings.Contains(got, "78") {
			t.Errorf("%s prints %s, want the last two digits", verb, got)
		}
	}
}

func TestSegmentsAreCountedAsTheNetworkCounts(t *testing.T) {
	tests := []struct {
		name string
		text string
		want int
	}{
		{"160 septets are one", strings.Repeat("a", 160), 1},
		{"161 septets are two", strings.Repeat("a", 161), 2},
		{"306 septets are two", strings.Repeat("a", 306), 2},
		{"307 septets are three", strings.Repeat("a", 307), 3},
		{"an extended character counts twice", strings.Repeat("a", 159) + "€", 2},
		{"umlauts are in the alphabet", strings.Repeat("ü", 160), 1},
		{"70 characters outside the alphabet are one", strings.Repeat("ж", 70), 1},
		{"71 are two", strings.Repeat("ж", 71), 2},
		{"one character outside makes all of it 16-bit", strings.Repeat("a", 70) + "ж", 2},
		{"a character beyond the basic plane counts twice", strings.Repeat("😀", 36), 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Segments(tt.text); got != tt.want {
				t.Errorf("Segments = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestTheGSMAlphabetHasItsSize(t *testing.T) {
	// 128 places less the escape to the extension table.
	if n, ok := Septets(gsmBasic); n != 127 || !ok {
		t.Errorf("basic alphabet takes %d septets (%v), want 127", n, ok)
	}
	if n, ok := Septets(gsmExtended); n != 20 || !ok {
		t.Errorf("extension table takes %d septets (%v), want 20", n, ok)
	}
	if n, ok := Septets("a`b"); ok {
		t.Errorf("a backtick is not in the alphabet, Septets says %d", n)
	}
}
