package challenge

import (
	"strings"
	"unicode/utf8"

	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

const (
	// maxLogged bounds, in bytes, what of a foreign text goes into a log.
	maxLogged = 300
	// secretDigits is the number of digits from which on a run of them could
	// be a code or a number; ports, statuses and addresses stay readable.
	secretDigits = 5
)

// scrub returns the text of a provider's error for a log: providers like to
// repeat the request, number and code included, so every run of five or more
// digits is hidden, also one that is broken by single blanks or hyphens
// (rule 6).
func scrub(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) > maxLogged {
		cut := maxLogged
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		// Digits at the cut go too: what is left of a run may be too short to
		// be known for one.
		s = strings.TrimRight(s[:cut], "0123456789 -") + "…"
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		if !isDigit(s[i]) {
			out.WriteByte(s[i])
			i++
			continue
		}
		end, digits := digitRun(s, i)
		if digits >= secretDigits {
			out.WriteString("…")
		} else {
			out.WriteString(s[i:end])
		}
		i = end
	}
	return out.String()
}

// digitRun returns where the run of digits that begins at i ends, and how many
// digits it has.
func digitRun(s string, i int) (end, digits int) {
	for end = i; end < len(s); end++ {
		if isDigit(s[end]) {
			digits++
			continue
		}
		joined := (s[end] == ' ' || s[end] == '-') && end+1 < len(s) && isDigit(s[end+1])
		if !joined {
			break
		}
	}
	return end, digits
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// scrubID returns a provider's name for a text as it may be logged: nothing if
// it repeats the number or a code of the text.
func scrubID(id string, m sms.Message) string {
	if len(id) > sms.MaxID {
		return ""
	}
	isNoDigit := func(r rune) bool { return r < '0' || r > '9' }
	for _, run := range strings.FieldsFunc(m.To+" "+m.Text, isNoDigit) {
		if len(run) >= secretDigits && strings.Contains(id, run) {
			return ""
		}
	}
	return id
}
