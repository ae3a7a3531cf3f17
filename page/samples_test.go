package page

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// insidePages are the pages on which people look after their second factor, in every
// state that they have.
func insidePages() []rendered {
	return slices.Concat(enrolPages(), confirmPages(), enrolAppPages(), enrolPhonePages(), enrolCodePages(),
		recoveryPages(), settingsPages(), surePages(), activityPages(), notMePages(), teamPages(), recoveryChallenges())
}

// at is a point in time in the given month of 2026.
func at(month time.Month) time.Time { return time.Date(2026, month, 3, 8, 5, 0, 0, time.UTC) }

// posted is a form with the fields that the gateway gives each.
func posted(action string, more ...Hidden) *Post {
	return &Post{Action: action, Fields: append([]Hidden{
		{FieldToken, "v3yF0r-m_T0k3nv3yF0r-m_T0k3nv3yF0r-m_T0k3n0"},
	}, more...)}
}

// states collects the states of one page.
type states[P any] struct {
	all    []rendered
	page   string
	render func(*Set, Lang, P) ([]byte, error)
}

func (s *states[P]) add(name string, failed bool, p P) {
	s.all = append(s.all, rendered{s.page + " " + name, failed, func(set *Set, l Lang) ([]byte, error) { return s.render(set, l, p) }})
}

const (
	sampleHost = "crm.example.com"
	sampleUser = "anna.lindqvist@example.com"
)

func enrolSample(change func(*EnrolPage)) EnrolPage {
	p := EnrolPage{
		Host: sampleHost, User: sampleUser, Demand: DemandOffered,
		App: "/.two-factor/settings/app", Phone: "/.two-factor/settings/phone",
		NotNow: posted("/.two-factor/enrol/later"), Cancel: posted("/.two-factor/cancel"),
	}
	if change != nil {
		change(&p)
	}
	return p
}

func enrolPages() []rendered {
	s := &states[EnrolPage]{page: "enrol", render: (*Set).Enrol}
	s.add("offered", false, enrolSample(nil))
	s.add("offered until", false, enrolSample(func(p *EnrolPage) { p.By = at(time.December) }))
	s.add("required from", false, enrolSample(func(p *EnrolPage) { p.Demand, p.By = DemandFrom, at(time.January) }))
	s.add("required now", false, enrolSample(func(p *EnrolPage) { p.Demand, p.NotNow = DemandNow, nil }))
	s.add("from the settings", false, enrolSample(func(p *EnrolPage) {
		p.Demand, p.NotNow, p.Cancel, p.Back = DemandNone, nil, nil, "/.two-factor/settings"
	}))
	s.add("a number proposed", false, enrolSample(func(p *EnrolPage) { p.Proposed, p.Ending = posted("/.two-factor/enrol/proposed"), "42" }))
	s.add("app alone", false, enrolSample(func(p *EnrolPage) { p.Phone = "" }))
	s.add("phone alone", false, enrolSample(func(p *EnrolPage) { p.App = "" }))
	s.add("nothing to be had", false, enrolSample(func(p *EnrolPage) { p.App, p.Phone, p.NotNow, p.Demand = "", "", nil, DemandNow }))
	return s.all
}

func confirmSample(change func(*ConfirmPage)) ConfirmPage {
	p := ConfirmPage{
		Host: sampleHost, User: sampleUser,
		Mail:   &ConfirmMail{Address: "a…@example.com", Send: *posted("/.two-factor/confirm/send")},
		Cancel: posted("/.two-factor/cancel"),
	}
	if change != nil {
		change(&p)
	}
	return p
}

