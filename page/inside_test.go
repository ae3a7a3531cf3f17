package page

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// insideWith are the new pages with one string in every place that takes one from
// outside.
func insideWith(evil string) []rendered {
	id := cut(evil, 40)
	post := func() *Post { return posted("/.two-factor/x", Hidden{FieldFactor, id}) }
	row := FactorRow{Factor: TextMessage, ID: id, Label: evil, Ending: evil, Rename: post(), Change: "/c", Remove: "/r"}
	return []rendered{
		{name: "enrol", render: func(s *Set, l Lang) ([]byte, error) {
			return s.Enrol(l, enrolSample(func(p *EnrolPage) { p.Host, p.User, p.NotNow = evil, evil, post() }))
		}},
		{name: "confirm", render: func(s *Set, l Lang) ([]byte, error) {
			return s.Confirm(l, confirmSample(func(p *ConfirmPage) {
				p.Host, p.User, p.Mail.Address, p.Code, p.Enter = evil, evil, evil, evil, post()
			}))
		}},
		{name: "enrol app", render: func(s *Set, l Lang) ([]byte, error) {
			return s.EnrolApp(l, enrolAppSample(func(p *EnrolAppPage) {
				p.Host, p.User, p.Issuer, p.Account, p.Label = evil, evil, evil, evil, evil
			}))
		}},
		{name: "enrol phone", render: func(s *Set, l Lang) ([]byte, error) {
			return s.EnrolPhone(l, enrolPhoneSample(func(p *EnrolPhonePage) {
				p.Host, p.User, p.Region, p.Number, p.Replaces, p.Member = evil, evil, evil, evil, evil, evil
			}))
		}},
		{name: "enrol code", render: func(s *Set, l Lang) ([]byte, error) {
			return s.EnrolCode(l, enrolCodeSample(TextSent, func(p *EnrolCodePage) {
				p.Host, p.User, p.Number, p.Replaces = evil, evil, evil, evil
			}))
		}},
		{name: "settings", render: func(s *Set, l Lang) ([]byte, error) {
			return s.Settings(l, settingsSample(func(p *SettingsPage) { p.Host, p.User, p.Factors = evil, evil, []FactorRow{row} }))
		}},
		{name: "sure", render: func(s *Set, l Lang) ([]byte, error) {
			return s.Sure(l, SurePage{Host: evil, User: evil, What: SureRemoveApp, Name: evil, Post: *post(), Back: "/b"})
		}},
		{name: "activity", render: func(s *Set, l Lang) ([]byte, error) {
			return s.Activity(l, ActivityPage{Host: evil, User: evil,
				Sessions: []SessionRow{{Country: evil, IP: evil, Browser: evil, End: post()}},
				Devices:  []DeviceRow{{Country: evil, IP: evil, Browser: evil, Forget: post()}},
			})
		}},
		{name: "not me", render: func(s *Set, l Lang) ([]byte, error) {
			return s.NotMe(l, NotMePage{Host: evil, User: evil, Post: post()})
		}},
		{name: "team", render: func(s *Set, l Lang) ([]byte, error) {
			return s.Team(l, TeamPage{Host: evil, User: evil, Name: evil, Missing: []string{evil},
				Members: []MemberRow{{Name: evil, Phone: true, Ending: evil}}})
		}},
	}
}

func TestHostileStringsStayTextOnThePagesOfOnesOwnFactor(t *testing.T) {
	for _, evil := range hostile {
		for _, s := range []*Set{testSet(t, Options{SiteName: cut(evil, maxSiteName)}), testSet(t, Options{})} {
			for _, p := range insideWith(evil) {
				body, err := p.render(s, "")
				if err != nil {
					t.Errorf("%s with %.40q: %v", p.name, evil, err)
					continue
				}
				body = []byte(strings.Replace(string(body), `href="otpauth://`, `href="/otpauth://`, 1))
				checkHarmless(t, p.name, evil, body)
			}
		}
	}
}

