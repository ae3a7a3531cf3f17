package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

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
			p.StepUp = &StepUp{Doing: what, Back: "/contacts"}
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

// choosing is a choice in a step-up.
func choosing(doing string) ChoosePage {
	return ChoosePage{
		Host: "crm.example.com", User: "anna", Action: "/a", CancelAction: "/c", ChallengeID: "c", FormToken: "t", Back: "/b",
		Choices: []Choice{{Factor: Authenticator, ID: "1"}, {Factor: TextMessage, ID: "2", PausedFor: minute}},
		StepUp:  &StepUp{Doing: doing},
	}
}

// everyStepUp is every page of a step-up with the given action.
func everyStepUp(doing string) []rendered {
	var all []rendered
	add := func(name string, render func(*Set, Lang) ([]byte, error)) {
		all = append(all, rendered{name: name, render: render})
	}
	states := []TextState{TextNone, TextQueued, TextSent, TextUnsure, TextFailed, TextUsedUp, TextRefused}
	for problem := NoProblem; problem <= ExpiredCode; problem++ {
		for _, other := range []string{"", "/.two-factor/other"} {
			change := func(p *ChallengePage) {
				p.Problem, p.TriesLeft, p.PausedFor, p.OtherWay, p.StepUp = problem, 2, minute, other, &StepUp{Doing: doing, Back: "/contacts?q=a&b"}
			}
			pages := []ChallengePage{authenticator(change)}
			for _, state := range states {
				pages = append(pages, phone(state, change), phone(state, func(p *ChallengePage) {
					change(p)
					p.Phone.SendAction, p.User = "", ""
				}))
			}
			for i, p := range pages {
				add(fmt.Sprintf("challenge %d with problem %d, other way %q", i, problem, other),
					func(s *Set, l Lang) ([]byte, error) { return s.Challenge(l, p) })
			}
		}
	}
	add("choose", func(s *Set, l Lang) ([]byte, error) { return s.Choose(l, choosing(doing)) })
	for _, m := range stepUpMessages {
		add("message "+string(m), func(s *Set, l Lang) ([]byte, error) {
			return s.Message(l, MessagePage{Message: m, Host: "crm.example.com", User: "anna", Doing: doing,
				Ways: []Way{{Name: WayBack, To: "/contacts"}}})
		})
	}
	return all
}

func TestNoPageOfAStepUpSpeaksOfSigningInOrSaysThatSomebodyIsSignedOut(t *testing.T) {
	s := testSet(t, Options{HelpURL: "https://help.example.com/"})
	spoken := regexp.MustCompile(`(?i)sign(ing)?[- ]in\b|not signed in|signed out|password`)
	for _, doing := range []string{"", "export all contacts"} {
		for _, p := range everyStepUp(doing) {
			body, err := p.render(s, "")
			if err != nil {
				t.Errorf("%s: %v", p.name, err)
				continue
			}
			d := parse(t, body)
			for _, text := range []string{textOf(d.named("title")[0]), textOf(d.named("body")[0])} {
				if found := spoken.FindString(text); found != "" {
					t.Errorf("%s says %q in %q", p.name, found, text)
				}
			}
		}
	}
}

func TestAChallengeThatMayEndInAFileLeadsAwayFromItself(t *testing.T) {
	s := testSet(t, Options{})
	for _, tt := range []struct{ back, link string }{
		{"/contacts?q=a&b", `<a href="/contacts?q=a&amp;b">Back to where you were</a>`},
		{"", ""},
		{"//evil.example/", `<a href="/.//evil.example/">`},
		{"https://evil.example/", ""},
		{"javascript:alert(1)", ""},
	} {
		body, err := s.Challenge("", authenticator(func(p *ChallengePage) { p.StepUp = &StepUp{Doing: "export", Back: tt.back} }))
		if err != nil {
			t.Fatal(err)
		}
		if tt.link == "" && strings.Contains(string(body), "If you get a file") || !strings.Contains(string(body), tt.link) {
			t.Errorf("with %q the page is\n%s", tt.back, body)
		}
	}
}

