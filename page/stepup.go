package page

import (
	"fmt"
	"time"
)

// StepUp is what the pages say of a step-up: a code that somebody who is signed
// in is asked for before one thing that he wants to do.
type StepUp struct {
	// Doing is what the code is for in the operator's words, as they go on after
	// "to": "export all contacts". At most 120 characters are shown. It may be
	// empty.
	Doing string
	// Back is the address of the page that the person was on, a raw path of this
	// origin, where the answer to the code form may be a file: the browser saves
	// it and goes on showing the page with the code. Empty: nothing is said of it.
	Back string
}

// maxDoing is the number of characters of StepUp.Doing that a page shows.
const maxDoing = 120

// inStepUp makes the speaker say what is said in a step-up; nil: in a sign-in.
func (s *speaker) inStepUp(u *StepUp) *speaker {
	if u == nil {
		return s
	}
	s.stepUp = true
	s.doing = s.say("doing.unnamed")
	if doing := tidyTo(u.Doing, maxDoing); doing != "" {
		s.doing = []part{{Text: doing, Given: true}}
	}
	return s
}

// stay is the status of a challenge in a step-up: that nothing of it happens
// without the code.
func (p ChallengePage) stay(sp *speaker, site arg) []part {
	if p.isStopped() {
		return sp.say("challenge.stay.stopped", site)
	}
	stay := sp.say("challenge.stay", site)
	if p.Phone == nil || !p.takesCode() {
		return stay
	}
	return append(append(p.status(sp), part{Text: " "}), stay...)
}

// insufficientAuthentication is the error code of RFC 9470, section 3.
const insufficientAuthentication = "insufficient_user_authentication"

// maxAge is a duration in the whole seconds of max_age [RFC 9470, section 3],
// rounded down: what is a little too old does not pass either.
func maxAge(d time.Duration) int64 { return max(0, int64(d/time.Second)) }

// stepUpChallenge is the value of WWW-Authenticate that says what the request
// lacks. Its description names the action, unless that has characters that
// cannot stand there [RFC 6750, section 3].
func (s *Set) stepUpChallenge(p Problem) string {
	text := func(doing string) string {
		return s.speak("").inStepUp(&StepUp{Doing: doing}).plain(StepUpNeeded.key("text"))
	}
	description := text(p.Doing)
	if !canDescribe(description) {
		description = text("")
	}
	return fmt.Sprintf("Bearer error=%q, error_description=%q, max_age=\"%d\"",
		insufficientAuthentication, description, maxAge(*p.MaxAge))
}

// canDescribe tells whether s can stand in error_description as it is.
func canDescribe(s string) bool {
	for _, r := range s {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return false
		}
	}
	return true
}