func confirmPages() []rendered {
	s := &states[ConfirmPage]{page: "confirm", render: (*Set).Confirm}
	enter := posted("/.two-factor/confirm")
	sent := func(p *ConfirmPage) { p.Mail.Sent, p.Enter = true, enter }
	s.add("by mail", false, confirmSample(nil))
	s.add("by mail, may be put off", false, confirmSample(func(p *ConfirmPage) { p.NotNow = posted("/.two-factor/enrol/later") }))
	s.add("by mail, sent", false, confirmSample(func(p *ConfirmPage) { sent(p); p.Mail.SendIn = 28 * time.Second }))
	s.add("by mail, failed", true, confirmSample(func(p *ConfirmPage) { p.Mail.Failed = true }))
	s.add("by mail, wrong", true, confirmSample(func(p *ConfirmPage) { sent(p); p.Problem = ConfirmWrong }))
	s.add("by mail, expired", true, confirmSample(func(p *ConfirmPage) { sent(p); p.Problem = ConfirmExpired }))
	s.add("by mail, too many", true, confirmSample(func(p *ConfirmPage) { sent(p); p.Problem = ConfirmTooMany }))
	s.add("by invitation", false, confirmSample(func(p *ConfirmPage) { p.Mail, p.Enter = nil, enter }))
	s.add("by invitation, filled in", false, confirmSample(func(p *ConfirmPage) { p.Mail, p.Enter, p.Code = nil, enter, "ABCD-EFGH-JKLM-NPQR" }))
	s.add("by the operator", false, confirmSample(func(p *ConfirmPage) { p.Mail, p.Operator, p.Enter = nil, true, enter }))
	s.add("by the operator alone", false, confirmSample(func(p *ConfirmPage) {
		p.Mail, p.Operator, p.Cancel, p.Back = nil, true, nil, "/.two-factor/settings"
	}))
	return s.all
}

func enrolAppSample(change func(*EnrolAppPage)) EnrolAppPage {
	p := EnrolAppPage{
		Host: sampleHost, User: sampleUser, Issuer: "Northwind CRM", Account: sampleUser,
		URI:    "otpauth://totp/Northwind%20CRM:anna.lindqvist%40example.com?algorithm=SHA1&digits=6&issuer=Northwind%20CRM&period=30&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
		Secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
		Digits: 6, Period: 30 * time.Second, Post: *posted("/.two-factor/settings/app"),
		Back: "/.two-factor/settings", Cancel: posted("/.two-factor/cancel"),
	}
	if change != nil {
		change(&p)
	}
	return p
}

func enrolAppPages() []rendered {
	s := &states[EnrolAppPage]{page: "enrol app", render: (*Set).EnrolApp}
	s.add("first", false, enrolAppSample(nil))
	s.add("labelled 8 digits", false, enrolAppSample(func(p *EnrolAppPage) { p.Label, p.Digits, p.Cancel = "Work phone", 8, nil }))
	s.add("wrong, largest picture", true, enrolAppSample(func(p *EnrolAppPage) {
		p.Problem, p.TriesLeft = WrongCode, 3
		p.URI += "&x=" + strings.Repeat("x", MaxOTPAuth-len(p.URI)-3)
	}))
	for name, problem := range map[string]CodeProblem{"wrong": WrongCode, "wrong length": WrongLength, "used": UsedCode, "too many": TooManyTries} {
		s.add(name, true, enrolAppSample(func(p *EnrolAppPage) { p.Problem, p.TriesLeft = problem, 3 }))
	}
	slices.SortFunc(s.all, byName)
	return s.all
}

func byName(a, b rendered) int {
	if a.name < b.name {
		return -1
	}
	return 1
}

// sampleCountries are as many as an operator may list by hand.
var sampleCountries = []Country{
	{"SE", 46}, {"DE", 49}, {"AT", 43}, {"CH", 41}, {"FR", 33}, {"ES", 34}, {"BR", 55}, {"PT", 351}, {"GB", 44}, {"US", 1},
	{"CA", 1}, {"EG", 20}, {"SA", 966}, {"AE", 971}, {"MA", 212}, {"NL", 31}, {"BE", 32}, {"DK", 45}, {"NO", 47}, {"FI", 358},
}

func enrolPhoneSample(change func(*EnrolPhonePage)) EnrolPhonePage {
	p := EnrolPhonePage{
		Host: sampleHost, User: sampleUser, Countries: sampleCountries, Region: "SE",
		Post: *posted("/.two-factor/settings/phone"), Back: "/.two-factor/settings", Cancel: posted("/.two-factor/cancel"),
	}
	if change != nil {
		change(&p)
	}
	return p
}

func enrolPhonePages() []rendered {
	s := &states[EnrolPhonePage]{page: "enrol phone", render: (*Set).EnrolPhone}
	s.add("first", false, enrolPhoneSample(nil))
	s.add("no country chosen", false, enrolPhoneSample(func(p *EnrolPhonePage) { p.Region, p.Cancel = "", nil }))
	s.add("in place of another", false, enrolPhoneSample(func(p *EnrolPhonePage) { p.Replaces = "42" }))
	s.add("of a member in place of another", false, enrolPhoneSample(func(p *EnrolPhonePage) { p.Member, p.Replaces = "bo.berg@example.com", "42" }))
	s.add("of a member", false, enrolPhoneSample(func(p *EnrolPhonePage) { p.Member, p.Cancel = "bo.berg@example.com", nil }))
	for i, name := range []string{"empty", "invalid", "kind", "country", "same", "too many"} {
		s.add(name, true, enrolPhoneSample(func(p *EnrolPhonePage) {
			p.Problem, p.Number = NumberProblem(i+1), "070-123 45 67"
		}))
	}
	return s.all
}

