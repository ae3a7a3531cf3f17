package page

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/language"
)

// rendered is one state of one page, as a function of the language.
type rendered struct {
	name   string
	failed bool
	render func(*Set, Lang) ([]byte, error)
}

// authenticator is a challenge that a test changes.
func authenticator(change func(*ChallengePage)) ChallengePage {
	p := ChallengePage{
		Host:         "crm.example.com",
		User:         "anna.lindqvist@example.com",
		Digits:       6,
		Action:       "/login?next=%2Fcontacts",
		ChallengeID:  "hQ2V7bqkT0yS",
		FormToken:    "v3yF0r-m_T0k3n",
		FactorID:     "factor-1",
		OtherWay:     "/.two-factor/other",
		CancelAction: "/.two-factor/cancel",
	}
	if change != nil {
		change(&p)
	}
	return p
}

// phone is a challenge by text message that a test changes.
func phone(state TextState, change func(*ChallengePage)) ChallengePage {
	return authenticator(func(p *ChallengePage) {
		p.Phone = &Phone{State: state, Ending: "42", SendAction: "/.two-factor/send"}
		if change != nil {
			change(p)
		}
	})
}

// everyPage is every page in every state that it has.
func everyPage() []rendered {
	var all []rendered
	add := func(name string, failed bool, render func(*Set, Lang) ([]byte, error)) {
		all = append(all, rendered{name, failed, render})
	}
	challenge := func(name string, failed bool, p ChallengePage) {
		add("challenge "+name, failed, func(s *Set, l Lang) ([]byte, error) { return s.Challenge(l, p) })
	}
	problem := func(c CodeProblem) func(*ChallengePage) {
		return func(p *ChallengePage) {
			p.Problem, p.TriesLeft, p.PausedFor = c, 3, 28*time.Minute
		}
	}
	alone := func(p *ChallengePage) { p.OtherWay = "" }
	problems := map[string]CodeProblem{
		"wrong code": WrongCode, "wrong length": WrongLength, "used code": UsedCode,
		"too many tries": TooManyTries, "paused": Paused, "expired code": ExpiredCode,
	}

	challenge("authenticator", false, authenticator(nil))
	challenge("authenticator alone", false, authenticator(alone))
	challenge("authenticator labelled 8 digits", false, authenticator(func(p *ChallengePage) { p.Label, p.Digits = "Work phone", 8 }))
	challenge("authenticator no user", false, authenticator(func(p *ChallengePage) { p.User = "" }))
	challenge("authenticator one try left", true, authenticator(func(p *ChallengePage) { p.Problem, p.TriesLeft = WrongCode, 1 }))
	challenge("authenticator paused for hours alone", true, authenticator(func(p *ChallengePage) {
		p.Problem, p.PausedFor, p.OtherWay = Paused, 3*time.Hour, ""
	}))
	challenge("authenticator too many tries alone", true, authenticator(func(p *ChallengePage) {
		p.Problem, p.OtherWay = TooManyTries, ""
	}))
	for _, name := range slices.Sorted(maps.Keys(problems)) {
		challenge("authenticator "+name, true, authenticator(problem(problems[name])))
		challenge("phone "+name, true, phone(TextSent, problem(problems[name])))
	}

	challenge("phone nothing sent", false, phone(TextNone, nil))
	challenge("phone nothing sent, must wait", false, phone(TextNone, func(p *ChallengePage) { p.Phone.SendIn = 28 * time.Second }))
	challenge("phone on its way", false, phone(TextQueued, func(p *ChallengePage) { p.Phone.SendIn = 28 * time.Second }))
	challenge("phone sent", false, phone(TextSent, nil))
	challenge("phone sent, asked again too early", true, phone(TextSent, func(p *ChallengePage) { p.Phone.Early, p.Phone.SendIn = true, 13*time.Second }))
	challenge("phone sent, asked too early a while ago", false, phone(TextSent, func(p *ChallengePage) { p.Phone.Early = true }))
	challenge("phone sent, number unnamed", false, phone(TextSent, func(p *ChallengePage) { p.Phone.Ending = "" }))
	challenge("phone unsure", false, phone(TextUnsure, nil))
	challenge("phone failed", true, phone(TextFailed, nil))
	challenge("phone refused", true, phone(TextRefused, nil))
	challenge("phone refused alone", true, phone(TextRefused, alone))
	challenge("phone used up", false, phone(TextUsedUp, nil))
	challenge("phone used up alone", false, phone(TextUsedUp, alone))

	for _, p := range rememberPages() {
		challenge("remember "+p.name, p.failed, p.page)
	}
	for _, p := range stepUpPages() {
		challenge("step-up "+p.name, p.failed, p.page)
	}

	choose := func(name string, change func(*ChoosePage)) {
		p := ChoosePage{
			Host: "crm.example.com", User: "anna",
			Choices: []Choice{
				{Factor: TextMessage, ID: "phone-1", Ending: "42"},
				{Factor: Authenticator, ID: "app-1", Label: "Work phone"},
				{Factor: Authenticator, ID: "app-2", PausedFor: 28 * time.Minute},
				{Factor: TextMessage, ID: "phone-2", Label: "Mother"},
			},
			Action:      "/.two-factor/other",
			ChallengeID: "hQ2V7bqkT0yS", FormToken: "v3yF0r-m_T0k3n",
			Back: "/.two-factor/challenge", CancelAction: "/.two-factor/cancel",
		}
		change(&p)
		add("choose "+name, false, func(s *Set, l Lang) ([]byte, error) { return s.Choose(l, p) })
	}
	choose("of four", func(*ChoosePage) {})
	choose("of one", func(p *ChoosePage) { p.Choices, p.Back = p.Choices[:1], "" })

	choose("in a step-up", func(p *ChoosePage) { p.StepUp = &StepUp{Doing: "export all contacts"} })

	message := func(name string, p MessagePage) {
		p.Host = "crm.example.com"
		add("message "+name, messages[p.Message].failed, func(s *Set, l Lang) ([]byte, error) { return s.Message(l, p) })
	}
	for _, m := range slices.Sorted(maps.Keys(messages)) {
		if m == Unreadable {
			continue
		}
		message(string(m), MessagePage{Message: m, Ways: []Way{{Name: WaySignIn, To: "/login"}}})
	}
	for _, m := range append(stepUpMessages, StoreUnavailable) {
		message(string(m)+" of an action", MessagePage{
			Message: m, User: "anna", Doing: "export all contacts",
			Ways: []Way{{Name: WayBack, To: "/contacts", Top: true}},
		})
	}
	for _, r := range reasons {
		message("unreadable "+string(r), MessagePage{Message: Unreadable, Reason: r})
	}
	for i, w := range ways {
		message("with way "+string(w), MessagePage{
			Message: NotRecognised, User: "anna", Reference: "k3f9-2m1x", RetryIn: 10 * time.Second,
			Ways: []Way{
				{Name: w, To: "/login", Post: w == WayCancel, ChallengeID: "c", FormToken: "t"},
				{Name: ways[(i+1)%len(ways)], To: "/"},
			},
		})
	}
	add("continue", false, func(s *Set, l Lang) ([]byte, error) {
		return s.Continue(l, ContinuePage{Host: "crm.example.com", URL: "https://portal.example.net/start?a=1&b='(2)'"})
	})
	return append(all, insidePages()...)
}

