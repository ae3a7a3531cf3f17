package page

import (
	"time"
)

// ConfirmProblem says what was wrong with the code of a mail or an invitation.
type ConfirmProblem int

const (
	// ConfirmNone: no code was entered yet.
	ConfirmNone ConfirmProblem = iota
	// ConfirmWrong: not the right code.
	ConfirmWrong
	// ConfirmExpired: a code that is too old, or was used before.
	ConfirmExpired
	// ConfirmTooMany: no further code is taken for now; the page shows no field.
	ConfirmTooMany
)

// ConfirmMail is what the page says of the mail with a code.
type ConfirmMail struct {
	// Address is where the mail goes to, masked: "a…@example.com".
	Address string
	// Sent says that a mail is on its way.
	Sent bool
	// Send asks for the mail, or for another one.
	Send Post
	// SendIn is how long it takes until another one can be sent; 0: now. The button
	// stays in any case, as no script could bring it back.
	SendIn time.Duration
	// Failed says that the last one could not be sent.
	Failed bool
}

// ConfirmPage asks, before a first factor may be set up, for something that a
// thief of the password does not have.
type ConfirmPage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty.
	User string
	// Mail is nil where no mail can be sent.
	Mail *ConfirmMail
	// Enter takes the code of a mail or an invitation in FieldConfirm; nil: the page
	// has no field.
	Enter *Post
	// Code stands in the field already, from the link of a mail or an invitation.
	// It may be empty.
	Code string
	// Operator says that only the people who run the site can help.
	Operator bool
	// Problem says what was wrong with the last code.
	Problem ConfirmProblem
	// Cancel ends the sign-in; nil: no button.
	Cancel *Post
	// NotNow puts the second factor off; nil: no button.
	NotNow *Post
	// Back is the address to go back to, fetched by GET. Empty: no link.
	Back string
}

type confirmView struct {
	insideView
	Text  []part
	Enter *postView
	Input inputView
	Send  *askView
}

// askView is a button that asks for a mail or a text.
type askView struct {
	*postView
	Text  []part
	Label []part
	Hint  []part
	Main  bool
}

// Confirm renders the page that asks whether it is the user.
func (s *Set) Confirm(l Lang, p ConfirmPage) ([]byte, error) {
	sp, site := s.inside(l), given("site", s.siteOr(p.Host))
	var to target
	v := confirmView{Text: sp.say("confirm.text", site)}
	v.Heading = sp.say("confirm.title")
	v.Who = sp.who(site, p.User)
	v.Status = p.status(sp, site)
	v.Alert = p.alert(sp, site)
	v.Back = to.local("href", "back", p.Back)
	v.NotNow = to.post("not now", p.NotNow)
	v.Cancel = to.post("cancel", p.Cancel)
	if p.Problem != ConfirmTooMany {
		v.Enter = to.post("enter", p.Enter)
		v.Input = p.input(sp)
		v.Send = p.send(sp, &to)
	}
	return s.renderInside(pageConfirm, sp, &to, p.Host, &v.insideView, &v)
}

// maxConfirm is the number of characters that the field for the code of a mail or
// an invitation takes, with blanks and hyphens as they may be pasted.
const maxConfirm = 64

func (p ConfirmPage) input(sp *speaker) inputView {
	label := sp.say("confirm.code.invitation")
	if p.Mail != nil {
		label = sp.say("confirm.code.mail")
	}
	v := codeInput(label, sp.say("confirm.code.hint"), p.Problem != ConfirmNone).words()
	v.ID, v.Name, v.Value, v.Max = "confirm", FieldConfirm, tidyTo(p.Code, maxConfirm), maxConfirm
	return v
}

func (p ConfirmPage) send(sp *speaker, to *target) *askView {
	if p.Mail == nil {
		return nil
	}
	v := &askView{postView: to.post("send", &p.Mail.Send), Label: sp.say("confirm.mail.send"), Main: p.Enter == nil}
	if p.Mail.Sent {
		v.Text, v.Label = sp.say("challenge.send.none"), sp.say("challenge.send.again")
	}
	if p.Mail.SendIn > 0 {
		v.Hint = sp.say("challenge.send.wait", sp.wait(p.Mail.SendIn))
	}
	return v
}

// status says what is going on, or who can help.
func (p ConfirmPage) status(sp *speaker, site arg) []part {
	switch {
	case p.Mail != nil && p.Mail.Failed:
		return nil
	case p.Mail != nil && p.Mail.Sent:
		return sp.say("confirm.mail.sent", given("address", p.Mail.Address))
	case p.Mail != nil:
		return sp.say("confirm.mail", given("address", p.Mail.Address))
	case p.Operator:
		return sp.say("confirm.operator", site)
	}
	return sp.say("confirm.invitation", site)
}

func (p ConfirmPage) alert(sp *speaker, site arg) *alertView {
	a := &alertView{ToField: p.Enter != nil, At: "confirm"}
	switch p.Problem {
	case ConfirmWrong:
		a.Title, a.Lines = sp.say("error.wrong"), [][]part{sp.say("confirm.wrong")}
		return a
	case ConfirmExpired:
		a.Title, a.Lines = sp.say("error.expired"), [][]part{sp.say("confirm.expired")}
		return a
	case ConfirmTooMany:
		return &alertView{Title: sp.say("error.tries"), Lines: [][]part{sp.say("confirm.tries", site)}}
	}
	if p.Mail != nil && p.Mail.Failed {
		title := sp.say("confirm.mail.failed", given("address", p.Mail.Address))
		return &alertView{Title: title, Lines: [][]part{sp.say("remedy.again")}}
	}
	return nil
}