func TestEveryChallengeOfAStepUpNamesTheActionAndSaysThatThePersonStaysSignedIn(t *testing.T) {
	s := testSet(t, Options{})
	for doing, named := range map[string]string{"export all contacts": "To export all contacts, ", "": "To go on, ", " \n\u202e": "To go on, "} {
		for _, p := range everyStepUp(doing) {
			if strings.HasPrefix(p.name, "message") {
				continue
			}
			body, err := p.render(s, "")
			if err != nil {
				t.Errorf("%s: %v", p.name, err)
				continue
			}
			d := parse(t, body)
			if h1 := textOf(d.named("h1")[0]); !strings.HasPrefix(h1, named) {
				t.Errorf("%s has the heading %q, wanted %q in front", p.name, h1, named)
			}
			text := textOf(d.named("main")[0])
			if !regexp.MustCompile(`You stay signed in; nothing (is sent to crm.example.com before the code|was sent to crm.example.com)\.`).MatchString(text) {
				t.Errorf("%s does not say that nothing is sent: %q", p.name, text)
			}
			if !strings.Contains(text, "Cancel and send nothing") {
				t.Errorf("%s does not say what cancelling does: %q", p.name, text)
			}
			if !strings.Contains(text, "anna") || !strings.Contains(text, " at crm.example.com") {
				if !strings.Contains(text, "At crm.example.com") {
					t.Errorf("%s does not say who and where: %q", p.name, text)
				}
			}
		}
	}
}

func TestHostileActionsStayTextOfTheirOwnDirectionAndLength(t *testing.T) {
	s := testSet(t, Options{})
	evils := append(slices.Clone(hostile), "export\r\nSet-Cookie: a=b\n\n@evil.example #123456", `a"b\\c`, longDoing, longWord, "\u2028\u2029\u200f x", "{doing}")
	for _, evil := range evils {
		for _, p := range everyStepUp(evil) {
			// The problems of a code change other words than the action's.
			if strings.HasPrefix(p.name, "challenge ") && !strings.HasSuffix(p.name, `problem 0, other way ""`) {
				continue
			}
			body, err := p.render(s, pseudoTag)
			if err != nil {
				t.Errorf("%s with %.40q: %v", p.name, evil, err)
				continue
			}
			checkHarmless(t, p.name, evil, body)
		}
		body, err := s.Challenge("", authenticator(func(p *ChallengePage) { p.StepUp = &StepUp{Doing: evil} }))
		if err != nil {
			t.Fatal(err)
		}
		shown := ""
		for n := range parse(t, body).named("h1")[0].Descendants() {
			if n.Data == "bdi" {
				shown = textOf(n)
			}
		}
		if want := tidyTo(evil, 120); shown != want || len([]rune(shown)) > 120 {
			t.Errorf("the heading holds %.60q, wanted %.60q in a direction of its own", shown, want)
		}
		checkHostileProblem(t, s, evil)
	}
}

// checkHostileProblem holds a problem document with a hostile action against
// the grammar of its header.
func checkHostileProblem(t *testing.T, s *Set, evil string) {
	t.Helper()
	age := time.Duration(0)
	w := httptest.NewRecorder()
	if err := s.WriteProblem(w, Problem{Message: StepUpNeeded, Host: "crm.example.com", Doing: evil, MaxAge: &age}); err != nil {
		t.Fatalf("%.40q: %v", evil, err)
	}
	grammar := regexp.MustCompile(`^Bearer error="insufficient_user_authentication", error_description="A code is needed to [\x20\x21\x23-\x5b\x5d-\x7e]{1,120}\.", max_age="0"$`)
	if got := w.Header().Values("WWW-Authenticate"); len(got) != 1 || !grammar.MatchString(got[0]) {
		t.Errorf("with %.40q WWW-Authenticate is %.300q", evil, got)
	}
	if !json.Valid(w.Body.Bytes()) || w.Body.Len() > 4096 {
		t.Errorf("with %.40q the document is %.300q", evil, w.Body)
	}
}

