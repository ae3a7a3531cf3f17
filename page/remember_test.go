package page

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"golang.org/x/net/html"
)

const month = 30 * 24 * time.Hour

// rememberPages are the states of a challenge that has the box to be ticked, or
// that tells of a copy.
func rememberPages() []stepUpState {
	offer := func(ticked bool) func(*ChallengePage) {
		return func(p *ChallengePage) { p.Remember = &Remember{For: month, Ticked: ticked} }
	}
	wrong := func(p *ChallengePage) {
		offer(true)(p)
		p.Problem, p.TriesLeft = WrongCode, 3
	}
	copied := func(p *ChallengePage) {
		offer(false)(p)
		p.Copied = true
	}
	return []stepUpState{
		{"authenticator", false, authenticator(offer(false))},
		{"authenticator wrong code", true, authenticator(wrong)},
		{"authenticator for hours", false, authenticator(func(p *ChallengePage) { p.Remember = &Remember{For: 90 * time.Minute} })},
		{"phone sent", false, phone(TextSent, offer(true))},
		{"phone nothing sent", false, phone(TextNone, offer(true))},
		{"phone wrong code", true, phone(TextSent, wrong)},
		{"copied", false, authenticator(copied)},
		{"copied phone wrong code", true, phone(TextSent, func(p *ChallengePage) {
			wrong(p)
			p.Copied = true
		})},
	}
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func TestRule21TheBoxIsOffUntilItIsTicked(t *testing.T) {
	s := testSet(t, Options{})
	for name, tt := range map[string]struct {
		remember     *Remember
		there, ticks bool
		says         string
	}{
		"no box":                {nil, false, false, ""},
		"off":                   {&Remember{For: month}, true, false, "Do not ask for a code in this browser for 30 days"},
		"ticked before":         {&Remember{For: month, Ticked: true}, true, true, "for 30 days"},
		"for two days":          {&Remember{For: 71 * time.Hour}, true, false, "for 2 days"},
		"for less than that":    {&Remember{For: 47*time.Hour + 59*time.Minute}, true, false, "for 47 hours"},
		"for an hour":           {&Remember{For: time.Hour}, true, false, "for 1 hour"},
		"for less than an hour": {&Remember{For: time.Second}, true, false, "for 1 hour"},
	} {
		body, err := s.Challenge("", authenticator(func(p *ChallengePage) { p.Remember = tt.remember }))
		if err != nil {
			t.Fatal(err)
		}
		d := parse(t, body)
		box := d.id("remember")
		if (box != nil) != tt.there {
			t.Fatalf("%s: the box is there: %t", name, box != nil)
		}
		if !strings.Contains(textOf(d.named("body")[0]), tt.says) {
			t.Errorf("%s: it does not say %q", name, tt.says)
		}
		if box == nil {
			continue
		}
		if has(box, "checked") != tt.ticks || attr(box, "name") != FieldRemember || attr(box, "type") != "checkbox" || attr(box, "value") != "1" {
			t.Errorf("%s: the box is %v", name, box.Attr)
		}
		if hint := d.id(attr(box, "aria-describedby")); hint == nil || textOf(hint) != "Only on a device that is yours alone." {
			t.Errorf("%s: nothing says on which devices", name)
		}
	}
}

func TestThePageTellsOfACopyInWordsAndWhatToDo(t *testing.T) {
	body, err := testSet(t, Options{}).Challenge("", authenticator(func(p *ChallengePage) { p.Copied = true }))
	if err != nil {
		t.Fatal(err)
	}
	d := parse(t, body)
	if got := textOf(d.id("copied")); !strings.Contains(got, "was also used elsewhere") || !strings.Contains(got, "change your password") {
		t.Errorf("it says %q", got)
	}
	if len(d.role("alert")) != 0 {
		t.Error("it is told as an error of what was entered")
	}
}

func TestTheBoxIsTickedByKeyboardAndGoesWithEveryButtonOfTheForm(t *testing.T) {
	ctx, cancel := context.WithTimeout(browser(t), time.Minute)
	defer cancel()
	s := testSet(t, Options{})
	at := serve(t, s, []rendered{{render: func(s *Set, l Lang) ([]byte, error) {
		return s.Challenge(l, phone(TextSent, func(p *ChallengePage) { p.Remember = &Remember{For: month} }))
	}}, {render: func(s *Set, l Lang) ([]byte, error) {
		return s.Challenge(l, phone(TextNone, func(p *ChallengePage) { p.Remember = &Remember{For: month, Ticked: true} }))
	}}})
	// What each button would send, as the browser puts it together.
	const sent = `Array.from(document.querySelectorAll('button[type=submit]')).map(b =>
		(b.getAttribute('formaction') || b.form.getAttribute('action')) + ' ' + new FormData(b.form, b).getAll('two_factor_remember').join('+')).join('\n')`
	if err := chromedp.Do(ctx, chromedp.Navigate(at+"/0/en"), chromedp.WaitVisible("#code"), chromedp.KeyEvent("\t"), chromedp.KeyEvent(" ")); err != nil {
		t.Fatal(err)
	}
	ticked := evaluate[bool](t, ctx, `document.activeElement.id === 'remember' && document.activeElement.checked`)
	first := evaluate[string](t, ctx, sent)
	valid := evaluate[string](t, ctx, `[...document.querySelectorAll('button[form]')].map(b => b.formNoValidate).join()`)
	if err := chromedp.Do(ctx, chromedp.Navigate(at+"/1/en")); err != nil {
		t.Fatal(err)
	}
	second := evaluate[string](t, ctx, sent)
	if !ticked {
		t.Error("the box cannot be reached after the code, or not be ticked by the blank")
	}
	if want := "/login?next=%2Fcontacts 1\n/.two-factor/send 1\n/.two-factor/cancel "; first != want {
		t.Errorf("the buttons send\n%s\nwant\n%s", first, want)
	}
	if valid != "true" {
		t.Errorf("sending again needs a code first: %s", valid)
	}
	if want := "/.two-factor/send 1\n/.two-factor/cancel "; second != want {
		t.Errorf("without a code field the buttons send\n%s\nwant\n%s", second, want)
	}
}

func evaluate[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