func TestAnAddressThatCannotBeCarriedIsAnErrorOnThePagesOfOnesOwnFactor(t *testing.T) {
	s := testSet(t, Options{})
	for _, bad := range []string{"http://evil.example/", "//evil/../x", "javascript:alert(1)", "/a/../b"} {
		post := &Post{Action: bad}
		for name, err := range map[string]error{
			"the app":        errorOf(s.Enrol("", enrolSample(func(p *EnrolPage) { p.App = bad }))),
			"not now":        errorOf(s.Enrol("", enrolSample(func(p *EnrolPage) { p.NotNow = post }))),
			"the mail":       errorOf(s.Confirm("", confirmSample(func(p *ConfirmPage) { p.Mail.Send = *post }))),
			"the code":       errorOf(s.Confirm("", confirmSample(func(p *ConfirmPage) { p.Enter = post }))),
			"the app's code": errorOf(s.EnrolApp("", enrolAppSample(func(p *EnrolAppPage) { p.Post = *post }))),
			"the number":     errorOf(s.EnrolPhone("", enrolPhoneSample(func(p *EnrolPhonePage) { p.Post = *post }))),
			"sending":        errorOf(s.EnrolCode("", enrolCodeSample(TextSent, func(p *EnrolCodePage) { p.Send = post }))),
			"going on":       errorOf(s.Recovery("", recoverySample(func(p *RecoveryPage) { p.Continue = post }))),
			"renaming":       errorOf(s.Settings("", settingsSample(func(p *SettingsPage) { p.Factors[0].Rename = post }))),
			"removing":       errorOf(s.Settings("", settingsSample(func(p *SettingsPage) { p.Factors[0].Remove = bad }))),
			"doing it":       errorOf(s.Sure("", SurePage{What: SureOff, Post: *post, Back: "/"})),
			"leaving it":     errorOf(s.Sure("", SurePage{What: SureOff, Post: Post{Action: "/"}, Back: bad})),
			"ending all":     errorOf(s.Activity("", ActivityPage{EndAll: post})),
			"not me":         errorOf(s.NotMe("", NotMePage{Post: post})),
			"switching on":   errorOf(s.Team("", TeamPage{TurnOn: post})),
			"no action":      errorOf(s.Team("", TeamPage{TurnOn: &Post{}})),
			"no app":         errorOf(s.EnrolApp("", enrolAppSample(func(p *EnrolAppPage) { p.URI = bad }))),
		} {
			if !errors.Is(err, ErrAddress) {
				t.Errorf("%s at %q: %v, wanted ErrAddress", name, bad, err)
			}
		}
	}
}

// errorOf is the error of a page, which must not be there then.
func errorOf(body []byte, err error) error {
	if err != nil && body != nil {
		return errors.New("there is a page beside the error")
	}
	return err
}

func TestAPageThatLacksWhatItIsForIsAnError(t *testing.T) {
	s := testSet(t, Options{})
	for name, err := range map[string]error{
		"an app without a secret":      errorOf(s.EnrolApp("", enrolAppSample(func(p *EnrolAppPage) { p.Secret = "" }))),
		"an app with codes of none":    errorOf(s.EnrolApp("", enrolAppSample(func(p *EnrolAppPage) { p.Digits = 0 }))),
		"an address beyond the limit":  errorOf(s.EnrolApp("", enrolAppSample(func(p *EnrolAppPage) { p.URI += strings.Repeat("x", MaxOTPAuth) }))),
		"a phone of no country":        errorOf(s.EnrolPhone("", enrolPhoneSample(func(p *EnrolPhonePage) { p.Countries = nil }))),
		"a phone of an unknown one":    errorOf(s.EnrolPhone("", enrolPhoneSample(func(p *EnrolPhonePage) { p.Countries = []Country{{"<b>", 1}} }))),
		"a phone of one without code":  errorOf(s.EnrolPhone("", enrolPhoneSample(func(p *EnrolPhonePage) { p.Countries = []Country{{"SE", 0}} }))),
		"a code to no number":          errorOf(s.EnrolCode("", enrolCodeSample(TextSent, func(p *EnrolCodePage) { p.Number = "" }))),
		"no recovery codes":            errorOf(s.Recovery("", recoverySample(func(p *RecoveryPage) { p.Codes = nil }))),
		"recovery codes and no way on": errorOf(s.Recovery("", recoverySample(func(p *RecoveryPage) { p.Done = "" }))),
		"nothing to be sure about":     errorOf(s.Sure("", SurePage{Post: Post{Action: "/"}, Back: "/"})),
		"no way back":                  errorOf(s.Sure("", SurePage{What: SureOff, Post: Post{Action: "/"}})),
		"three ways on":                errorOf(s.NotMe("", NotMePage{Done: true, Ways: make([]Way, 3)})),
	} {
		if err == nil {
			t.Errorf("%s: there is a page", name)
		}
	}
}