// fullOptions shows all that an operator can give.
var fullOptions = Options{
	SiteName: "Northwind CRM",
	HelpText: "Call the service desk: extension 1234",
	HelpURL:  "https://help.example.com/sign-in",
}

// hebrew gives each Latin letter one that is written from right to left.
var hebrew = func() *strings.Replacer {
	letters := []rune("אבגדהוזחטיכלמנסעפצקרשתםןףץ")
	var pairs []string
	for i, r := range letters {
		pairs = append(pairs, string(rune('a'+i)), string(r), string(rune('A'+i)), string(r))
	}
	return strings.NewReplacer(pairs...)
}()

// pseudoTag is a language with a plural form that English lacks.
const pseudoTag = "he-x-pseudo"

// pseudo is a catalogue of no real language: right to left, a third longer,
// with every plural form of Hebrew.
func pseudo(t *testing.T) *catalogue {
	t.Helper()
	tag := language.MustParse(pseudoTag)
	c := &catalogue{tag: tag, direction: "rtl", texts: map[string]text{}}
	for key, source := range english(t).texts {
		forms := text{}
		for _, form := range []string{"one", "two", "many", otherForm} {
			if form == otherForm || source.plural() {
				forms[form] = pseudoText(source[otherForm])
			}
		}
		c.texts[key] = forms
	}
	return c
}

// pseudoText turns a text around and leaves its placeholders alone.
func pseudoText(s string) string {
	var b strings.Builder
	end := 0
	for _, at := range placeholder.FindAllStringIndex(s, -1) {
		b.WriteString(hebrew.Replace(s[end:at[0]]))
		b.WriteString(s[at[0]:at[1]])
		end = at[1]
	}
	b.WriteString(hebrew.Replace(s[end:]))
	b.WriteString(strings.Repeat(" שלום", len(s)/15))
	return b.String()
}

func english(t *testing.T) *catalogue {
	t.Helper()
	all, err := builtinCatalogues()
	if err != nil {
		t.Fatal(err)
	}
	if got := all[0].tag.String(); got != sourceLanguage {
		t.Fatalf("the first catalogue is %s", got)
	}
	return all[0]
}

// testSet is a Set with the built-in languages and the pseudo-language.
func testSet(t *testing.T, o Options) *Set {
	t.Helper()
	all, err := builtinCatalogues()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSet(o, append(all, pseudo(t)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
