package page

import (
	"strconv"
	"time"
)

// date fills the placeholder {date} with a point in time as people write it, in UTC
// and saying so: no page knows where its reader is, and a word such as "yesterday"
// would go stale on a page that stays open.
func (s *speaker) date(t time.Time) arg {
	t = t.UTC()
	return words("date", s.plain("date.time",
		words("day", strconv.Itoa(t.Day())),
		words("month", s.plain("date.month."+strconv.Itoa(int(t.Month())))),
		words("year", strconv.Itoa(t.Year())),
		words("time", t.Format("15:04"))))
}

// dated says a text with a date in it; nothing for the zero time.
func (s *speaker) dated(key string, t time.Time, args ...arg) []part {
	if t.IsZero() {
		return nil
	}
	return s.say(key, append(args, s.date(t))...)
}