// actions are the addresses that the forms of a page post to.
func actions(d document) []string {
	var all []string
	for _, form := range d.named("form") {
		all = append(all, attr(form, "action"))
	}
	return all
}

// links are the addresses that a page leads to.
func links(d document) []string {
	var all []string
	for _, a := range d.named("a") {
		all = append(all, attr(a, "href"))
	}
	return all
}

// rendering parses a page that has to be there.
func rendering(t *testing.T, body []byte, err error) document {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, body)
}

func TestRule12TheAuthenticatorIsOfferedFirstAndThePhoneSaysWhatAnSMSCannotProtectFrom(t *testing.T) {
	s := testSet(t, Options{})
	body, err := s.Enrol("", enrolSample(nil))
	d := rendering(t, body, err)
	if got := links(d); !slices.Equal(got[:2], []string{"/.two-factor/settings/app", "/.two-factor/settings/phone"}) {
		t.Errorf("the ways are %v", got)
	}
	choices := d.named("li")
	if got := textOf(choices[0]); !strings.Contains(got, "Recommended") {
		t.Errorf("the authenticator is not recommended: %q", got)
	}
	if got := textOf(choices[1]); !strings.Contains(got, "cannot protect you") || strings.Contains(got, "Recommended") {
		t.Errorf("of the phone it says %q", got)
	}
	body, err = s.EnrolPhone("", enrolPhoneSample(nil))
	if got := textOf(rendering(t, body, err).named("main")[0]); !strings.Contains(got, "cannot protect you from someone who takes over your number") {
		t.Errorf("the page of the number says %q", got)
	}
}

func TestADemandLeavesTheWayPastThatItHasAndSaysUntilWhen(t *testing.T) {
	const later = "/.two-factor/enrol/later"
	s := testSet(t, Options{})
	for _, tt := range []struct {
		name  string
		page  EnrolPage
		later bool
		says  string
	}{
		{"offered", enrolSample(nil), true, "We will ask again."},
		{"offered with an end", enrolSample(func(p *EnrolPage) { p.By = at(time.December) }), true, "put this off until 3 December 2026, 08:05 UTC"},
		{"announced", enrolSample(func(p *EnrolPage) { p.Demand, p.By = DemandFrom, at(time.May) }), true, "From 3 May 2026, 08:05 UTC on, crm.example.com lets you in only with a second step"},
		{"required", enrolSample(func(p *EnrolPage) { p.Demand, p.NotNow = DemandNow, nil }), false, "you have none yet"},
		{"nothing to be had", enrolSample(func(p *EnrolPage) { p.App, p.Phone = "", "" }), true, "Ask the people who run crm.example.com"},
	} {
		body, err := s.Enrol("", tt.page)
		d := rendering(t, body, err)
		if got := slices.Contains(actions(d), later); got != tt.later {
			t.Errorf("%s: it can be put off: %t", tt.name, got)
		}
		if got := textOf(d.named("main")[0]); !strings.Contains(got, tt.says) {
			t.Errorf("%s: it does not say %q but %q", tt.name, tt.says, got)
		}
	}
}

