package page

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// listen notes what the keys do on the page, and lets none of it leave it. It
// returns what there is to be reached, in the order of the page.
const listen = `(() => {
	const say = e => e.tagName + ' ' + (e.id || e.textContent.trim() || e.name);
	window.done = [];
	document.addEventListener('submit', e => { e.preventDefault(); done.push(say(e.submitter)); }, true);
	document.addEventListener('click', e => {
		const a = e.target.closest('a');
		if (a) { e.preventDefault(); done.push(say(a)); }
	}, true);
	document.addEventListener('change', e => { if (e.target.matches('select, [type=checkbox]')) done.push(say(e.target)); }, true);
	document.addEventListener('toggle', e => { done.push(say(e.target.querySelector('summary'))); }, true);
	window.say = say;
	// The text was made larger after the field had got the focus.
	document.activeElement.scrollIntoView({block: 'nearest'});
	// A field that is filled keeps no form from being sent.
	document.querySelectorAll('[required]').forEach(e => { e.value = e.options ? e.options[1].value : '123456'; });
	return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')].map(say);
})()`

// focused is what has the focus, and whether that can be seen: a ring that is
// drawn, on what stands in the window, to which a browser scrolls as it draws.
const focused = `(async () => {
	await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
	const e = document.activeElement;
	if (!e || e === document.body || e === document.documentElement) return {Name: ''};
	const s = getComputedStyle(e), r = e.getClientRects()[0];
	const at = document.elementFromPoint((r.left + r.right) / 2, (r.top + r.bottom) / 2);
	return {
		Name: say(e), Kind: e.type === 'checkbox' ? 'box' : e.tagName,
		Ring: s.outlineStyle === 'solid' && parseFloat(s.outlineWidth) >= 2,
		// The ring is 3 pixels wide, 2 pixels outside.
		Seen: r.top >= 4.5 && r.bottom <= innerHeight - 4.5 && (at === e || e.contains(at)),
		Done: done.splice(0),
	};
})()`

// focus says what has the focus.
func focus(t *testing.T, ctx context.Context) focusedOn {
	t.Helper()
	on, err := chromedp.Run(ctx, chromedp.Evaluate[focusedOn](focused, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return on
}

// operate presses the key that does something with what has the focus.
func operate(t *testing.T, ctx context.Context, name string, on focusedOn) {
	t.Helper()
	if !on.Ring || !on.Seen {
		t.Errorf("%s: the focus on %q is not to be seen (ring: %v, in the window: %v)", name, on.Name, on.Ring, on.Seen)
	}
	key := "\r"
	switch on.Kind {
	case "box":
		key = " "
	case "SELECT":
		key = kb.ArrowDown
	}
	if err := chromedp.Do(ctx, chromedp.KeyEvent(key)); err != nil {
		t.Fatal(err)
	}
	did := focus(t, ctx).Done
	// Enter in a field sends its form by the first button.
	if len(did) != 1 || did[0] != on.Name && on.Kind != "INPUT" {
		t.Errorf("%s: the keyboard on %q does %q", name, on.Name, did)
	}
}

type focusedOn struct {
	Name, Kind string
	Ring, Seen bool
	Done       []string
}

func TestTheKeyboardAloneReachesAndOperatesEverything(t *testing.T) {
	ctx := browser(t)
	if err := (view{width: 320}).set(ctx); err != nil {
		t.Fatal(err)
	}
	pages := everyPage()
	at := serve(t, testSet(t, fullOptions), pages)
	for _, i := range distinct(pages) {
		p := pages[i]
		l := []Lang{sourceLanguage, "ar"}[i%2]
		name := fmt.Sprintf("%s, %s", p.name, l)
		if err := chromedp.Do(ctx, chromedp.Navigate(fmt.Sprintf("%s/%d/%s", at, i, l))); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		evaluate[bool](t, ctx, textSize(200))
		want := evaluate[[]string](t, ctx, listen)
		var got []string
		// Behind the last of them the focus leaves the page once.
		for range len(want) + 1 {
			if on := focus(t, ctx); on.Name != "" {
				got = append(got, on.Name)
				operate(t, ctx, name, on)
			}
			if err := chromedp.Do(ctx, chromedp.KeyEvent("\t")); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the keyboard reaches %q, wanted %q", name, got, want)
		}
	}
}
