package page

// The messages of people who look after their own second factor, with the status
// that Message.Status proposes for each.
const (
	// EnrolmentExpired (403): a set-up was begun too long ago, or is gone.
	EnrolmentExpired Message = "enrolment_expired"
	// EnrolmentReplaced (409): a newer set-up was begun, perhaps in another tab.
	EnrolmentReplaced Message = "enrolment_replaced"
	// Suspended (403): the account is suspended. Only after a right password.
	Suspended Message = "suspended"
	// ConfirmNeeded (401): before a first factor is set up, the user has to be
	// confirmed; for scripts.
	ConfirmNeeded Message = "confirm_needed"
	// EnrolmentNeeded (401): a second factor has to be set up; for scripts.
	EnrolmentNeeded Message = "enrolment_needed"
	// NotAllowed (403): only the people who run the site can change this.
	NotAllowed Message = "not_allowed"
	// TooBusy (503): too many things that cost much at once.
	TooBusy Message = "too_busy"
	// ChangedElsewhere (409): it was changed in the meantime, in another browser.
	ChangedElsewhere Message = "changed_elsewhere"
	// Invited (200): the link of an invitation was opened; a button leads to the
	// sign-in page.
	Invited Message = "invited"
)
