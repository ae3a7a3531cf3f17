package challenge

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

// maxSite bounds the name of the site in a text, in septets; a longer one is
// left out, since a name that is cut short may look like another's.
const maxSite = 60

// maxAction bounds what a code is for in the same way: words that are cut short
// may say something else.
const maxAction = 60

// Wording says in the languages it knows what a text says in words.
type Wording interface {
	// Prose returns what follows the code in a text, without a line break: what
	// the code is for, and that it is not to be shared. Lang is a BCP 47 tag;
	// for one that is not known another language is taken. Site is the name of
	// the site, or empty: then it is not named. Action is what a step-up is for,
	// in the operator's words, or empty: then it is not named; other purposes
	// have none. In the GSM 7-bit alphabet it should take at most 60 septets
	// besides the site and the action.
	Prose(lang string, purpose account.Purpose, site, action string) string
}

// Text returns the text that carries a code, in one segment: first the code,
// then what it is for and that it is not to be shared, and in the last line the
// origin-bound form by which browsers fill it in on this host alone (WICG,
// Origin-bound one-time codes): "@host #code". Where this does not fit one
// segment, the site is not named, then the action; where the host alone is too
// long or is not a host's name, its line is left out.
//
// A wording outside the GSM 7-bit alphabet has 70 characters in one segment and
// 67 in each of several. It takes a second one before its last line is left out.
func Text(w Wording, lang string, purpose account.Purpose, site, host, code, action string) string {
	last := ""
	if h := originHost(host); h != "" {
		last = "\n\n@" + h + " #" + code
	}
	site, action = plainLine(site, maxSite), actionName(purpose, action)
	say := func(site, action string) string { return code + " " + w.Prose(lang, purpose, site, action) }
	proses := []string{say(site, action), say("", action), say(site, ""), say("", "")}
	bare := proses[3]
	if text, ok := fitting(proses, last, 1); ok {
		return text
	}
	if _, ok := sms.Septets(bare); !ok {
		if text, ok := fitting(proses, last, 2); ok {
			return text
		}
	}
	if text, ok := fitting(proses, "", 1); ok {
		return text
	}
	return bare
}

// fitting returns the first prose that takes no more than most segments with
// its last line.
func fitting(proses []string, last string, most int) (string, bool) {
	for _, prose := range proses {
		if sms.Segments(prose+last) <= most {
			return prose + last, true
		}
	}
	return "", false
}

// actionName returns the action as it can stand in a text, or nothing: it must
// not hold what browsers could take for the last line.
func actionName(purpose account.Purpose, action string) string {
	if purpose != account.PurposeStepUp || strings.ContainsAny(action, "@#") {
		return ""
	}
	return plainLine(action, maxAction)
}

// originHost returns the host without its port, or nothing if it is not one
// that a browser would show: whatever stands in the last line is trusted by
// browsers.
func originHost(host string) string {
	h := strings.ToLower(host)
	if i := strings.LastIndexByte(h, ':'); i >= 0 && !strings.HasSuffix(h, "]") {
		h = h[:i]
	}
	h = strings.TrimSuffix(h, ".")
	if h == "" || len(h) > 253 {
		return ""
	}
	if strings.HasPrefix(h, "[") && strings.HasSuffix(h, "]") {
		return onlyOf(h, "0123456789abcdef:.[]")
	}
	return onlyOf(h, "abcdefghijklmnopqrstuvwxyz0123456789-._")
}

// onlyOf returns s if it has no other characters than those allowed, else
// nothing.
func onlyOf(s, allowed string) string {
	for _, c := range s {
		if !strings.ContainsRune(allowed, c) {
			return ""
		}
	}
	return s
}

// plainLine returns what was given as it can stand in a text: on one line and in
// the GSM 7-bit alphabet, with accents dropped where that helps. It returns
// nothing if that leaves something else, or more than limit septets.
func plainLine(given string, limit int) string {
	given = strings.Join(strings.FieldsFunc(norm.NFC.String(given), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	var out strings.Builder
	for _, r := range given {
		if _, ok := sms.Septets(string(r)); ok {
			out.WriteRune(r)
			continue
		}
		for _, base := range norm.NFD.String(string(r)) {
			if unicode.Is(unicode.Mn, base) {
				continue
			}
			if _, ok := sms.Septets(string(base)); !ok {
				return ""
			}
			out.WriteRune(base)
		}
	}
	if n, _ := sms.Septets(out.String()); n > limit {
		return ""
	}
	return out.String()
}