func enrolCodeSample(state TextState, change func(*EnrolCodePage)) EnrolCodePage {
	p := EnrolCodePage{
		Host: sampleHost, User: sampleUser, Number: "+46 70 123 45 67", State: state, Digits: 6,
		Send: posted("/.two-factor/settings/phone/send"), Post: *posted("/.two-factor/settings/phone/code"),
		Back: "/.two-factor/settings/phone", Cancel: posted("/.two-factor/cancel"),
	}
	if change != nil {
		change(&p)
	}
	return p
}

func enrolCodePages() []rendered {
	s := &states[EnrolCodePage]{page: "enrol code", render: (*Set).EnrolCode}
	for i, name := range []string{"nothing sent", "on its way", "sent", "unsure", "failed", "used up", "refused"} {
		state := TextState(i)
		s.add(name, state == TextFailed || state == TextRefused, enrolCodeSample(state, nil))
	}
	s.add("sent, must wait", false, enrolCodeSample(TextSent, func(p *EnrolCodePage) { p.SendIn, p.Replaces = 28*time.Second, "42" }))
	s.add("sent, too early", true, enrolCodeSample(TextSent, func(p *EnrolCodePage) { p.SendIn, p.Early = 28*time.Second, true }))
	for i, name := range []string{"wrong", "wrong length", "used", "too many"} {
		s.add(name, true, enrolCodeSample(TextSent, func(p *EnrolCodePage) { p.Problem, p.TriesLeft = CodeProblem(i+1), 2 }))
	}
	s.add("expired", true, enrolCodeSample(TextSent, func(p *EnrolCodePage) { p.Problem = ExpiredCode }))
	return s.all
}

func recoverySample(change func(*RecoveryPage)) RecoveryPage {
	p := RecoveryPage{Host: sampleHost, User: sampleUser, When: at(time.November), Done: "/.two-factor/settings"}
	for i := range 10 {
		p.Codes = append(p.Codes, fmt.Sprintf("ABCD-EFGH-JKLM-NP%02d", i))
	}
	if change != nil {
		change(&p)
	}
	return p
}

func recoveryPages() []rendered {
	s := &states[RecoveryPage]{page: "recovery", render: (*Set).Recovery}
	s.add("first", false, recoverySample(func(p *RecoveryPage) { p.First, p.Continue = true, posted("/.two-factor/enrol/done") }))
	s.add("new", false, recoverySample(nil))
	return s.all
}

func settingsSample(change func(*SettingsPage)) SettingsPage {
	row := func(kind Factor, id, label string) FactorRow {
		return FactorRow{
			Factor: kind, ID: id, Label: label, Since: at(time.March), Used: at(time.October),
			Remove: "/.two-factor/settings/remove?factor=" + id,
			Rename: posted("/.two-factor/settings/rename", Hidden{FieldFactor, id}),
		}
	}
	phone := row(TextMessage, "f3Q2V7bqkT0yShQ2V7bqk3", "")
	phone.Ending, phone.Rename, phone.Change = "42", nil, "/.two-factor/settings/phone?factor=f3Q2V7bqkT0yShQ2V7bqk3"
	app := row(Authenticator, "f2Q2V7bqkT0yShQ2V7bqk2", "")
	app.Used = time.Time{}
	p := SettingsPage{
		Host: sampleHost, User: sampleUser,
		Factors:      []FactorRow{phone, row(Authenticator, "f1Q2V7bqkT0yShQ2V7bqk1", "Work phone"), app},
		RecoveryLeft: 8, RecoveryOf: 10, NewRecovery: "/.two-factor/settings/recovery",
		AddApp: "/.two-factor/settings/app", AddPhone: "/.two-factor/settings/phone",
		SwitchOff: "/.two-factor/settings/off", Activity: "/.two-factor/settings/activity", Home: "/",
	}
	if change != nil {
		change(&p)
	}
	return p
}

