package page

// MailKind names what a notice by mail is about.
type MailKind string

// The kinds of mails.
const (
	// MailFactorAdded: a factor was added.
	MailFactorAdded MailKind = "factor_added"
	// MailFactorRemoved: a factor was removed.
	MailFactorRemoved MailKind = "factor_removed"
	// MailNumberChanged: a phone has a new number; Ending is the new one's.
	MailNumberChanged MailKind = "number_changed"
	// MailRecoveryMade: new recovery codes were made.
	MailRecoveryMade MailKind = "recovery_made"
	// MailRecoveryUsed: a recovery code was used; see MailPage.Left.
	MailRecoveryUsed MailKind = "recovery_used"
	// MailFactorReset: the operator has removed a factor, or all of them.
	MailFactorReset MailKind = "factor_reset"
	// MailSwitchedOff: the account needs no second factor any more.
	MailSwitchedOff MailKind = "switched_off"
	// MailCodeFailed: the password was right and the codes were wrong.
	MailCodeFailed MailKind = "code_failed"
	// MailDeviceStolen: the cookie of a remembered browser was used elsewhere.
	MailDeviceStolen MailKind = "device_stolen"
	// MailNotMe: somebody said "this was not me", and all sessions have ended.
	MailNotMe MailKind = "not_me"
	// MailDemand: from MailPage.Until on a second factor is asked for.
	MailDemand MailKind = "demand"
	// MailOwnerSetNumber: the account's owner has entered a number for the user.
	MailOwnerSetNumber MailKind = "owner_set_number"
	// MailConfirm: link and code confirm a first set-up.
	MailConfirm MailKind = "confirm"
	// MailInvite: the operator invites to the first set-up.
	MailInvite MailKind = "invite"
)

// mailKind is what sets one kind of mail apart.
type mailKind struct {
	// ask is the end of the key of what to do, mail.ask.…; empty: the kind has a
	// text of its own.
	ask string
	// sameAsk says that what to do is the same without a link.
	sameAsk bool
	// link is the end of the key of the link's words, mail.link.….
	link string
	// factor says that the mail names the factor.
	factor bool
	// code says that it may carry a code, and says until when that works.
	code bool
	// notice says that it has a short form for a phone.
	notice bool
}

var kinds = map[MailKind]mailKind{
	MailFactorAdded:    {ask: "not_me", link: "not_me", factor: true},
	MailFactorRemoved:  {ask: "not_me", link: "not_me", factor: true, notice: true},
	MailNumberChanged:  {ask: "not_me", link: "not_me", factor: true, notice: true},
	MailRecoveryMade:   {ask: "not_me", link: "not_me"},
	MailRecoveryUsed:   {ask: "not_me", link: "not_me"},
	MailFactorReset:    {sameAsk: true, link: "not_me", factor: true},
	MailSwitchedOff:    {ask: "not_me", link: "not_me"},
	MailCodeFailed:     {ask: "password", link: "not_me"},
	MailDeviceStolen:   {ask: "copied", link: "not_me"},
	MailNotMe:          {sameAsk: true, link: "go_on"},
	MailDemand:         {link: "set_up"},
	MailOwnerSetNumber: {sameAsk: true, link: "not_me", factor: true},
	MailConfirm:        {link: "go_on", code: true},
	MailInvite:         {sameAsk: true, link: "set_up", code: true},
}

// key is the key of one of the kind's own texts.
func (k MailKind) key(of string) string { return "mail." + string(k) + "." + of }
