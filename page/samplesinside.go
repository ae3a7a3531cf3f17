package page

import "time"

// sampled makes the samples of one page.
func sampled[P any](render func(*Set, Lang, P) ([]byte, error), pages ...P) []func(*Set) ([]byte, error) {
	all := make([]func(*Set) ([]byte, error), len(pages))
	for i, p := range pages {
		all[i] = func(s *Set) ([]byte, error) { return render(s, "", p) }
	}
	return all
}

func samplePost(action string) *Post {
	return &Post{Action: action, Fields: []Hidden{{FieldToken, "token"}}}
}

func sampleEnrol() []func(*Set) ([]byte, error) {
	return sampled((*Set).Enrol,
		EnrolPage{
			Host: "example.com", User: "sample", Demand: DemandOffered, App: "/app", Phone: "/phone",
			Proposed: samplePost("/proposed"), Ending: "42", NotNow: samplePost("/later"), Cancel: samplePost("/cancel"),
		},
		EnrolPage{Host: "example.com", App: "/app", Back: "/back"},
		EnrolPage{Host: "example.com", Demand: DemandNow, Cancel: samplePost("/cancel")})
}

func sampleConfirm() []func(*Set) ([]byte, error) {
	return sampled((*Set).Confirm,
		ConfirmPage{
			Host: "example.com", User: "sample", Mail: &ConfirmMail{Address: "a…@example.com", Send: *samplePost("/send")},
			NotNow: samplePost("/later"), Cancel: samplePost("/cancel"),
		},
		ConfirmPage{
			Host: "example.com", Mail: &ConfirmMail{Sent: true, Send: *samplePost("/send")},
			Enter: samplePost("/enter"), Problem: ConfirmWrong, Back: "/back",
		})
}

func sampleEnrolApp() []func(*Set) ([]byte, error) {
	p := EnrolAppPage{
		Host: "example.com", User: "sample", Issuer: "sample", Account: "sample",
		URI: "otpauth://totp/sample?secret=JBSWY3DPEHPK3PXP", Secret: "JBSWY3DPEHPK3PXP",
		Digits: 6, Period: 30 * time.Second, Post: *samplePost("/app"), Problem: WrongCode,
		Back: "/back", Cancel: samplePost("/cancel"),
	}
	over := p
	over.Problem = TooManyTries
	return sampled((*Set).EnrolApp, p, over)
}

func sampleEnrolPhone() []func(*Set) ([]byte, error) {
	p := EnrolPhonePage{
		Host: "example.com", User: "sample", Countries: []Country{{"SE", 46}}, Region: "SE",
		Post: *samplePost("/phone"), Problem: NumberEmpty, Back: "/back", Cancel: samplePost("/cancel"),
	}
	replaces := p
	replaces.Region, replaces.Replaces, replaces.Member, replaces.Problem = "", "42", "member", NumberCountry
	return sampled((*Set).EnrolPhone, p, replaces)
}

func sampleEnrolCode() []func(*Set) ([]byte, error) {
	p := EnrolCodePage{
		Host: "example.com", User: "sample", Number: "+46 70 123 45 67", State: TextSent, SendIn: time.Minute, Digits: 6,
		Send: samplePost("/send"), Post: *samplePost("/code"), Problem: WrongCode, Replaces: "42",
		Back: "/back", Cancel: samplePost("/cancel"),
	}
	none := p
	none.State, none.Problem = TextNone, NoProblem
	return sampled((*Set).EnrolCode, p, none)
}

func sampleRecovery() []func(*Set) ([]byte, error) {
	p := RecoveryPage{Host: "example.com", User: "sample", Codes: []string{"ABCD-EFGH", "JKLM-NPQR"}, First: true, Continue: samplePost("/continue")}
	again := p
	again.First, again.Continue, again.Done = false, nil, "/done"
	return sampled((*Set).Recovery, p, again)
}

func sampleSettings() []func(*Set) ([]byte, error) {
	p := SettingsPage{
		Host: "example.com", User: "sample",
		Factors: []FactorRow{
			{Factor: Authenticator, ID: "one", Label: "sample", Rename: samplePost("/rename"), Remove: "/remove?one"},
			{Factor: TextMessage, ID: "two", Ending: "42", Change: "/change", Remove: "/remove?two"},
		},
		RecoveryLeft: 1, RecoveryOf: 10, NewRecovery: "/recovery", AddApp: "/app", AddPhone: "/phone",
		SwitchOff: "/off", Activity: "/activity", Team: "/team", Home: "/home",
	}
	none := p
	none.Factors, none.SwitchOff = nil, ""
	return sampled((*Set).Settings, p, none)
}

func sampleSure() []func(*Set) ([]byte, error) {
	return sampled((*Set).Sure, SurePage{
		Host: "example.com", User: "sample", What: SureRemoveApp, Name: "sample", Post: *samplePost("/do"), Back: "/back", Last: true,
	})
}

func sampleActivity() []func(*Set) ([]byte, error) {
	p := ActivityPage{
		Host: "example.com", User: "sample",
		Sessions: []SessionRow{{Current: true, Browser: "sample"}, {IP: "192.0.2.1", End: samplePost("/end")}},
		Devices:  []DeviceRow{{Current: true, Browser: "sample", Forget: samplePost("/forget")}},
		EndAll:   samplePost("/end-all"), NotMe: "/not-me", Back: "/back",
	}
	return sampled((*Set).Activity, p, ActivityPage{Host: "example.com", NotMe: "/not-me", Back: "/back"})
}

func sampleNotMe() []func(*Set) ([]byte, error) {
	return sampled((*Set).NotMe,
		NotMePage{Host: "example.com", User: "sample", Post: samplePost("/not-me")},
		NotMePage{Host: "example.com", Done: true, Ways: []Way{{Name: WaySignIn, To: "/login"}}},
		NotMePage{Host: "example.com", Expired: true, Ways: []Way{{Name: WaySignIn, To: "/login"}}})
}

func sampleTeam() []func(*Set) ([]byte, error) {
	p := TeamPage{
		Host: "example.com", User: "sample", Name: "sample", Missing: []string{"sample"},
		Members: []MemberRow{{Name: "sample", You: true, App: true}, {Name: "member", SetNumber: "/number"}},
		Earlier: "/earlier", Later: "/later", Back: "/back",
	}
	off, on := p, p
	off.Missing, off.TurnOn = nil, samplePost("/on")
	on.Demanded, on.TurnOff = true, samplePost("/off")
	return sampled((*Set).Team, p, off, on)
}
