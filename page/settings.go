package page

import (
	"time"
)

// SettingsDone says what was changed a moment ago.
type SettingsDone int

const (
	// DoneNothing: the page was opened.
	DoneNothing SettingsDone = iota
	// DoneAdded: a factor was added.
	DoneAdded
	// DoneRemoved: a factor was removed.
	DoneRemoved
	// DoneRenamed: a factor has a new name.
	DoneRenamed
	// DoneChanged: a phone has a new number.
	DoneChanged
	// DoneRecovery: new recovery codes were made.
	DoneRecovery
	// DoneOff: the second factor was switched off.
	DoneOff
	// DoneSession: one session was ended.
	DoneSession
	// DoneSessions: all other sessions were ended and all devices forgotten.
	DoneSessions
	// DoneForgotten: a device was forgotten.
	DoneForgotten
)

// OffBy says who may switch the second factor off.
type OffBy int

const (
	// OffByUser: the user; see SettingsPage.SwitchOff.
	OffByUser OffBy = iota
	// OffByOperator: only the people who run the site.
	OffByOperator
	// OffByNobody: it is required of the user.
	OffByNobody
)

// DemandBy says who asks for a second factor.
type DemandBy int

const (
	// ByOperator: the people who run the site.
	ByOperator DemandBy = iota
	// ByOwner: the owner of the user's account.
	ByOwner
)

// FactorRow is one factor on the settings page.
type FactorRow struct {
	// Factor is its kind, Authenticator or TextMessage.
	Factor Factor
	// ID tells it from the others.
	ID string
	// Label is the person's own name of it. It may be empty.
	Label string
	// Ending is the last digits of a phone's number. It may be empty.
	Ending string
	// Since is when it was set up, and Used when it was used last; zero: not said,
	// or never.
	Since, Used time.Time
	// Rename takes FieldLabel, of at most MaxLabel characters; nil: no field.
	Rename *Post
	// Change and Remove are the addresses where that begins, fetched by GET. Empty:
	// no link.
	Change, Remove string
}

// SettingsPage is where people look after their own second factor.
type SettingsPage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty.
	User string
	// Done is the change that the page tells of.
	Done SettingsDone
	// Factors are those that count, authenticators first; otherwise the order stays.
	Factors []FactorRow
	// RecoveryLeft of RecoveryOf codes are left; RecoveryOf 0: there are none.
	RecoveryLeft, RecoveryOf int
	// NewRecovery is the address where new ones are made, fetched by GET. Empty: no
	// link.
	NewRecovery string
	// AddApp and AddPhone are the addresses that begin each, fetched by GET. Empty:
	// it is not to be had.
	AddApp, AddPhone string
	// Demand is what is asked of the user, By from when on, and DemandBy by whom.
	Demand   Demand
	By       time.Time
	DemandBy DemandBy
	// SwitchOff is the address where switching off begins, fetched by GET. Empty: no
	// link.
	SwitchOff string
	// OffBy says who may switch it off, where there is something to switch off.
	OffBy OffBy
	// Activity and Team are the addresses of those pages. Empty: no link.
	Activity, Team string
	// Home is where the site goes on. Empty: no link.
	Home string
}
