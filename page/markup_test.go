package page

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"
)

// document is a parsed page.
type document struct {
	root *html.Node
	all  []*html.Node
}

func parse(t *testing.T, page []byte) document {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	d := document{root: root}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			d.all = append(d.all, n)
		}
	}
	return d
}

func (d document) named(name string) []*html.Node {
	var found []*html.Node
	for _, n := range d.all {
		if n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

func (d document) id(id string) *html.Node {
	for _, n := range d.all {
		if attr(n, "id") == id {
			return n
		}
	}
	return nil
}

func (d document) role(role string) []*html.Node {
	var found []*html.Node
	for _, n := range d.all {
		if attr(n, "role") == role {
			found = append(found, n)
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// textOf returns the text of a node with its blanks folded.
func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// unbalanced reads the raw tokens, as the parser would mend what is wrong.
func unbalanced(page []byte) error {
	void := []string{"meta", "input", "br", "link", "img"}
	var open []string
	z := html.NewTokenizer(bytes.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				return fmt.Errorf("left open: %v", open)
			}
			return nil
		case html.StartTagToken:
			token := z.Token()
			seen := map[string]bool{}
			for _, a := range token.Attr {
				if seen[a.Key] {
					return fmt.Errorf("<%s> has %s twice", token.Data, a.Key)
				}
				seen[a.Key] = true
			}
			if !slices.Contains(void, token.Data) {
				open = append(open, token.Data)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				return fmt.Errorf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func TestEveryPageIsWellFormedAccessibleAndSelfContainedInEveryLanguage(t *testing.T) {
	for _, o := range []Options{{}, fullOptions} {
		s := testSet(t, o)
		for _, p := range everyPage() {
			for _, l := range s.order {
				t.Run(fmt.Sprintf("%s/%s/%t", p.name, l, o.SiteName != ""), func(t *testing.T) {
					body, err := p.render(s, l)
					if err != nil {
						t.Fatal(err)
					}
					checkPage(t, s, p, l, body)
				})
			}
		}
	}
}

func checkPage(t *testing.T, s *Set, p rendered, l Lang, body []byte) {
	t.Helper()
	if err := unbalanced(body); err != nil {
		t.Error(err)
	}
	if !bytes.HasPrefix(body, []byte("<!DOCTYPE html>\n")) {
		t.Error("it does not begin with the document type")
	}
	if len(body) > 14*1024 {
		t.Errorf("it has %d bytes, more than 14 KiB", len(body))
	}
	if bytes.Contains(body, []byte("ZgotmplZ")) || bytes.Contains(body, []byte("{{")) {
		t.Error("the template engine has refused a value, or a template shows")
	}
	d := parse(t, body)
	checkFrame(t, s, p, l, d)
	checkSelfContained(t, d)
	checkForms(t, d)
	for _, form := range d.named("form") {
		if challengeField(form) == "" && (strings.HasPrefix(p.name, "challenge") || strings.HasPrefix(p.name, "choose") || strings.HasPrefix(p.name, "message")) {
			t.Error("a form of a challenge does not name it")
		}
	}
}

// challengeField is the id of the challenge that a form names.
func challengeField(form *html.Node) string {
	for n := range form.Descendants() {
		if attr(n, "name") == FieldChallenge {
			return attr(n, "value")
		}
	}
	return ""
}

func checkFrame(t *testing.T, s *Set, p rendered, l Lang, d document) {
	t.Helper()
	root := d.named("html")[0]
	if got, want := attr(root, "lang"), string(l); got != want {
		t.Errorf("lang is %q, wanted %q", got, want)
	}
	if got, want := attr(root, "dir"), s.catalogues[l].direction; got != want {
		t.Errorf("dir is %q, wanted %q", got, want)
	}
	for _, once := range []string{"main", "h1", "header", "title", "style"} {
		if got := len(d.named(once)); got != 1 {
			t.Errorf("it has %d <%s>, wanted one", got, once)
		}
	}
	title := textOf(d.named("title")[0])
	errorWord, _, _ := strings.Cut(s.speak(l).plain("layout.title.error", words("title", "|"), words("site", "|")), "|")
	errorWord = strings.Join(strings.Fields(errorWord), " ")
	if got := strings.HasPrefix(title, errorWord); got != p.failed {
		t.Errorf("title %q begins with %q: %t, wanted %t", title, errorWord, got, p.failed)
	}
	site := "crm.example.com"
	if s.siteName != "" {
		site = s.siteName
	}
	if !strings.Contains(title, site) {
		t.Errorf("title %q does not name the site", title)
	}
	if h1 := textOf(d.named("h1")[0]); h1 == "" {
		t.Error("the heading is empty")
	}
	regions := len(d.role("status")) + len(d.role("alert"))
	if strings.HasPrefix(p.name, "choose") {
		return
	}
	if regions == 0 {
		t.Error("it has neither a status nor an alert region")
	}
	if got := len(d.role("alert")) > 0; got != p.failed {
		t.Errorf("alert region: %t, wanted %t", got, p.failed)
	}
}

// checkSelfContained allows links that a person follows and nothing that a
// browser would fetch or run.
func checkSelfContained(t *testing.T, d document) {
	t.Helper()
	for _, name := range []string{"script", "link", "iframe", "object", "embed", "base", "video", "audio", "use", "image", "foreignobject"} {
		if len(d.named(name)) > 0 {
			t.Errorf("it has a <%s>", name)
		}
	}
	for _, n := range d.all {
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" && !strings.HasPrefix(a.Val, "data:image/png;base64,") || a.Key == "srcset" || a.Key == "ping" ||
				a.Key == "formaction" && !strings.HasPrefix(a.Val, "/.two-factor/") {
				t.Errorf("<%s> has the attribute %s", n.Data, a.Key)
			}
		}
	}
	css := textOf(d.named("style")[0])
	for _, bad := range []string{"url(", "@import", "expression(", "http:", "https:"} {
		if strings.Contains(css, bad) {
			t.Errorf("the style sheet has %s", bad)
		}
	}
}

func checkForms(t *testing.T, d document) {
	t.Helper()
	ids := map[string]bool{}
	for _, n := range d.all {
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("the id %q is there twice", id)
			}
			ids[id] = true
		}
	}
	for _, n := range d.all {
		for id := range strings.FieldsSeq(attr(n, "aria-describedby")) {
			if !ids[id] {
				t.Errorf("<%s> is described by %q, which is not there", n.Data, id)
			}
		}
		if href := attr(n, "href"); strings.HasPrefix(href, "#") && !ids[href[1:]] {
			t.Errorf("a link leads to %s, which is not there", href)
		}
		if n.Data == "button" && textOf(n) == "" {
			t.Error("a button has no words")
		}
		if n.Data == "a" && (textOf(n) == "" || attr(n, "href") == "") {
			t.Error("a link has no words or no address")
		}
		if n.Data == "svg" && attr(n, "aria-hidden") != "true" {
			t.Error("a drawing is not hidden from screen readers")
		}
	}
	for _, form := range d.named("form") {
		checkForm(t, d, form)
	}
}

func checkForm(t *testing.T, d document, form *html.Node) {
	t.Helper()
	if attr(form, "method") != "post" || !strings.HasPrefix(attr(form, "action"), "/") {
		t.Errorf("a form has the method %q and the action %q", attr(form, "method"), attr(form, "action"))
	}
	hidden := map[string]string{}
	buttons := 0
	for n := range form.Descendants() {
		switch {
		case n.Data == "button":
			buttons++
			if attr(n, "type") != "submit" {
				t.Error("a button of a form has no type")
			}
		case n.Data == "input" && attr(n, "type") == "hidden":
			hidden[attr(n, "name")] = attr(n, "value")
		case n.Data == "input" || n.Data == "select":
			labelled := slices.ContainsFunc(d.named("label"), func(l *html.Node) bool {
				return attr(l, "for") == attr(n, "id") && textOf(l) != ""
			})
			if !labelled {
				t.Errorf("the field %q has no label", attr(n, "name"))
			}
		}
	}
	if buttons == 0 {
		t.Error("a form has no button")
	}
	if hidden[FieldToken] == "" {
		t.Errorf("a form has the hidden fields %v", hidden)
	}
}

func TestTheCodeFieldIsOneNumericFieldThatTakesWhatIsPasted(t *testing.T) {
	s := testSet(t, Options{})
	body, err := s.Challenge("", authenticator(func(p *ChallengePage) { p.Problem, p.TriesLeft = WrongCode, 1 }))
	if err != nil {
		t.Fatal(err)
	}
	d := parse(t, body)
	code := d.id("code")
	if code == nil {
		t.Fatal("there is no code field")
	}
	for name, want := range map[string]string{
		"name": FieldCode, "type": "text", "inputmode": "numeric", "autocomplete": "one-time-code",
		"maxlength": "32", "aria-invalid": "true", "aria-describedby": "problem code-hint", "dir": "ltr",
	} {
		if got := attr(code, name); got != want {
			t.Errorf("%s is %q, wanted %q", name, got, want)
		}
	}
	for _, a := range code.Attr {
		if a.Key == "pattern" || a.Key == "value" {
			t.Errorf("the field has the attribute %s", a.Key)
		}
	}
	if !slices.ContainsFunc(code.Attr, func(a html.Attribute) bool { return a.Key == "autofocus" }) {
		t.Error("the field does not take the focus")
	}
	alert := d.role("alert")[0]
	if got := textOf(alert); got != "That code is not right You have 1 try left." {
		t.Errorf("the alert says %q", got)
	}
	if links := slices.Collect(alert.Descendants()); !slices.ContainsFunc(links, func(n *html.Node) bool { return attr(n, "href") == "#code" }) {
		t.Error("the alert does not lead to the field")
	}
}

func TestEveryStateOfAChallengeOffersWhatHelpsAndNothingElse(t *testing.T) {
	tests := []struct {
		name        string
		page        ChallengePage
		field, send bool
		says        string
	}{
		{"an authenticator is asked for its code", authenticator(nil), true, false, "Open your authenticator app"},
		{"an authenticator is called by its own name", authenticator(func(p *ChallengePage) { p.Label = "Pixel" }), true, false, "Open Pixel, your authenticator"},
		{"eight digits are asked for", authenticator(func(p *ChallengePage) { p.Digits = 8 }), true, false, "8-digit code"},
		{"a wrong length names the right one", authenticator(func(p *ChallengePage) { p.Digits, p.Problem = 8, WrongLength }), true, false, "The code has 8 digits"},
		{"a used code of an app waits for the next", authenticator(func(p *ChallengePage) { p.Problem = UsedCode }), true, false, "the next one"},
		{"an expired code of an app is replaced by the next", authenticator(func(p *ChallengePage) { p.Problem = ExpiredCode }), true, false, "shows now"},
		{"too many tries take no further one", authenticator(func(p *ChallengePage) { p.Problem = TooManyTries }), false, false, "You can use another way"},
		{"too many tries without another way lead out", authenticator(func(p *ChallengePage) { p.Problem, p.OtherWay = TooManyTries, "" }), false, false, "Go to the sign-in page"},
		{"a pause says until when", authenticator(func(p *ChallengePage) { p.Problem, p.PausedFor = Paused, 27*minute+1 }), false, false, "Try again in 28 minutes."},
		{"nothing is sent by itself", phone(TextNone, nil), false, true, "We will send a text message with a code to the number ending in 42."},
		{"a text is on its way", phone(TextQueued, nil), true, true, "is on its way to the number ending in 42"},
		{"a text was sent", phone(TextSent, nil), true, true, "We sent a text message with your code to the number ending in 42."},
		{"a text that must wait says how long", phone(TextSent, func(p *ChallengePage) { p.Phone.SendIn = 27*second + 1 }), true, true, "This works in 28 seconds."},
		{"a text that may have gone out takes a code", phone(TextUnsure, nil), true, true, "We do not know"},
		{"a text that did not go out takes none", phone(TextFailed, nil), false, true, "No text message could be sent to the number ending in 42"},
		{"a text that may not be sent has no button", phone(TextRefused, nil), false, false, "You can use another way"},
		{"the last text says so", phone(TextUsedUp, nil), true, false, "No more can be sent"},
		{"an expired text asks for a new one", phone(TextSent, func(p *ChallengePage) { p.Problem = ExpiredCode }), false, true, "Send a new code"},
		{"a paused phone sends nothing", phone(TextSent, func(p *ChallengePage) { p.Problem, p.PausedFor = Paused, minute }), false, false, "Try again in 60 seconds."},
		{"a phone warns of those who ask for the code", phone(TextSent, nil), true, true, "Never give it to anyone"},
	}
	s := testSet(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body, err := s.Challenge("", tt.page)
			if err != nil {
				t.Fatal(err)
			}
			d := parse(t, body)
			if got := d.id("code") != nil; got != tt.field {
				t.Errorf("code field: %t, wanted %t", got, tt.field)
			}
			send := slices.ContainsFunc(d.named("form"), func(n *html.Node) bool { return attr(n, "action") == "/.two-factor/send" })
			if send != tt.send {
				t.Errorf("send button: %t, wanted %t", send, tt.send)
			}
			if got := textOf(d.named("body")[0]); !strings.Contains(got, tt.says) {
				t.Errorf("it does not say %q but %q", tt.says, got)
			}
			if cancel := slices.ContainsFunc(d.named("form"), func(n *html.Node) bool { return attr(n, "action") == "/.two-factor/cancel" }); !cancel {
				t.Error("it cannot be cancelled")
			}
		})
	}
}

func TestTheOtherWaysShowAuthenticatorsFirst(t *testing.T) {
	s := testSet(t, Options{})
	body, err := s.Choose("", ChoosePage{
		Host: "crm.example.com", Action: "/a", CancelAction: "/c", ChallengeID: "c", FormToken: "t",
		Choices: []Choice{
			{Factor: TextMessage, ID: "1", Ending: "42"}, {Factor: Authenticator, ID: "2"}, {Factor: TextMessage, ID: "3"}, {Factor: Authenticator, ID: "4"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range parse(t, body).named("button") {
		if attr(b, "name") == FieldFactor {
			got = append(got, attr(b, "value"))
		}
	}
	if want := []string{"2", "4", "1", "3"}; !slices.Equal(got, want) {
		t.Errorf("order %v, wanted %v", got, want)
	}
}

func TestPagesRenderedInParallelAreTheSame(t *testing.T) {
	s := testSet(t, fullOptions)
	pages := everyPage()
	var wait sync.WaitGroup
	results := make([][][]byte, 8)
	for worker := range results {
		wait.Go(func() {
			for _, p := range pages {
				body, err := p.render(s, pseudoTag)
				if err != nil {
					t.Errorf("%s: %v", p.name, err)
				}
				results[worker] = append(results[worker], body)
			}
		})
	}
	wait.Wait()
	for i, p := range pages {
		for _, r := range results {
			if !bytes.Equal(r[i], results[0][i]) {
				t.Errorf("%s differs between two renderings at one time", p.name)
			}
		}
	}
}

func TestTheCodeFormAndTheSendButtonNameTheFactorThatThePageShows(t *testing.T) {
	s := testSet(t, Options{})
	for _, id := range []string{"factor-1", ""} {
		body, err := s.Challenge("", phone(TextSent, func(p *ChallengePage) { p.FactorID = id }))
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for _, form := range parse(t, body).named("form") {
			if action := attr(form, "action"); action == "/.two-factor/cancel" {
				continue
			}
			checked++
			var got []string
			for n := range form.Descendants() {
				if attr(n, "name") == FieldFactor {
					got = append(got, attr(n, "value"))
				}
			}
			if want := id != ""; (len(got) == 1) != want || (want && got[0] != id) {
				t.Errorf("the form to %s names the factors %q, wanted %q", attr(form, "action"), got, id)
			}
		}
		if checked != 2 {
			t.Errorf("%d forms, wanted the code form and the send form", checked)
		}
	}
}
