package page

import (
	"fmt"
	"strings"
	"time"
)

// CodeProblem says what was wrong with the code that was entered last.
type CodeProblem int

const (
	// NoProblem: no code was entered yet.
	NoProblem CodeProblem = iota
	// WrongCode: not the right code; see ChallengePage.TriesLeft.
	WrongCode
	// WrongLength: not the number of digits that a code has; no try was counted.
	WrongLength
	// UsedCode: a right code that was accepted before.
	UsedCode
	// TooManyTries: this code takes no more tries; the page shows no field.
	TooManyTries
	// Paused: this factor takes no code until ChallengePage.PausedFor has passed.
	Paused
	// ExpiredCode: the code is too old. A phone's page shows no field then.
	ExpiredCode
)

// TextState says how far the text message with the code has come.
type TextState int

const (
	// TextNone: nothing was sent yet; the page has a button and no field.
	TextNone TextState = iota
	// TextQueued: the text is on its way to the provider.
	TextQueued
	// TextSent: the provider has taken the text.
	TextSent
	// TextUnsure: nobody knows whether the text went out, after a time-out.
	TextUnsure
	// TextFailed: no text went out; the page shows no field.
	TextFailed
	// TextUsedUp: a text went out and no further one can be sent.
	TextUsedUp
	// TextRefused: none went out, and none can be sent for now (budget, country).
	TextRefused
)

// Phone is what only a phone's challenge page shows.
type Phone struct {
	// State says how far the text message has come.
	State TextState
	// Ending is the last digits of the number, "42". It may be empty.
	Ending string
	// SendAction is the address of this origin that the send button posts to,
	// with FieldChallenge and FieldToken. Empty: there is no button.
	SendAction string
	// SendIn is how long it takes until a text can be sent again; 0: now. The
	// button stays in any case, as no script could bring it back.
	SendIn time.Duration
	// Early says that the button was pressed before SendIn had passed, so that
	// nothing was sent.
	Early bool
	// whole is the whole number, where the person has typed it a moment ago.
	whole string
}

// ChallengePage asks for a code: of an authenticator, or of a phone if Phone is
// not nil. Addresses are raw paths of this origin, with a query if need be, and
// reach the server as they are given; see ErrAddress for those that cannot.
type ChallengePage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty.
	User string
	// Label is the person's own name of the authenticator; a phone is named by
	// its number. It may be empty.
	Label string
	// Digits is the number of digits of a code, 6 or 8.
	Digits int
	// Action is the address that the code form posts to (required):
	// urlencoded FieldCode, FieldChallenge and FieldToken.
	Action string
	// ChallengeID and FormToken are sent back by every form of the page.
	ChallengeID, FormToken string
	// FactorID is sent back as FieldFactor by the code form and the send
	// button, so that they mean the factor that the page shows.
	FactorID string
	// Problem says what was wrong with the last code.
	Problem CodeProblem
	// TriesLeft is shown with WrongCode; 0: not said.
	TriesLeft int
	// PausedFor is shown with Paused.
	PausedFor time.Duration
	// Phone is nil for an authenticator and for a recovery code.
	Phone *Phone
	// Recovery asks for a recovery code, of which Left are left; 0: not said. Digits
	// is not needed then.
	Recovery bool
	Left     int
	// StepUp is nil for a sign-in.
	StepUp *StepUp
	Remembering
	// OtherWay is the address of the page with the other factors, fetched by
	// GET. Empty: the account has no other.
	OtherWay string
	// Lost is the address of the page for whoever no longer has this factor, fetched
	// by GET. Empty: no link.
	Lost string
	// CancelAction is the address that the cancel button posts to (required),
	// with FieldChallenge and FieldToken.
	CancelAction string
}

// maxCode is the number of characters that the code field takes: 8 digits with
// blanks or hyphens around each, as they may be pasted.
const maxCode = 32