func settingsPages() []rendered {
	s := &states[SettingsPage]{page: "settings", render: (*Set).Settings}
	s.add("three factors", false, settingsSample(nil))
	s.add("none", false, settingsSample(func(p *SettingsPage) {
		p.Factors, p.RecoveryOf, p.NewRecovery, p.SwitchOff = nil, 0, "", ""
	}))
	s.add("none, required soon", false, settingsSample(func(p *SettingsPage) {
		p.Factors, p.SwitchOff, p.Demand, p.By = nil, "", DemandFrom, at(time.February)
	}))
	s.add("none, required soon by the owner", false, settingsSample(func(p *SettingsPage) {
		p.Factors, p.SwitchOff, p.Demand, p.By, p.DemandBy = nil, "", DemandFrom, at(time.April), ByOwner
	}))
	s.add("required", false, settingsSample(func(p *SettingsPage) { p.Demand, p.SwitchOff, p.OffBy = DemandNow, "", OffByNobody }))
	s.add("required by the owner", false, settingsSample(func(p *SettingsPage) {
		p.Demand, p.DemandBy, p.SwitchOff, p.OffBy, p.Team = DemandNow, ByOwner, "", OffByOperator, "/.two-factor/team"
	}))
	s.add("few recovery codes", false, settingsSample(func(p *SettingsPage) { p.RecoveryLeft = 1 }))
	s.add("no recovery codes", false, settingsSample(func(p *SettingsPage) { p.RecoveryOf, p.Factors = 0, p.Factors[1:2] }))
	for done := DoneAdded; done <= DoneForgotten; done++ {
		s.add(fmt.Sprintf("done %d", done), false, settingsSample(func(p *SettingsPage) {
			p.Done = done
			p.Factors[1].Since = at(time.Month(done))
			p.Factors[1].Used = at(time.Month(done + 3))
		}))
	}
	return s.all
}

func surePages() []rendered {
	s := &states[SurePage]{page: "sure", render: (*Set).Sure}
	names := map[SureKind]string{SureRemoveApp: "Work phone", SureRemovePhone: "42", SureEndSession: "Firefox on Windows, Stockholm", SureDemand: "Northwind Nordic"}
	for what := SureRemoveApp; what <= SureDemand; what++ {
		s.add(fmt.Sprint(what), false, SurePage{
			Host: sampleHost, User: sampleUser, What: what, Name: names[what],
			Post: *posted("/.two-factor/settings/do"), Back: "/.two-factor/settings",
		})
	}
	s.add("last", false, SurePage{
		Host: sampleHost, What: SureRemoveApp, Name: "Work phone", Last: true,
		Post: *posted("/.two-factor/settings/do"), Back: "/.two-factor/settings",
	})
	return s.all
}

func activitySample(rows int) ActivityPage {
	p := ActivityPage{
		Host: sampleHost, User: sampleUser, EndAll: posted("/.two-factor/settings/end-all"),
		NotMe: "/.two-factor/settings/not-me", Back: "/.two-factor/settings",
	}
	for i := range rows {
		id := Hidden{"two_factor_row", fmt.Sprintf("hQ2V7bqkT0yShQ2V7bqk%02d", i)}
		session := SessionRow{
			Current: i == 0, Country: "SE", IP: "192.0.2.17", Browser: "Firefox on Windows",
			Since: at(time.May), Seen: at(time.June), Factor: Factor(i % 4),
		}
		device := DeviceRow{
			Current: i == 0, Country: "SE", IP: "192.0.2.17", Browser: "Firefox on Windows",
			Since: at(time.July), Seen: at(time.August), Until: at(time.September),
			Forget: posted("/.two-factor/settings/forget", id),
		}
		if i > 0 {
			session.End = posted("/.two-factor/settings/end", id)
		}
		if i == 1 {
			session.Browser, device.Country = "", ""
		}
		p.Sessions, p.Devices = append(p.Sessions, session), append(p.Devices, device)
	}
	return p
}

func activityPages() []rendered {
	s := &states[ActivityPage]{page: "activity", render: (*Set).Activity}
	s.add("none", false, activitySample(0))
	s.add("two", false, activitySample(2))
	s.add("very many", false, activitySample(40))
	done := activitySample(1)
	done.Done, done.EndAll = DoneSessions, nil
	s.add("ended", false, done)
	return s.all
}