func TestAProblemOfAStepUpSaysWhatIsMissingAsRFC9470Has(t *testing.T) {
	s := testSet(t, Options{})
	for _, tt := range []struct {
		name, doing string
		age         time.Duration
		header      string
		seconds     float64
	}{
		{"a code for this one request", "export all contacts", 0, `Bearer error="insufficient_user_authentication", error_description="A code is needed to export all contacts.", max_age="0"`, 0},
		{"a code of the last minutes", "export all contacts", 5 * time.Minute, `Bearer error="insufficient_user_authentication", error_description="A code is needed to export all contacts.", max_age="300"`, 300},
		{"parts of a second are not given away", "", 1900 * time.Millisecond, `Bearer error="insufficient_user_authentication", error_description="A code is needed to go on.", max_age="1"`, 1},
		{"an age below nothing is nothing", "", -time.Minute, `Bearer error="insufficient_user_authentication", error_description="A code is needed to go on.", max_age="0"`, 0},
		{"an action that no header can hold is in the document alone", "tout exporter à \"l'instant\"", 0, `Bearer error="insufficient_user_authentication", error_description="A code is needed to go on.", max_age="0"`, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			if err := s.WriteProblem(w, Problem{Message: StepUpNeeded, Host: "crm.example.com", Doing: tt.doing, MaxAge: &tt.age, Challenge: "/.two-factor/challenge"}); err != nil {
				t.Fatal(err)
			}
			if got := w.Header().Get("WWW-Authenticate"); got != tt.header {
				t.Errorf("WWW-Authenticate is %q, wanted %q", got, tt.header)
			}
			var doc map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
				t.Fatal(err)
			}
			if w.Code != http.StatusForbidden || doc["error"] != "insufficient_user_authentication" || doc["max_age"] != tt.seconds || doc["challenge"] != "/.two-factor/challenge" {
				t.Errorf("%d with the members %v", w.Code, doc)
			}
			if detail, _ := doc["detail"].(string); !strings.Contains(detail, "A code is needed to "+tt.doing) {
				t.Errorf("the detail is %q", detail)
			}
		})
	}
	w := httptest.NewRecorder()
	if err := s.WriteProblem(w, Problem{Message: CodeNeeded}); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.Header()["Www-Authenticate"]; ok || strings.Contains(w.Body.String(), "max_age") || strings.Contains(w.Body.String(), `"error"`) {
		t.Errorf("a problem that is no step-up has %v %s", w.Header(), w.Body)
	}
}

func TestTheMessagesOfAStepUpHaveTheirStatusAndSayWhatBecameOfTheRequest(t *testing.T) {
	s := testSet(t, Options{})
	for _, tt := range []struct {
		message Message
		status  int
		failed  bool
		says    []string
	}{
		{StepUpNeeded, 403, false, []string{"A code is needed to export all contacts.", "Reload this page", "repeat"}},
		{StepUpElsewhere, 403, false, []string{"Do you want to export all contacts?", "Another site", "Nothing was done", "press the button", "close this page"}},
		{StepUpTooLarge, 413, true, []string{"too large", "Nothing was sent on to crm.example.com", "Send less at once", "tell the people who run crm.example.com"}},
		{StepUpCancelled, 200, false, []string{"nothing was sent to crm.example.com", "You stay signed in"}},
		{StepUpExpired, 403, true, []string{"is over", "Nothing was sent to crm.example.com", "you stay signed in", "do it again"}},
		{StepUpUsed, 409, false, []string{"was accepted", "was sent to crm.example.com once", "before you repeat it"}},
		{StepUpLost, 502, true, []string{"was right", "may have been done", "before you repeat it"}},
		{StepUpNotSent, 409, true, []string{"was right", "cannot be sent to crm.example.com any more", "Nothing was done", "do it again"}},
		{StepUpNoFactor, 403, true, []string{"A code is needed to export all contacts", "You stay signed in", "Tell the people who run crm.example.com"}},
		{StepUpPassed, 200, false, []string{"Your code was right", "Now you can export all contacts.", "within 2 minutes"}},
	} {
		body, err := s.Message("", MessagePage{Message: tt.message, Host: "crm.example.com", Doing: "export all contacts"})
		if err != nil {
			t.Errorf("%s: %v", tt.message, err)
			continue
		}
		d := parse(t, body)
		if got := len(d.role("alert")) > 0; got != tt.failed || tt.message.Status() != tt.status {
			t.Errorf("%s: status %d, failed: %t", tt.message, tt.message.Status(), got)
		}
		text := textOf(d.named("main")[0])
		for _, say := range tt.says {
			if !strings.Contains(text, say) {
				t.Errorf("%s does not say %q but %q", tt.message, say, text)
			}
		}
	}
}

func TestAWayLeavesAFrameOnlyWhereItIsToldTo(t *testing.T) {
	s := testSet(t, Options{})
	for _, top := range []bool{true, false} {
		body, err := s.Message("", MessagePage{Message: StepUpElsewhere, Host: "crm.example.com", Ways: []Way{
			{Name: WayChallenge, To: "/a", Post: true, ChallengeID: "c", FormToken: "t", Top: top},
			{Name: WayBack, To: "/b", Top: top},
		}})
		if err != nil {
			t.Fatal(err)
		}
		d := parse(t, body)
		for _, n := range []*html.Node{d.named("form")[0], d.named("a")[0]} {
			if got := attr(n, "target") == "_top"; got != top {
				t.Errorf("<%s> leaves the frame: %t, wanted %t", n.Data, got, top)
			}
		}
	}
}
