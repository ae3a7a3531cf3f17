package challenge

import (
	"fmt"
	"time"
)

// MaxCodeLife is the longest that a sent code may live (ASVS 5.0, 6.5.5).
const MaxCodeLife = 10 * time.Minute

// Limits are the limits of a [Service]. A field that is zero takes the default
// that is named with it; a value weaker than rules 2 to 9 allow is refused.
type Limits struct {
	// CodeLife is how long a sent code lives: 5 minutes, at most [MaxCodeLife],
	// and never longer than its challenge. Sending again extends nothing.
	CodeLife time.Duration
	// PendingLife is how long a challenge is open: 10 minutes, at most an hour.
	PendingLife time.Duration
	// PerCode is how many tries one code has, and an authenticator in one
	// challenge: 5, which is also the most.
	PerCode int
	// InARow is how many failures of one factor in a row, across challenges,
	// pause it: 10, at most 100 (NIST SP 800-63B-4, 3.2.2).
	InARow int
	// Pause is how long it is paused: 30 minutes, at least one.
	Pause time.Duration
	// Waits are the waits before the second, third … sending in a challenge:
	// 30, 60 and 120 seconds. There are at most four sendings, so at most three
	// waits, none shorter than the one before.
	Waits []time.Duration
	// SendTimeout is how long a sender may take: 10 seconds, at most a minute.
	SendTimeout time.Duration
	// SendWait is how long a person waits to hear what became of a sending; it
	// goes on behind them: 2 seconds.
	SendWait time.Duration
	// Concurrent is how many sendings are at the provider at once: 32.
	Concurrent int
	// Waiting is how many more may wait for their turn, each at most
	// SendTimeout; what comes beyond that is certainly not sent: 256.
	Waiting int
	// StepAhead lets the next time step of an authenticator pass too, for
	// phones whose clocks run fast: no (rule 3).
	StepAhead bool
}

func (l Limits) withDefaults() Limits {
	def(&l.CodeLife, 5*time.Minute)
	def(&l.PendingLife, 10*time.Minute)
	def(&l.PerCode, 5)
	def(&l.InARow, 10)
	def(&l.Pause, 30*time.Minute)
	def(&l.SendTimeout, 10*time.Second)
	def(&l.SendWait, 2*time.Second)
	def(&l.Concurrent, 32)
	def(&l.Waiting, 256)
	if l.Waits == nil {
		l.Waits = []time.Duration{30 * time.Second, 60 * time.Second, 120 * time.Second}
	}
	return l
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (l Limits) validate() error {
	for _, d := range []struct {
		name             string
		value, low, high time.Duration
	}{
		{"the life of a code", l.CodeLife, time.Second, MaxCodeLife},
		{"the life of a challenge", l.PendingLife, time.Second, time.Hour},
		{"the pause after failures", l.Pause, time.Minute, 7 * 24 * time.Hour},
		{"the time-out of a sending", l.SendTimeout, time.Millisecond, time.Minute},
		{"the wait for a sending", l.SendWait, time.Millisecond, l.SendTimeout},
	} {
		if d.value < d.low || d.value > d.high {
			return fmt.Errorf("%s is %v; it must be from %v to %v", d.name, d.value, d.low, d.high)
		}
	}
	for _, n := range []struct {
		name             string
		value, low, high int
	}{
		{"the number of tries a code", l.PerCode, 1, 5},
		{"the number of failures in a row", l.InARow, 1, 100},
		{"the number of sendings at once", l.Concurrent, 1, 10_000},
		{"the number of sendings that wait", l.Waiting, 1, 100_000},
		{"the number of waits between sendings", len(l.Waits), 0, 3},
	} {
		if n.value < n.low || n.value > n.high {
			return fmt.Errorf("%s is %d; it must be from %d to %d", n.name, n.value, n.low, n.high)
		}
	}
	before := time.Second
	for _, w := range l.Waits {
		if w < before {
			return fmt.Errorf("the waits between sendings are %v; each must be at least a second and none shorter than the one before", l.Waits)
		}
		before = w
	}
	return nil
}