// Challenge renders the page that asks for a code. It returns an error, and no
// page, if an address cannot be written (ErrAddress) or Digits is not positive.
func (s *Set) Challenge(l Lang, p ChallengePage) ([]byte, error) {
	if p.Digits <= 0 && !p.Recovery {
		return nil, fmt.Errorf("page: challenge: a code of %d digits", p.Digits)
	}
	if p.Action == "" || p.CancelAction == "" {
		return nil, fmt.Errorf("page: challenge: action and cancel action are required: %w", ErrAddress)
	}
	sp := s.speak(l).inStepUp(p.StepUp)
	var to target
	hidden := hiddenView{Challenge: p.ChallengeID, Token: p.FormToken, Factor: p.FactorID}
	site := given("site", s.siteOr(p.Host))

	v := challengeView{
		Heading: sp.say(p.headingKey()),
		Who:     sp.who(site, p.User),
		Status:  p.status(sp),
		Alert:   p.alert(sp),
		Other:   to.local("href", "other way", p.OtherWay),
		Lost:    to.local("href", "lost", p.Lost),
		Cancel:  to.local("action", "cancel action", p.CancelAction),
		Hidden:  hidden,
	}
	action := to.local("action", "action", p.Action)
	if p.takesCode() {
		v.Field = &fieldView{
			Action: action,
			Input:  p.input(sp, site, v.Alert != nil && v.Alert.ToField),
			Hidden: hidden,
		}
	}
	if p.StepUp != nil {
		v.Status = p.stay(sp, site)
		v.Field.leave(sp, p.StepUp.Back)
	}
	if p.canSend() {
		v.Send = &sendView{
			Action: to.local("action", "send action", p.Phone.SendAction),
			Text:   p.sendText(sp),
			Label:  sp.say(p.sendKey()),
			Main:   !p.takesCode(),
			Hidden: hidden,
		}
		if p.Phone.SendIn > 0 {
			v.Send.Hint = sp.say("challenge.send.wait", sp.wait(p.Phone.SendIn))
		}
	}
	p.remembering(sp, &to, site, &v)
	if p.takesCode() && p.Phone != nil && p.Phone.State == TextUsedUp {
		v.Note = append([][]part{sp.say("challenge.send.none")}, p.remedies(sp)...)
	}
	if p.Phone != nil {
		v.Warning = sp.say("challenge.warning", site)
	}
	if p.Lost != "" {
		v.LostText = sp.say(p.lostKey())
	}
	v.OtherMain = v.Field == nil && v.Send == nil
	v.Stopped = v.OtherMain && p.OtherWay == ""
	v.frameView = s.frame(sp, p.Host, p.state(sp, v.Alert), v.Alert != nil)
	if to.err != nil {
		return nil, to.err
	}
	return s.render(pageChallenge, sp, v)
}

// leave says on a page that takes a code what becomes of it where the answer is a
// file. An address that cannot be written is none.
func (f *fieldView) leave(sp *speaker, back string) {
	if f == nil || back == "" {
		return
	}
	var to target
	if link := to.local("href", "back", back); to.err == nil {
		f.File, f.Back = sp.say("challenge.file"), link
	}
}

// takesCode tells whether entering a code can help at the moment.
func (p ChallengePage) takesCode() bool {
	if p.isStopped() {
		return false
	}
	if p.Phone == nil {
		return true
	}
	if p.Problem == ExpiredCode {
		return false
	}
	switch p.Phone.State {
	case TextNone, TextFailed, TextRefused:
		return false
	}
	return true
}

// isStopped tells whether too many wrong codes have ended what this page is for.
func (p ChallengePage) isStopped() bool { return p.Problem == TooManyTries || p.Problem == Paused }

// canSend tells whether the page has a send button.
func (p ChallengePage) canSend() bool {
	if p.Phone == nil || p.Phone.SendAction == "" || p.Problem == Paused {
		return false
	}
	return p.Phone.State != TextUsedUp && p.Phone.State != TextRefused
}

func (p ChallengePage) headingKey() string {
	switch {
	case p.takesCode() && p.Recovery:
		return "challenge.title.recovery"
	case p.takesCode() && p.Phone == nil:
		return "challenge.title.authenticator"
	case p.takesCode():
		return "challenge.title.phone"
	case p.canSend():
		return "challenge.title.send"
	case p.isStopped():
		return "challenge.title.stopped"
	}
	return "challenge.title.step"
}

func (p ChallengePage) sendKey() string {
	switch {
	case p.Phone.State == TextNone:
		return "challenge.send.first"
	case p.Problem == TooManyTries || p.Problem == ExpiredCode:
		return "challenge.send.new"
	}
	return "challenge.send.again"
}

// sendText leads to the send button.
func (p ChallengePage) sendText(sp *speaker) []part {
	if p.takesCode() {
		return sp.say("challenge.send.none")
	}
	if p.Phone.State == TextNone && p.Problem == NoProblem {
		return sp.say("challenge.send.text", p.number(sp))
	}
	return nil
}