func TestRule15TheConfirmingPageTakesACodeOnlyWhereOneIsTaken(t *testing.T) {
	s := testSet(t, Options{})
	enter := posted("/.two-factor/confirm")
	for _, tt := range []struct {
		name        string
		change      func(*ConfirmPage)
		field, send bool
		says        string
	}{
		{"a mail is not sent by itself", nil, false, true, "We will send a mail with a code to a…@example.com."},
		{"a mail was sent", func(p *ConfirmPage) { p.Mail.Sent, p.Enter = true, enter }, true, true, "We sent a mail"},
		{"a wrong code leads to the field", func(p *ConfirmPage) { p.Mail.Sent, p.Enter, p.Problem = true, enter, ConfirmWrong }, true, true, "That code is not right"},
		{"too many take no further one", func(p *ConfirmPage) { p.Mail.Sent, p.Enter, p.Problem = true, enter, ConfirmTooMany }, false, false, "no further code is taken"},
		{"an invitation", func(p *ConfirmPage) { p.Mail, p.Enter = nil, enter }, true, false, "Code of your invitation"},
		{"the operator alone", func(p *ConfirmPage) { p.Mail, p.Operator = nil, true }, false, false, "Only the people who run crm.example.com"},
	} {
		body, err := s.Confirm("", confirmSample(tt.change))
		d := rendering(t, body, err)
		field := d.id("confirm")
		if (field != nil) != tt.field {
			t.Errorf("%s: the field is there: %t", tt.name, field != nil)
		}
		if field != nil && (attr(field, "name") != FieldConfirm || attr(field, "autocomplete") != "off" || attr(field, "inputmode") != "text") {
			t.Errorf("%s: the field is %v", tt.name, field.Attr)
		}
		if got := slices.Contains(actions(d), "/.two-factor/confirm/send"); got != tt.send {
			t.Errorf("%s: a mail can be sent: %t", tt.name, got)
		}
		if got := textOf(d.named("main")[0]); !strings.Contains(got, tt.says) {
			t.Errorf("%s: it does not say %q but %q", tt.name, tt.says, got)
		}
	}
	body, err := s.Confirm("", confirmSample(func(p *ConfirmPage) { p.Mail, p.Enter, p.Code = nil, enter, "ABCD-EFGH" }))
	if got := attr(rendering(t, body, err).id("confirm"), "value"); got != "ABCD-EFGH" {
		t.Errorf("the code of the link stands there as %q", got)
	}
}

func TestEveryFieldOfASetUpTellsTheBrowserWhatItIsFor(t *testing.T) {
	s := testSet(t, Options{})
	app, appErr := s.EnrolApp("", enrolAppSample(func(p *EnrolAppPage) { p.Label = "Work phone" }))
	number, numberErr := s.EnrolPhone("", enrolPhoneSample(func(p *EnrolPhonePage) { p.Number, p.Problem = "070 1", NumberInvalid }))
	code, codeErr := s.EnrolCode("", enrolCodeSample(TextSent, nil))
	pages := map[string]document{
		"app": rendering(t, app, appErr), "number": rendering(t, number, numberErr), "code": rendering(t, code, codeErr),
	}
	for _, tt := range []struct {
		page, id string
		want     map[string]string
	}{
		{"app", "code", map[string]string{"name": FieldCode, "inputmode": "numeric", "autocomplete": "one-time-code", "maxlength": "32"}},
		{"app", "label", map[string]string{"name": FieldLabel, "autocomplete": "off", "maxlength": "40", "value": "Work phone", "dir": "auto"}},
		{"number", "region", map[string]string{"name": FieldRegion, "autocomplete": "country"}},
		{"number", "number", map[string]string{"name": FieldNumber, "type": "tel", "autocomplete": "tel-national", "value": "070 1", "aria-invalid": "true", "aria-describedby": "problem number-hint"}},
		{"code", "code", map[string]string{"name": FieldCode, "inputmode": "numeric", "autocomplete": "one-time-code"}},
	} {
		field := pages[tt.page].id(tt.id)
		if field == nil {
			t.Errorf("%s: the field %s is missing", tt.page, tt.id)
			continue
		}
		for name, want := range tt.want {
			if got := attr(field, name); got != want {
				t.Errorf("%s: %s of %s is %q, wanted %q", tt.page, name, tt.id, got, want)
			}
		}
	}
	if has(pages["app"].id("label"), "required") || has(pages["app"].id("code"), "autofocus") {
		t.Error("the name is required, or the picture is scrolled away by the focus")
	}
	if !strings.Contains(textOf(pages["code"].named("main")[0]), "+46 70 123 45 67") {
		t.Error("the new number is not shown as a whole")
	}
}

