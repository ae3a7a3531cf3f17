package page

import "slices"

// The messages of a step-up, with the status that Message.Status proposes for
// each. In all of them the person stays signed in.
const (
	// StepUpNeeded (403): the request needs a code; for scripts and frames.
	StepUpNeeded Message = "step_up_needed"
	// StepUpElsewhere (403): another site, or something that the browser does
	// not tell, asked for a route that needs a code.
	StepUpElsewhere Message = "step_up_elsewhere"
	// StepUpTooLarge (413): the request is too large to be held.
	StepUpTooLarge Message = "step_up_too_large"
	// StepUpCancelled (200): the person cancelled the step-up.
	StepUpCancelled Message = "step_up_cancelled"
	// StepUpExpired (403): the step-up was not answered in time.
	StepUpExpired Message = "step_up_expired"
	// StepUpUsed (409): the step-up was answered before, and what was held for
	// it was sent to the app.
	StepUpUsed Message = "step_up_used"
	// StepUpLost (502): what was held was sent to the app, and the answer did not
	// come back.
	StepUpLost Message = "step_up_lost"
	// StepUpNotSent (409): the code was right, but what was held cannot be sent
	// any more.
	StepUpNotSent Message = "step_up_not_sent"
	// StepUpNoFactor (403): the account has no factor that can answer.
	StepUpNoFactor Message = "step_up_no_factor"
	// StepUpPassed (200): the code was right, and the request passes once if it
	// is repeated within 2 minutes.
	StepUpPassed Message = "step_up_passed"
)

var stepUpMessages = []Message{
	StepUpNeeded, StepUpElsewhere, StepUpTooLarge, StepUpCancelled, StepUpExpired,
	StepUpUsed, StepUpLost, StepUpNotSent, StepUpNoFactor, StepUpPassed,
}

// isStepUp tells whether the message is one of a step-up.
func (m Message) isStepUp() bool {
	return slices.Contains(stepUpMessages, m)
}

// stepUp is what a message says of a step-up: nil if it is none. Any message
// for which an action is named is one.
func (m Message) stepUp(doing string) *StepUp {
	if doing == "" && !m.isStepUp() {
		return nil
	}
	return &StepUp{Doing: doing}
}