func notMePages() []rendered {
	s := &states[NotMePage]{page: "not me", render: (*Set).NotMe}
	s.add("asked", false, NotMePage{Host: sampleHost, User: sampleUser, Post: posted("/.two-factor/not-me")})
	s.add("done", false, NotMePage{Host: sampleHost, User: sampleUser, Done: true, Ways: []Way{{Name: WaySignIn, To: "/login"}}})
	s.add("suspended", false, NotMePage{Host: sampleHost, Done: true, Suspended: true})
	s.add("expired", true, NotMePage{Host: sampleHost, Expired: true, Ways: []Way{{Name: WaySignIn, To: "/login"}}})
	return s.all
}

func teamSample(change func(*TeamPage)) TeamPage {
	p := TeamPage{
		Host: sampleHost, User: sampleUser, Name: "Northwind Nordic", Back: "/.two-factor/settings",
		Members: []MemberRow{
			{Name: sampleUser, You: true, Owner: true, App: true, Phone: true, Ending: "42", Recovery: true},
			{Name: "bo.berg@example.com", Phone: true, SetNumber: "/.two-factor/team/number?member=bo.berg%40example.com"},
			{Name: "cleo@example.com", Owner: true, App: true, Waiting: true, Ending: "17"},
			{Name: "dag@example.com", SetNumber: "/.two-factor/team/number?member=dag%40example.com"},
		},
		Missing: []string{"dag@example.com"},
	}
	if change != nil {
		change(&p)
	}
	return p
}

func teamPages() []rendered {
	s := &states[TeamPage]{page: "team", render: (*Set).Team}
	s.add("one missing", false, teamSample(nil))
	s.add("none missing", false, teamSample(func(p *TeamPage) {
		p.Members, p.Missing, p.TurnOn, p.Done = p.Members[:3], nil, posted("/.two-factor/team/demand"), TeamNumber
	}))
	s.add("demanded", false, teamSample(func(p *TeamPage) { p.Missing, p.Demanded, p.Done = nil, true, TeamOn }))
	s.add("demanded, may be ended", false, teamSample(func(p *TeamPage) { p.Demanded, p.TurnOff = true, posted("/.two-factor/team/demand") }))
	s.add("ended", false, teamSample(func(p *TeamPage) { p.Missing, p.TurnOn, p.Done = nil, posted("/.two-factor/team/demand"), TeamOff }))
	s.add("in the middle", false, teamSample(func(p *TeamPage) { p.Earlier, p.Later = "/.two-factor/team?page=1", "/.two-factor/team?page=3" }))
	s.add("very many", false, teamSample(func(p *TeamPage) {
		p.Members, p.Missing = slices.Repeat(p.Members, 20), slices.Repeat(p.Missing, 60)
	}))
	return s.all
}

func recoveryChallenges() []rendered {
	s := &states[ChallengePage]{page: "challenge recovery", render: (*Set).Challenge}
	sample := func(change func(*ChallengePage)) ChallengePage {
		return authenticator(func(p *ChallengePage) {
			p.Recovery, p.Left, p.Digits, p.Lost = true, 8, 0, "/.two-factor/lost"
			change(p)
		})
	}
	s.add("first", false, sample(func(*ChallengePage) {}))
	s.add("in a step-up", false, sample(func(p *ChallengePage) { p.StepUp = &StepUp{Doing: "export all contacts"} }))
	for i, name := range []string{"wrong", "wrong length", "used", "too many", "paused"} {
		s.add(name, true, sample(func(p *ChallengePage) { p.Problem, p.PausedFor, p.TriesLeft = CodeProblem(i+1), 28*time.Minute, 3 }))
	}
	s.add("lost app", false, authenticator(func(p *ChallengePage) { p.Lost = "/.two-factor/lost" }))
	s.add("lost number", false, phone(TextSent, func(p *ChallengePage) { p.Lost = "/.two-factor/lost" }))
	choose := &states[ChoosePage]{page: "choose", render: (*Set).Choose}
	choose.add("a recovery code", false, ChoosePage{
		Host: sampleHost, User: sampleUser, Action: "/.two-factor/other", CancelAction: "/.two-factor/cancel",
		ChallengeID: "hQ2V7bqkT0yS", FormToken: "v3yF0r-m_T0k3n",
		Choices: []Choice{{Factor: RecoveryCode, ID: "recovery"}, {Factor: Authenticator, ID: "app-1"}},
	})
	return append(s.all, choose.all...)
}
