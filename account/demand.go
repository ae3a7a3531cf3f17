package account

import "time"

// Demand says from when a second factor is demanded. Demands in the store are
// made by the operator's command, and by the owner of a team; what the config
// demands is not in it.
type Demand struct {
	// From is when it begins; until then it is announced.
	From time.Time `json:"from"`
	// By is ByOperator, or the ID of the owner's account.
	By string `json:"by"`
	// At is when it was made.
	At time.Time `json:"at"`
}

// ByOperator is who has made a demand that no owner of a team has made.
const ByOperator = ""

// Demands are those of an instance that are not one user's.
type Demands struct {
	// All is for every user; nil if there is none.
	All *Demand `json:"all,omitempty"`
	// Groups are by the name of the group, Teams by the TeamKey of the team.
	Groups map[string]Demand `json:"groups,omitempty"`
	Teams  map[string]Demand `json:"teams,omitempty"`
}

// Exemption lets a user in without a second factor for a while. It ends by
// itself, and is never enough for a step-up.
type Exemption struct {
	Until time.Time `json:"until"`
	// Why is the operator's reason.
	Why string    `json:"why"`
	At  time.Time `json:"at"`
}

// Suspension keeps a user out.
type Suspension struct {
	// Why is the operator's reason, or empty where the user said 'this was not
	// me'.
	Why string    `json:"why,omitempty"`
	At  time.Time `json:"at"`
}

// Invitation is a code that confirms one first enrolment.
type Invitation struct {
	// Hash is the keyed hash of its code.
	Hash [32]byte `json:"hash"`
	// Tries counts the codes entered against it.
	Tries int `json:"tries,omitempty"`
	// Sent counts, of a code by mail, those that went out in a row, this one
	// included.
	Sent    int       `json:"sent,omitempty"`
	At      time.Time `json:"at"`
	Expires time.Time `json:"expires"`
}
