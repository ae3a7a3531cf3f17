package page

import "time"

// stepUpState is a state of a challenge in a step-up.
type stepUpState struct {
	name   string
	failed bool
	page   ChallengePage
}

// stepUpPages are the states of a challenge whose words are others in a step-up.
func stepUpPages() []stepUpState {
	doing := func(what string, change func(*ChallengePage)) func(*ChallengePage) {
		return func(p *ChallengePage) {
			p.StepUp = &StepUp{Doing: what}
			if change != nil {
				change(p)
			}
		}
	}
	const contacts = "export all contacts"
	problem := func(c CodeProblem) func(*ChallengePage) {
		return func(p *ChallengePage) { p.Problem, p.PausedFor = c, 28*time.Minute }
	}
	alone := func(c CodeProblem) func(*ChallengePage) {
		return func(p *ChallengePage) { p.Problem, p.PausedFor, p.OtherWay = c, 28*time.Minute, "" }
	}
	return []stepUpState{
		{"authenticator", false, authenticator(doing(contacts, nil))},
		{"without an action", false, authenticator(doing("", nil))},
		{"no user", false, authenticator(doing(contacts, func(p *ChallengePage) { p.User = "" }))},
		{"long action", false, authenticator(doing(longDoing, nil))},
		{"action of one long word", false, phone(TextNone, doing(longWord, nil))},
		{"action from right to left", false, authenticator(doing("לייצא את כל אנשי הקשר", nil))},
		{"wrong code", true, authenticator(doing(contacts, problem(WrongCode)))},
		{"too many tries", true, authenticator(doing(contacts, problem(TooManyTries)))},
		{"too many tries alone", true, authenticator(doing(contacts, alone(TooManyTries)))},
		{"paused alone", true, authenticator(doing(contacts, alone(Paused)))},
		{"phone nothing sent", false, phone(TextNone, doing(contacts, nil))},
		{"phone sent", false, phone(TextSent, doing(contacts, nil))},
		{"phone sent without an action", false, phone(TextSent, doing("", nil))},
		{"phone used up", false, phone(TextUsedUp, doing(contacts, nil))},
		{"phone refused", true, phone(TextRefused, doing(contacts, nil))},
		{"phone refused alone", true, phone(TextRefused, doing(contacts, alone(NoProblem)))},
	}
}

const (
	longDoing = "export all contacts of every branch with their addresses, telephone numbers, notes and the full history of all orders and returns since 2009"
	longWord  = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftsmitgliederverzeichnisausfuhrgenehmigung"
)
