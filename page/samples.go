package page

import "time"

// samples are pages in states that together have every form, field and link of
// their template. An operator's own template is tried with them at start. A
// template without samples cannot be replaced.
var samples = map[pageName][]func(*Set) ([]byte, error){
	pageChallenge: {
		sampleChallenge(func(p *ChallengePage) { p.Remember = &Remember{For: 24 * time.Hour} }),
		sampleChallenge(func(p *ChallengePage) { p.Problem, p.StepUp = WrongCode, &StepUp{Doing: "go on", Back: "/back"} }),
		sampleChallenge(func(p *ChallengePage) { p.Phone = &Phone{State: TextSent, Ending: "42", SendAction: "/send"} }),
		sampleChallenge(func(p *ChallengePage) {
			p.Phone = &Phone{State: TextSent, SendAction: "/send"}
			p.Remember = &Remember{For: 24 * time.Hour}
		}),
		sampleChallenge(func(p *ChallengePage) {
			p.Phone = &Phone{State: TextNone, SendAction: "/send"}
			p.Remember = &Remember{For: 24 * time.Hour, Ticked: true}
		}),
		sampleChallenge(func(p *ChallengePage) { p.Problem, p.OtherWay = TooManyTries, "" }),
		sampleChallenge(func(p *ChallengePage) { p.Recovery, p.Left, p.Lost = true, 8, "/lost" }),
	},
	pageEnrol:      sampleEnrol(),
	pageConfirm:    sampleConfirm(),
	pageEnrolApp:   sampleEnrolApp(),
	pageEnrolPhone: sampleEnrolPhone(),
	pageEnrolCode:  sampleEnrolCode(),
	pageRecovery:   sampleRecovery(),
	pageSettings:   sampleSettings(),
	pageSure:       sampleSure(),
	pageActivity:   sampleActivity(),
	pageNotMe:      sampleNotMe(),
	pageTeam:       sampleTeam(),
	pageChoose: {func(s *Set) ([]byte, error) {
		return s.Choose("", ChoosePage{
			Host: "example.com", User: "sample", Action: "/choose", Back: "/back", CancelAction: "/cancel",
			ChallengeID: "challenge", FormToken: "token",
			Choices: []Choice{{Factor: Authenticator, ID: "one", Label: "sample"}, {Factor: TextMessage, ID: "two", Ending: "42", PausedFor: time.Minute}, {Factor: RecoveryCode, ID: "three"}},
		})
	}},
	pageMessage: {func(s *Set) ([]byte, error) {
		return s.Message("", MessagePage{
			Message: NotRecognised, Host: "example.com", User: "sample", Reference: "reference",
			Ways: []Way{{Name: WayCancel, To: "/cancel", Post: true, ChallengeID: "challenge", FormToken: "token"}, {Name: WayHome, To: "/home", Top: true}},
		})
	}},
	pageContinue: {func(s *Set) ([]byte, error) {
		return s.Continue("", ContinuePage{Host: "example.com", URL: "https://other.example.com/"})
	}},
}

// sampleChallenge is a challenge that is changed to one state.
func sampleChallenge(change func(*ChallengePage)) func(*Set) ([]byte, error) {
	p := ChallengePage{
		Host: "example.com", User: "sample", Digits: 6, Action: "/answer", ChallengeID: "challenge", FormToken: "token",
		FactorID: "factor", OtherWay: "/other", CancelAction: "/cancel",
	}
	change(&p)
	return func(s *Set) ([]byte, error) { return s.Challenge("", p) }
}