func TestTheRecoveryChallengeTakesLettersAndDigits(t *testing.T) {
	s := testSet(t, Options{})
	body, err := s.Challenge("", authenticator(func(p *ChallengePage) {
		p.Recovery, p.Left, p.Digits, p.Problem, p.Lost = true, 1, 0, WrongLength, "/.two-factor/lost"
	}))
	d := rendering(t, body, err)
	for name, want := range map[string]string{
		"name": FieldCode, "inputmode": "text", "autocomplete": "off", "autocapitalize": "characters", "maxlength": "32",
	} {
		if got := attr(d.id("code"), name); got != want {
			t.Errorf("%s is %q, wanted %q", name, got, want)
		}
	}
	text := textOf(d.named("main")[0])
	for _, want := range []string{"Enter a recovery code", "A recovery code has 16 letters and digits", "You have 1 left.", "I no longer have these codes"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q but %q", want, text)
		}
	}
	if !slices.Contains(links(d), "/.two-factor/lost") {
		t.Error("nothing leads on for whoever has none of them")
	}
}

func TestTheSettingsSayHowThingsStandAndOfferWhatIsAllowed(t *testing.T) {
	s := testSet(t, Options{})
	for _, tt := range []struct {
		name   string
		change func(*SettingsPage)
		says   string
		not    string
	}{
		{"on", nil, "It is on: crm.example.com asks for a code", "Nothing is set up"},
		{"off", func(p *SettingsPage) { p.Factors = nil }, "your password alone lets you in", "Recovery codes"},
		{"a change is told in its place", func(p *SettingsPage) { p.Done = DoneRemoved }, "it is removed", "It is on"},
		{"never used", func(p *SettingsPage) { p.Factors = p.Factors[2:] }, "Not used yet", "Last used"},
		{"few codes", func(p *SettingsPage) { p.RecoveryLeft = 1 }, "1 of 10 is left. Make new ones", "are left"},
		{"enough codes", nil, "8 of 10 are left.", "Make new ones"},
		{"the operator alone switches off", func(p *SettingsPage) { p.SwitchOff, p.OffBy = "", OffByOperator }, "Only the people who run crm.example.com can switch it off", "required of you"},
		{"nobody switches off", func(p *SettingsPage) { p.SwitchOff, p.OffBy = "", OffByNobody }, "It is required of you", "Only the people"},
		{"the owner demands", func(p *SettingsPage) { p.Demand, p.DemandBy = DemandNow, ByOwner }, "The owner of your account", "people who run"},
	} {
		body, err := s.Settings("", settingsSample(tt.change))
		text := textOf(rendering(t, body, err).named("main")[0])
		if !strings.Contains(text, tt.says) || strings.Contains(text, tt.not) {
			t.Errorf("%s: it should say %q and not %q, and says %q", tt.name, tt.says, tt.not, text)
		}
	}
	body, err := s.Settings("", settingsSample(nil))
	d := rendering(t, body, err)
	if got := textOf(d.id("factor-2")); got != "Text message" || textOf(d.id("factor-0")) != "Authenticator app: Work phone" {
		t.Errorf("the phone does not come last: %q", got)
	}
	for _, a := range d.named("a") {
		if strings.Contains(attr(a, "href"), "/remove") && d.id(attr(a, "aria-describedby")) == nil {
			t.Error("a link to remove does not say what")
		}
	}
}

func TestATeamIsAskedForASecondStepOnlyWhereNobodyIsMissing(t *testing.T) {
	s := testSet(t, Options{})
	const demand = "/.two-factor/team/demand"
	for _, tt := range []struct {
		name   string
		change func(*TeamPage)
		button bool
		says   string
	}{
		{"one is missing, and the button is given all the same", func(p *TeamPage) { p.TurnOn = posted(demand) }, false, "1 member has none yet. dag@example.com"},
		{"nobody is missing", func(p *TeamPage) { p.Missing, p.TurnOn = nil, posted(demand) }, true, "you can switch it on"},
		{"it is on", func(p *TeamPage) { p.Missing, p.Demanded, p.TurnOn = nil, true, posted(demand) }, false, "Only the people who run crm.example.com can switch it off"},
		{"it is on and may be ended", func(p *TeamPage) { p.Demanded, p.TurnOff = true, posted(demand) }, true, "every member is asked"},
	} {
		body, err := s.Team("", teamSample(tt.change))
		d := rendering(t, body, err)
		if got := slices.Contains(actions(d), demand); got != tt.button {
			t.Errorf("%s: the button is there: %t", tt.name, got)
		}
		if got := textOf(d.named("main")[0]); !strings.Contains(got, tt.says) {
			t.Errorf("%s: it does not say %q but %q", tt.name, tt.says, got)
		}
	}
}

