package page

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axeSource returns the script of axe-core, which .ci/axe installs.
func axeSource(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.FromSlash("../.run/axe/node_modules/axe-core/axe.min.js"))
	if err == nil {
		return string(raw)
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("axe-core is missing, run .ci/axe: %v", err)
	}
	t.Skip("axe-core is missing, run .ci/axe")
	return ""
}

// axeRun returns what axe-core finds wrong by the rules of WCAG 2.2 A and AA
// (target-size is one that it leaves off unless asked), and what it could not
// decide about colours.
func axeRun(only string) string {
	return `(async () => {
	const found = await axe.run(document, {
		runOnly: ` + only + `,
		rules: {'target-size': {enabled: true}},
		resultTypes: ['violations', 'incomplete'],
	});
	const say = v => v.id + ': ' + v.nodes.map(n => n.target.join(' ') + ' (' + n.failureSummary.replace(/\s+/g, ' ') + ')').join('; ');
	return found.violations.map(say).concat(found.incomplete.filter(v => v.id === 'color-contrast').map(v => 'undecided ' + say(v)));
})()`
}

// The rules of WCAG 2.2 A and AA, and those of them that can turn out another
// way in another palette or size of text.
const (
	axeRules = `['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']`
	axeLooks = `{type: 'rule', values: ['color-contrast', 'link-in-text-block', 'target-size']}`
)

// textSize makes all text of the page as large as that, as a browser's own
// setting does it: by the size of the root.
func textSize(percent int) string {
	return fmt.Sprintf(`document.documentElement.style.fontSize = '%d%%'; true`, percent)
}

// prefer makes the browser ask for light or dark pages.
func prefer(ctx context.Context, scheme string) error {
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	return err
}

func TestAxeFindsNoFaultOnAnyPage(t *testing.T) {
	source := axeSource(t)
	ctx := browser(t)
	if err := (view{width: 320}).set(ctx); err != nil {
		t.Fatal(err)
	}
	pages := everyPage()
	look := ownLook()
	look.Logo = []byte(svgLogo)
	full, plain := serve(t, testSet(t, look), pages), serve(t, testSet(t, Options{}), pages)
	for n, look := range []struct {
		scheme string
		lang   Lang
		text   int
		only   string
	}{{"light", sourceLanguage, 100, axeRules}, {"dark", "ar", 200, axeLooks}} {
		if err := prefer(ctx, look.scheme); err != nil {
			t.Fatal(err)
		}
		for _, i := range distinct(pages) {
			base := full
			if i%2 == n {
				base = plain
			}
			name := fmt.Sprintf("%s, %s, %s", pages[i].name, look.lang, look.scheme)
			if err := chromedp.Do(ctx, chromedp.Navigate(fmt.Sprintf("%s/%d/%s", base, i, look.lang))); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			evaluate[bool](t, ctx, textSize(look.text))
			evaluate[bool](t, ctx, source+";true")
			faults, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](axeRun(look.only), chromedp.EvalAwaitPromise))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(faults) > 0 {
				t.Errorf("%s:\n%s", name, strings.Join(faults, "\n"))
			}
		}
	}
}

// distinct are the places of the pages that differ in more than their words: of
// those that differ in their words alone the first of each kind, and the messages
// with every button.
func distinct(pages []rendered) []int {
	var all []int
	seen := map[string]bool{}
	for i, p := range pages {
		kind := wordsAlone.FindString(p.name)
		if kind != "" && seen[kind] && !strings.HasPrefix(p.name, "message with way") {
			continue
		}
		seen[kind] = true
		all = append(all, i)
	}
	return all
}

func TestAxeFindsTheFaultsThatItIsAskedFor(t *testing.T) {
	source := axeSource(t)
	ctx := browser(t)
	pages := []rendered{{render: func(s *Set, l Lang) ([]byte, error) { return s.Challenge(l, authenticator(nil)) }}}
	at := serve(t, testSet(t, Options{}), pages)
	faults := map[string]string{
		"color-contrast": `document.querySelector('.who').style.color = '#999'`,
		"label":          `document.querySelector('label').remove(); document.querySelector('#code').removeAttribute('aria-describedby')`,
		"target-size":    `document.querySelector('.ways').style.cssText = 'gap:0;justify-content:start'; document.querySelectorAll('.way').forEach(e => e.style.cssText = 'min-height:0;min-width:0;height:9px;width:9px;padding:0;overflow:hidden;display:block')`,
		"html-has-lang":  `document.documentElement.removeAttribute('lang')`,
	}
	for rule, fault := range faults {
		if err := chromedp.Do(ctx, chromedp.Navigate(at+"/0/en")); err != nil {
			t.Fatal(err)
		}
		evaluate[bool](t, ctx, source+";true")
		evaluate[bool](t, ctx, fault+";true")
		found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](axeRun(axeRules), chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(found, "\n"); !strings.Contains(got, rule+":") {
			t.Errorf("a fault against %s is not found, only %q", rule, got)
		}
	}
}
