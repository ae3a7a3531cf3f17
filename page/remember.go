package page

import "time"

// Remember offers to have the browser remembered.
type Remember struct {
	// For is how long, at least an hour.
	For time.Duration
	// Ticked says that the person has ticked it before, in this challenge.
	Ticked bool
}

// Remembering is what a challenge page says of remembered browsers.
type Remembering struct {
	// Remember is nil where the browser cannot be remembered.
	Remember *Remember
	// Copied says that what the browser was remembered by was used elsewhere.
	Copied bool
}

// remembering adds what the page says of remembered browsers.
func (p ChallengePage) remembering(sp *speaker, to *target, site arg, v *challengeView) {
	if p.Copied {
		v.Copied = &alertView{Title: sp.say("copied.title"), Lines: [][]part{sp.say("copied.text", site)}}
	}
	if p.Remember == nil {
		return
	}
	if v.Field != nil {
		v.Field.Remember = p.Remember.view(sp)
	}
	if v.Send == nil {
		return
	}
	v.Send.Ticked = p.Remember.Ticked
	if v.Field != nil {
		v.Send.WithField = to.local("formaction", "send action", p.Phone.SendAction)
	}
}

// view is what the box says. It never promises more than is given.
func (r *Remember) view(sp *speaker) *rememberView {
	key, n := "remember.days", int(r.For/(24*time.Hour))
	if r.For < 48*time.Hour {
		key, n = "remember.hours", max(1, int(r.For/time.Hour))
	}
	return &rememberView{Label: sp.say(key, count(n)), Hint: sp.say("remember.hint"), Ticked: r.Ticked}
}
