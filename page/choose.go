package page

import (
	"errors"
	"fmt"
	"html/template"
	"slices"
	"time"
)

// Factor is a kind of factor.
type Factor int

const (
	// Authenticator is an app or a key that shows time-based codes.
	Authenticator Factor = iota + 1
	// TextMessage is a phone that gets its codes by SMS.
	TextMessage
	// RecoveryCode is one of the codes for the day on which the others are lost.
	RecoveryCode
)

// Choice is one factor that may answer the challenge.
type Choice struct {
	// Factor is its kind.
	Factor Factor
	// ID is sent as FieldFactor when this one is chosen.
	ID string
	// Label is the person's own name of it. It may be empty.
	Label string
	// Ending is the last digits of a phone's number. It may be empty.
	Ending string
	// PausedFor is how long it takes no code; 0: it is not paused.
	PausedFor time.Duration
}

// ChoosePage lets the person choose another factor.
type ChoosePage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty.
	User string
	// Choices are the account's factors, at least one; authenticators are shown
	// first, otherwise the order stays.
	Choices []Choice
	// Action is the address that the choice is posted to: FieldFactor,
	// FieldChallenge and FieldToken.
	Action string
	// ChallengeID and FormToken are sent back by every form of the page.
	ChallengeID, FormToken string
	// Back is the address of the challenge page, fetched by GET. Empty: no link.
	Back string
	// CancelAction is the address that the cancel button posts to.
	CancelAction string
	// StepUp is nil for a sign-in.
	StepUp *StepUp
}

type chooseView struct {
	frameView
	Heading []part
	Who     []part
	Status  []part
	Action  template.HTMLAttr
	Hidden  hiddenView
	Choices []choiceView
	Back    template.HTMLAttr
	Cancel  template.HTMLAttr
}

type choiceView struct {
	ID    string
	Phone bool
	// Recovery says that it is a recovery code.
	Recovery bool
	Name     []part
	Hint     []part
	Pause    []part
}

// Choose renders the page with the other ways.
func (s *Set) Choose(l Lang, p ChoosePage) ([]byte, error) {
	if len(p.Choices) == 0 {
		return nil, errors.New("page: choose: no factor to choose from")
	}
	if p.Action == "" || p.CancelAction == "" {
		return nil, fmt.Errorf("page: choose: action and cancel action are required: %w", ErrAddress)
	}
	sp := s.speak(l).inStepUp(p.StepUp)
	site := given("site", s.siteOr(p.Host))
	var to target
	v := chooseView{
		Heading: sp.say("choose.title"),
		Who:     sp.who(site, p.User),
		Action:  to.local("action", "action", p.Action),
		Hidden:  hiddenView{Challenge: p.ChallengeID, Token: p.FormToken},
		Back:    to.local("href", "back", p.Back),
		Cancel:  to.local("action", "cancel action", p.CancelAction),
	}
	if p.StepUp != nil {
		v.Status = sp.say("challenge.stay", site)
	}
	sorted := slices.Clone(p.Choices)
	slices.SortStableFunc(sorted, func(a, b Choice) int { return int(a.Factor) - int(b.Factor) })
	for _, c := range sorted {
		v.Choices = append(v.Choices, c.view(sp))
	}
	v.frameView = s.frame(sp, p.Host, sp.plain("choose.title"), false)
	if to.err != nil {
		return nil, to.err
	}
	return s.render(pageChoose, sp, v)
}

func (c Choice) view(sp *speaker) choiceView {
	v := choiceView{ID: c.ID, Phone: c.Factor == TextMessage, Recovery: c.Factor == RecoveryCode}
	kind := sp.say("factor.authenticator")
	v.Hint = sp.say("factor.authenticator.hint")
	if v.Phone {
		kind = sp.say("factor.phone")
		v.Hint = nil
		if c.Ending != "" {
			v.Hint = sp.say("factor.phone.hint", given("ending", c.Ending))
		}
	}
	if v.Recovery {
		kind, v.Hint = sp.say("factor.recovery"), sp.say("factor.recovery.hint")
	}
	v.Name = kind
	if c.Label != "" {
		v.Name = sp.say("factor.labelled", nested("kind", kind), given("label", c.Label))
	}
	if c.PausedFor > 0 {
		v.Pause = sp.say("factor.paused", sp.wait(c.PausedFor))
	}
	return v
}
