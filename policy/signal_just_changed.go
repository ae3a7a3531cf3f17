package policy

import "time"

// changedWithin is how long a change counts as new.
const changedWithin = 3 * 24 * time.Hour

// justChanged is an account whose factors were changed a short time ago.
type justChanged struct{}

func (justChanged) look(f *Facts, _ *History) finding {
	if f.Changed.IsZero() || f.Time.Sub(f.Changed) >= changedWithin {
		return quiet("no change lately")
	}
	return finding{Seen, "a factor was added or changed on " + f.Changed.UTC().Format(time.DateOnly)}
}
