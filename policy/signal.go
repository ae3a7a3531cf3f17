package policy

// State says how a signal stands in one login.
type State string

// The states of a signal.
const (
	// Quiet means that there is nothing to say.
	Quiet State = "quiet"
	// Seen means that what the signal looks for is there.
	Seen State = "seen"
	// Faded means that it is half there: it counts half its points, rounded up.
	Faded State = "faded"
	// Unknown means that nobody can tell; the rules say what that counts.
	Unknown State = "unknown"
)

// Signal is one observed fact, with its points and a reason in words.
type Signal struct {
	Name   string `json:"name"`
	Points int    `json:"points"`
	State  State  `json:"state,omitempty"`
	Reason string `json:"reason"`
}

// finding is what a signal has found.
type finding struct {
	state  State
	reason string
}

// quiet is a finding of nothing.
func quiet(reason string) finding { return finding{Quiet, reason} }

// signal is one kind of fact. Each is one type in one file, and stands once in
// [signals].
type signal interface {
	// look says how the signal stands. It changes nothing.
	look(f *Facts, h *History) finding
}

// kind is what there is to know of a signal beside what it sees.
type kind struct {
	signal
	name string
	// points are the default.
	points int
	// novelty says that it tells of something new, which asks by itself while
	// an account is learnt; of the place that it tells of where the client is,
	// which the operator may trust.
	novelty, place bool
	// data says that it needs a database or a list.
	data bool
	// means says in words what it looks for.
	means string
}

// kinds are all signals, in the order in which they are looked at and shown.
var kinds = [...]kind{
	{newDevice{}, NewDevice, 100, true, false, false, "no living device cookie of this account"},
	{stolenDevice{}, StolenDevice, 200, false, false, false, "an old token of a remembered browser came back: its cookie is in two hands"},
	{newAddress{}, NewIP, 60, true, true, false, "an address that the account has not been used from (of IPv6 the /64); half the points where only its neighbourhood is remembered"},
	{newNetwork{}, NewNetwork, 30, true, true, true, "a network (ASN) that the account has not been used from"},
	{newCountry{}, NewCountry, 10, true, true, true, "a country that the account has not been used from"},
	{impossibleTravel{}, ImpossibleTravel, 100, false, true, true, "faster than 900 km/h from the last place, over more than 300 km beyond what the data leaves open"},
	{anonymousNetwork{}, AnonymousNetwork, 50, false, true, true, "Tor, a VPN, a proxy or a hosting provider"},
	{newBrowser{}, NewBrowser, 81, true, false, false, "a browser of a family that the account has not been used with"},
	{newSystem{}, NewSystem, 19, true, false, false, "an operating system that the account has not been used with"},
	{unusualHour{}, UnusualHour, 20, false, false, false, "an hour at which this account is hardly ever used, once there are 20 logins to tell by"},
	{failedPasswords{}, FailedPasswords, 50, false, false, false, "5 failed passwords or more for this name, or 10 from this address, in the last hour"},
	{manyUsers{}, ManyUsers, 50, false, false, false, "failed passwords for 5 names or more from this address in the last hour"},
	{dormant{}, Dormant, 30, false, false, false, "an account that was not used for 90 days"},
	{justChanged{}, JustChanged, 50, false, false, false, "a factor or a number that was added or changed within 3 days; those that came with the account are no change"},
}

// The names of the signals.
const (
	NewDevice        = "new_device"
	StolenDevice     = "stolen_device"
	NewIP            = "new_ip"
	NewNetwork       = "new_network"
	NewCountry       = "new_country"
	ImpossibleTravel = "impossible_travel"
	AnonymousNetwork = "anonymous_network"
	NewBrowser       = "new_browser"
	NewSystem        = "new_system"
	UnusualHour      = "unusual_hour"
	FailedPasswords  = "failed_passwords"
	ManyUsers        = "many_users"
	Dormant          = "dormant"
	JustChanged      = "just_changed"
)

// SignalInfo describes a signal.
type SignalInfo struct {
	// Name is what a rule calls it, Points its default, and Means what it looks
	// for, in words.
	Name   string
	Points int
	Means  string
	// Data says that it is unknown without a database or a list.
	Data bool
}

// Signals returns all signals, in the order in which they are shown.
func Signals() []SignalInfo {
	list := make([]SignalInfo, 0, len(kinds))
	for _, k := range &kinds {
		list = append(list, SignalInfo{Name: k.name, Points: k.points, Means: k.means, Data: k.data})
	}
	return list
}

// indexOf is the place of a signal among the kinds; -1 if there is none of that
// name.
func indexOf(name string) int {
	for i := range kinds {
		if kinds[i].name == name {
			return i
		}
	}
	return -1
}
