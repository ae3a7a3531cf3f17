package cookie

import (
	"strings"
	"time"
)

// parseDate reads a date by RFC 6265 section 5.1.1, which takes far more than
// any one format: tokens in any order, of which the first that looks like a
// time, a day, a month or a year is that.
func parseDate(s string) (time.Time, bool) {
	var (
		hour, minute, second, day, year    int
		month                              time.Month
		hasTime, hasDay, hasMonth, hasYear bool
	)
	for s != "" {
		end := 0
		for end < len(s) && !isDateDelimiter(s[end]) {
			end++
		}
		token := s[:end]
		if end < len(s) {
			end++
		}
		s = s[end:]
		if token == "" {
			continue
		}
		if !hasTime {
			if h, m, sec, ok := parseTime(token); ok {
				hour, minute, second, hasTime = h, m, sec, true
				continue
			}
		}
		if !hasDay {
			if n, digits := leadingNumber(token, 2); digits > 0 {
				day, hasDay = n, true
				continue
			}
		}
		if !hasMonth {
			if m, ok := parseMonth(token); ok {
				month, hasMonth = m, true
				continue
			}
		}
		if !hasYear {
			if n, digits := leadingNumber(token, 4); digits >= 2 {
				year, hasYear = fullYear(n), true
			}
		}
	}
	if !hasTime || !hasDay || !hasMonth || !hasYear {
		return time.Time{}, false
	}
	if day < 1 || day > 31 || year < 1601 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	t := time.Date(year, month, day, hour, minute, second, 0, time.UTC)
	return t, t.Day() == day
}

func fullYear(n int) int {
	switch {
	case n >= 70 && n <= 99:
		return n + 1900
	case n >= 0 && n <= 69:
		return n + 2000
	}
	return n
}

func isDateDelimiter(c byte) bool {
	return c == '\t' || c >= 0x20 && c <= 0x2f || c >= 0x3b && c <= 0x40 ||
		c >= 0x5b && c <= 0x60 || c >= 0x7b && c <= 0x7e
}

// leadingNumber reads the digits at the start of token, of which there may be
// at most limit. No digits, or more, is none.
func leadingNumber(token string, limit int) (n, digits int) {
	for digits < len(token) && token[digits] >= '0' && token[digits] <= '9' {
		if digits == limit {
			return 0, 0
		}
		n = n*10 + int(token[digits]-'0')
		digits++
	}
	return n, digits
}

func parseTime(token string) (hour, minute, second int, ok bool) {
	h, rest, found := strings.Cut(token, ":")
	if !found {
		return 0, 0, 0, false
	}
	m, s, found := strings.Cut(rest, ":")
	if !found {
		return 0, 0, 0, false
	}
	hour, n := leadingNumber(h, 2)
	if n == 0 || n != len(h) {
		return 0, 0, 0, false
	}
	minute, n = leadingNumber(m, 2)
	if n == 0 || n != len(m) {
		return 0, 0, 0, false
	}
	second, n = leadingNumber(s, 2)
	return hour, minute, second, n > 0
}

func parseMonth(token string) (time.Month, bool) {
	for m := time.January; m <= time.December; m++ {
		if hasPrefixFold(token, m.String()[:3]) {
			return m, true
		}
	}
	return 0, false
}
