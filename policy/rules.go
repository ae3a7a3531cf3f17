package policy

import "time"

// The presets.
const (
	// EveryLogin asks at every login.
	EveryLogin = "every_login"
	// OnNewDevice asks where the browser is not remembered.
	OnNewDevice = "new_device"
	// OnNewIP asks where the account has not been used from the address.
	OnNewIP = "new_ip"
	// Unfamiliar asks where device, address, country or behaviour are not what
	// the account is used to. It is the default.
	Unfamiliar = "unfamiliar"
)

// What an unknown signal can count as.
const (
	// UnknownChallenge asks for a code.
	UnknownChallenge = "challenge"
	// UnknownNew counts the signal's points, as if it were seen.
	UnknownNew = "new"
	// UnknownIgnore counts nothing.
	UnknownIgnore = "ignore"
)

// Rules are what an operator says of when a code is asked for.
type Rules struct {
	// Preset is what the rules begin with: every_login (always ask), new_device
	// (a browser that is not remembered), new_ip (an address that was not used
	// before) or unfamiliar (device, address, country or behaviour). Default:
	// unfamiliar.
	Preset string `json:"preset,omitempty"`
	// Points are those of signals, by name, where they are not the preset's: 0 to
	// 1000. A signal with 0 points is shown and counts nothing.
	Points map[string]int `json:"points,omitempty"`
	// Challenge is the score from which a code is asked for; 0 asks always.
	// Default: 100, with new_ip 50, with every_login 0.
	Challenge *int `json:"challenge,omitempty"`
	// High is the score from which the browser cannot be remembered, and only
	// HighFactors may answer; points for failed passwords do not count for it. It
	// is lower than Deny. Default: 0, never.
	High *int `json:"high,omitempty"`
	// HighFactors are the kinds of factors (totp, phone) that may answer from
	// High on. Default: all.
	HighFactors []string `json:"high_factors,omitempty"`
	// Deny is the score from which the login is refused, whoever it is; points for
	// failed passwords, which others can type, do not count for it. Default: 0,
	// never.
	Deny int `json:"deny,omitempty"`
	// Unknown is what a signal counts of which nobody can tell, for want of a
	// database for example: challenge (a code is asked for), new (its points, as
	// if it were seen) or ignore. Default: challenge for a signal that Points
	// names with more than 0, ignore for the others.
	Unknown string `json:"unknown,omitempty"`
	// Learning is how long an account is learnt, during which whatever is new
	// asks for a code. Default: 10 logins or 14 days, with the presets
	// every_login, new_device and new_ip none.
	Learning *Learning `json:"learning,omitempty"`
	// Trust says whose place counts as familiar, whatever is known of it: the
	// signals of address, network, country, travel and anonymous networks are
	// quiet then. The others are not.
	Trust Who `json:"trust,omitzero"`
	// Always says who is asked at every login, Never who is asked at none: the
	// first wins. Deny goes before both.
	Always Who `json:"always,omitzero"`
	Never  Who `json:"never,omitzero"`
}

// Learning is how long an account is learnt: until one of the two is reached.
type Learning struct {
	// Logins is how many logins with a verified end it takes; 0 for none.
	Logins int `json:"logins"`
	// Days is how many days since the first.
	Days int `json:"days"`
}

// DefaultLearning is 10 logins or 14 days.
var DefaultLearning = Learning{Logins: 10, Days: 14}

// Who names users. A name is folded by whoever fills it in, as account names
// are.
type Who struct {
	// Users are account names, Groups the operator's names of sets of users.
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"`
	// Matched says that a matcher of the request decides too: then Facts say
	// whether it did.
	Matched bool `json:"-"`
}

// IsZero reports whether nobody is meant.
func (w Who) IsZero() bool { return len(w.Users) == 0 && len(w.Groups) == 0 && !w.Matched }

// learning reports whether the account is learnt still, at the given time.
func (l *Learning) learning(h *History, now time.Time) bool {
	if l.Logins <= 0 || h.Logins >= l.Logins {
		return false
	}
	return h.Logins == 0 || now.Sub(h.First) < time.Duration(l.Days)*24*time.Hour
}