func TestListsThatAreTooLongSayHowManyRowsAreNotShown(t *testing.T) {
	s := testSet(t, Options{})
	body, err := s.Activity("", activitySample(MaxSessions+1))
	d := rendering(t, body, err)
	if got := len(d.named("li")); got != MaxSessions+MaxDevices {
		t.Errorf("%d rows", got)
	}
	if got := textOf(d.named("main")[0]); !strings.Contains(got, "1 more is not shown.") || !strings.Contains(got, "2 more are not shown.") {
		t.Errorf("it does not say that there are more: %q", got)
	}
	body, err = s.Team("", teamSample(func(p *TeamPage) { p.Members, p.Missing = slices.Repeat(p.Members, 4), slices.Repeat(p.Missing, 14) }))
	text := textOf(rendering(t, body, err).named("main")[0])
	if !strings.Contains(text, "4 more are not shown.") || !strings.Contains(text, "2 more are not shown.") {
		t.Errorf("it says %q", text)
	}
}

func TestNotMeAsksOnceAndThenSaysWhatWasDone(t *testing.T) {
	s := testSet(t, Options{})
	for _, tt := range []struct {
		name   string
		page   NotMePage
		button bool
		says   string
	}{
		{"asked", NotMePage{Post: posted("/.two-factor/not-me")}, true, "end everything"},
		{"done, and the button is given all the same", NotMePage{Done: true, Post: posted("/.two-factor/not-me")}, false, "change your password"},
		{"suspended", NotMePage{Done: true, Suspended: true}, false, "your account is closed until the people who run h open it again"},
		{"expired", NotMePage{Expired: true, Post: posted("/.two-factor/not-me")}, false, "This link no longer works"},
	} {
		tt.page.Host = "h"
		body, err := s.NotMe("", tt.page)
		d := rendering(t, body, err)
		if got := len(d.named("form")) > 0; got != tt.button {
			t.Errorf("%s: the button is there: %t", tt.name, got)
		}
		if got := textOf(d.named("main")[0]); !strings.Contains(got, tt.says) {
			t.Errorf("%s: it does not say %q but %q", tt.name, tt.says, got)
		}
	}
}

func TestTheFieldsOfAPostComeBackAsTheyWereGiven(t *testing.T) {
	const odd = `a"b<c>&d='e' é`
	s := testSet(t, Options{})
	body, err := s.NotMe("", NotMePage{Post: &Post{Action: "/a?b=c&d", Fields: []Hidden{{"x", odd}, {"two_factor_token", "t"}}}})
	form := rendering(t, body, err).named("form")[0]
	if got := attr(form, "action"); got != "/a?b=c&d" {
		t.Errorf("the action is %q", got)
	}
	var got []string
	for n := range form.Descendants() {
		if n.Type == html.ElementNode && n.Data == "input" {
			got = append(got, attr(n, "name")+"="+attr(n, "value"))
		}
	}
	if want := []string{"x=" + odd, "two_factor_token=t"}; !slices.Equal(got, want) {
		t.Errorf("the fields are %q, wanted %q", got, want)
	}
}

func TestRule24APageOfTheSettingsIsHeldByNoOtherWindowAndInNoFrame(t *testing.T) {
	s := testSet(t, Options{})
	w := httptest.NewRecorder()
	if err := s.WriteInside(w, http.StatusOK, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Cross-Origin-Opener-Policy": "same-origin", "X-Frame-Options": "DENY", "Cache-Control": "no-store"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, wanted %q", name, got, want)
		}
	}
}
