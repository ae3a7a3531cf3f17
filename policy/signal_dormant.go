package policy

import (
	"strconv"
	"time"
)

// dormantAfter is how long an account must not have been used.
const dormantAfter = 90 * 24 * time.Hour

// dormant is an account that was not used for long.
type dormant struct{}

func (dormant) look(f *Facts, h *History) finding {
	if h.IsZero() {
		return quiet("never used before")
	}
	idle := f.Time.Sub(h.Last)
	if idle < dormantAfter {
		return quiet("used lately")
	}
	return finding{Seen, "not used for " + strconv.Itoa(int(idle.Hours()/24)) + " days"}
}
