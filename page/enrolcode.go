package page

import (
	"errors"
	"time"
)

// EnrolCodePage asks for the code that was texted to a new number.
type EnrolCodePage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty.
	User string
	// Number is the whole new number as people write it, "+46 70 123 45 67", so
	// that whoever typed it sees a typing error.
	Number string
	// State says how far the text message has come.
	State TextState
	// SendIn is how long it takes until a text can be sent again; 0: now. The button
	// stays in any case.
	SendIn time.Duration
	// Early says that the button was pressed before SendIn had passed.
	Early bool
	// Send asks for a text; nil: no button.
	Send *Post
	// Digits is the number of digits of a code, 6 or 8.
	Digits int
	// Post takes FieldCode.
	Post Post
	// Problem says what was wrong with the last code.
	Problem CodeProblem
	// TriesLeft is shown with WrongCode; 0: not said.
	TriesLeft int
	// Replaces is the last digits of the number that the new one replaces. Empty: it
	// replaces none.
	Replaces string
	// Back is the address where the number can be corrected, fetched by GET. Empty:
	// no link.
	Back string
	// Cancel ends the sign-in; nil: no button.
	Cancel *Post
}

type enrolCodeView struct {
	insideView
	// Text says what the old number is good for.
	Text  []part
	Form  *postView
	Input inputView
	Send  *askView
}

// EnrolCode renders the page that asks for the code to a new number. It returns an
// error, and no page, for a code of no digits.
func (s *Set) EnrolCode(l Lang, p EnrolCodePage) ([]byte, error) {
	if p.Digits <= 0 || p.Number == "" {
		return nil, errors.New("page: enrol code: number and digits are required")
	}
	sp, site := s.inside(l), given("site", s.siteOr(p.Host))
	var to target
	c := p.challenge()
	v := enrolCodeView{Send: p.send(sp, &to)}
	v.Heading = sp.say("enrol.code.title")
	if !c.takesCode() {
		v.Heading = sp.say("enrol.code.title.none")
	}
	v.Who = sp.who(site, p.User)
	v.Alert = c.alert(sp)
	v.Status = p.status(sp)
	v.Back, v.BackText = to.local("href", "back", p.Back), sp.say("enrol.code.correct")
	v.Cancel = to.post("cancel", p.Cancel)
	if p.Replaces != "" {
		v.Text = sp.say("enrol.phone.replaces", given("ending", p.Replaces))
	}
	if c.takesCode() {
		v.Form = to.post("post", &p.Post)
		v.Input = codeInput(sp.say("challenge.code", count(p.Digits)), sp.say("challenge.hint.phone"), v.Alert != nil && v.Alert.ToField)
	}
	return s.renderInside(pageEnrolCode, sp, &to, p.Host, &v.insideView, &v)
}

// challenge is the same state on the page that asks for a phone's code.
func (p EnrolCodePage) challenge() ChallengePage {
	c := ChallengePage{
		Digits: p.Digits, Problem: p.Problem, TriesLeft: p.TriesLeft,
		Phone: &Phone{State: p.State, SendIn: p.SendIn, Early: p.Early, whole: p.Number},
	}
	if p.Send != nil {
		c.Phone.SendAction = p.Send.Action
	}
	return c
}

// status says where the text went to.
func (p EnrolCodePage) status(sp *speaker) []part {
	c := p.challenge()
	switch {
	case c.takesCode():
		return c.status(sp)
	case p.Problem == NoProblem && p.State == TextNone:
		return sp.say("challenge.send.text", c.number(sp))
	}
	return nil
}

func (p EnrolCodePage) send(sp *speaker, to *target) *askView {
	c := p.challenge()
	if !c.canSend() {
		return nil
	}
	v := &askView{postView: to.post("send", p.Send), Label: sp.say(c.sendKey()), Main: !c.takesCode()}
	if c.takesCode() {
		v.Text = sp.say("challenge.send.none")
	}
	if p.SendIn > 0 {
		v.Hint = sp.say("challenge.send.wait", sp.wait(p.SendIn))
	}
	return v
}