// state is what the title of the window says of the page.
func (p ChallengePage) state(sp *speaker, a *alertView) string {
	if a != nil {
		return sp.join(a.Title)
	}
	return sp.plain(p.headingKey())
}

// status is the sentence of the status region; nil where the error summary
// says all there is to say.
func (p ChallengePage) status(sp *speaker) []part {
	if p.isStopped() || p.Phone == nil && p.Problem != NoProblem {
		return nil
	}
	if p.Phone == nil || !p.takesCode() {
		return sp.say("challenge.status")
	}
	key := map[TextState]string{
		TextQueued: "challenge.text.queued",
		TextSent:   "challenge.text.sent",
		TextUnsure: "challenge.text.unsure",
		TextUsedUp: "challenge.text.used_up",
	}[p.Phone.State]
	return sp.say(key, p.number(sp))
}

// number names the phone without giving its number away.
func (p ChallengePage) number(sp *speaker) arg {
	if p.Phone.whole != "" {
		// Its blanks do not break it at the end of a line.
		unbroken := strings.ReplaceAll(tidy(p.Phone.whole), " ", "\u00a0")
		return nested("number", []part{{Text: unbroken, Given: true}})
	}
	if p.Phone.Ending == "" {
		return nested("number", sp.say("number.unnamed"))
	}
	return nested("number", sp.say("number.ending", given("ending", p.Phone.Ending)))
}

// hint stands under the label of the code field.
func (p ChallengePage) hint(sp *speaker, site arg) []part {
	if p.Phone != nil {
		return sp.say("challenge.hint.phone")
	}
	if p.Label != "" {
		return sp.say("challenge.hint.authenticator.label", site, given("label", p.Label))
	}
	return sp.say("challenge.hint.authenticator", site)
}

// alert is the error summary: of the code, or else of the text message.
func (p ChallengePage) alert(sp *speaker) *alertView {
	switch p.Problem {
	case WrongCode:
		a := &alertView{Title: sp.say("error.wrong"), ToField: true}
		if p.TriesLeft > 0 {
			a.Lines = append(a.Lines, sp.say("error.wrong.left", count(p.TriesLeft)))
		}
		return p.withField(a)
	case WrongLength:
		title := sp.say("error.length", count(p.Digits))
		if p.Recovery {
			title = sp.say("error.length.recovery")
		}
		return p.withField(&alertView{Title: title, ToField: true})
	case UsedCode:
		a := &alertView{Title: sp.say("error.used"), ToField: true}
		if p.Recovery {
			a.Lines = [][]part{sp.say("error.used.recovery")}
		} else if p.Phone == nil {
			a.Lines = [][]part{sp.say("error.used.next")}
		}
		return p.withField(a)
	case ExpiredCode:
		a := &alertView{Title: sp.say("error.expired")}
		if p.Phone == nil {
			a.ToField = true
			a.Lines = [][]part{sp.say("error.expired.authenticator")}
			return a
		}
		a.Lines = p.remedies(sp)
		return a
	case TooManyTries:
		return &alertView{
			Title: sp.say("error.tries"),
			Lines: append([][]part{sp.say("error.tries.text")}, p.remedies(sp)...),
		}
	case Paused:
		a := &alertView{
			Title: sp.say("error.paused"),
			Lines: [][]part{sp.say("error.paused.text", sp.wait(p.PausedFor))},
		}
		if p.OtherWay != "" {
			a.Lines = append(a.Lines, sp.say("remedy.other"))
		}
		return a
	}
	return p.textAlert(sp)
}

// withField drops the link to the code field where the page has none.
func (p ChallengePage) withField(a *alertView) *alertView {
	a.ToField = p.takesCode()
	return a
}

// textAlert is the error summary of a text message that did not go out.
func (p ChallengePage) textAlert(sp *speaker) *alertView {
	if p.Phone == nil {
		return nil
	}
	switch p.Phone.State {
	case TextQueued, TextSent, TextUnsure:
		if p.Phone.Early && p.Phone.SendIn > 0 {
			return &alertView{
				Title: sp.say("error.early"),
				Lines: [][]part{sp.say("error.early.text", sp.wait(p.Phone.SendIn))},
			}
		}
	case TextFailed:
		return &alertView{Title: sp.say("error.text", p.number(sp)), Lines: p.remedies(sp)}
	case TextRefused:
		return &alertView{
			Title: sp.say("error.text", p.number(sp)),
			Lines: append([][]part{sp.say("error.text.refused")}, p.remedies(sp)...),
		}
	}
	return nil
}
