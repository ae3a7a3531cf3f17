package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// findVisible is a JavaScript function from a CSS selector to the first element
// that it matches and a person can see, or null.
const findVisible = `(selector) => {
	for (const e of document.querySelectorAll(selector)) {
		if (e.checkVisibility({visibilityProperty: true}) && e.getClientRects().length > 0) return e;
	}
	return null;
}`

// visibleText is a JavaScript expression; a document may be without a body for
// a moment.
const visibleText = `(document.body ? document.body.innerText : "")`

// Fill puts a value into the field that the CSS selector names, as typing over
// what is there would; a select gets the option with this value or text. It
// waits for the field to be there.
func (p *Page) Fill(selector, value string) {
	p.t.Helper()
	p.WaitFor(selector)
	kind := mustEval[string](p, "fill "+selector, `(() => {
		const e = (`+findVisible+`)(`+jsString(selector)+`), value = `+jsString(value)+`;
		e.scrollIntoView({block: "center"});
		if (e.disabled || e.readOnly) return "a field that cannot be changed";
		if (e.tagName === "SELECT") {
			const option = [...e.options].find(o => o.value === value || o.text.trim() === value);
			if (!option) return "a select without that option";
			option.selected = true;
			e.dispatchEvent(new Event("input", {bubbles: true}));
			e.dispatchEvent(new Event("change", {bubbles: true}));
			return "select";
		}
		if (!["INPUT", "TEXTAREA"].includes(e.tagName)) return "no field but " + e.tagName;
		e.focus();
		e.select();
		return "text";
	})()`)
	switch kind {
	case "select":
		return
	case "text":
	default:
		p.fail("fill "+selector, errors.New("it is "+kind))
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	if value == "" {
		if err := chromedp.Do(ctx, chromedp.KeyEvent("\b")); err != nil {
			p.fail("empty "+selector, err)
		}
		return
	}
	if _, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: value}); err != nil {
		p.fail("fill "+selector, err)
	}
}

// Value returns what the field that the CSS selector names holds.
func (p *Page) Value(selector string) string {
	p.t.Helper()
	p.WaitFor(selector)
	return mustEval[string](p, "read "+selector, "String(("+findVisible+")("+jsString(selector)+").value)")
}

// Click clicks with the mouse on the element that the CSS selector names and
// waits until the page that this leads to has loaded. A click that leads to no
// page is Press, one that leads to a file is Download.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.WaitFor(selector)
	p.mustNavigate("click on "+selector+" and come to a page", func(ctx context.Context) error {
		return p.mouse(ctx, selector, 1)
	})
}

// Press clicks with the mouse on the element that the CSS selector names and
// waits for nothing.
func (p *Page) Press(selector string) {
	p.t.Helper()
	p.press(selector, 1)
}

// DoubleClick clicks twice, as an impatient person does, and waits for nothing.
func (p *Page) DoubleClick(selector string) {
	p.t.Helper()
	p.press(selector, 2)
}

func (p *Page) press(selector string, times int64) {
	p.t.Helper()
	p.WaitFor(selector)
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	if err := p.mouse(ctx, selector, times); err != nil {
		p.fail("press "+selector, err)
	}
}

// mouse clicks on the middle of an element's first box.
func (p *Page) mouse(ctx context.Context, selector string, times int64) error {
	at, err := chromedp.Run(ctx, chromedp.Evaluate[*struct{ X, Y float64 }](`(() => {
		const e = (`+findVisible+`)(`+jsString(selector)+`);
		if (!e) return null;
		e.scrollIntoView({block: "center", behavior: "instant"});
		const r = e.getClientRects()[0];
		return {X: r.x + r.width / 2, Y: r.y + r.height / 2};
	})()`))
	if err != nil {
		return err
	}
	if at == nil {
		return errors.New("it is gone")
	}
	for click := int64(1); click <= times; click++ {
		for _, kind := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased} {
			_, err := chromedp.Call(ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{
				Type: kind, X: at.X, Y: at.Y, Button: input.MouseButtonLeft, ClickCount: click,
			})
			if err != nil {
				return fmt.Errorf("dispatching the click: %w", err)
			}
		}
	}
	return nil
}

// Submit sends the form that the CSS selector names, or that the named element
// belongs to, after the browser's own checks of its fields, and waits until the
// page that this leads to has loaded.
func (p *Page) Submit(selector string) {
	p.t.Helper()
	p.until("find "+selector, "document.querySelector("+jsString(selector)+") !== null")
	p.mustNavigate("submit "+selector, func(ctx context.Context) error {
		problem, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(() => {
			const e = document.querySelector(`+jsString(selector)+`);
			const form = e instanceof HTMLFormElement ? e : e.form ?? e.closest("form");
			if (!form) return "it is in no form";
			if (!form.reportValidity()) return "the browser refuses the field " + form.querySelector(":invalid")?.name;
			form.requestSubmit();
			return "";
		})()`))
		if err != nil {
			return err
		}
		if problem != "" {
			return errors.New(problem)
		}
		return nil
	})
}

// PressKeys types keys into whatever has the focus: letters, "\t", "\r" for
// Enter, "\x1b" for Escape. It waits for nothing.
func (p *Page) PressKeys(keys string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.KeyEvent(keys)); err != nil {
		p.fail(fmt.Sprintf("press the keys %q", keys), err)
	}
}

// Focused returns a short name of the element that has the focus: tag, id, name.
func (p *Page) Focused() string {
	p.t.Helper()
	return mustEval[string](p, "find the focus", `(() => {
		const e = document.activeElement;
		if (!e || e === document.body) return "";
		return e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + (e.name ? "[name=" + e.name + "]" : "");
	})()`)
}

// Eval runs JavaScript in the page, waits for a promise, and puts the result
// into out by way of JSON; a nil out drops it. It works with scripts switched
// off too, but then no promise is ever kept.
func (p *Page) Eval(js string, out any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	if out == nil {
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](js, chromedp.EvalAwaitPromise)); err != nil {
			p.fail("run "+js, err)
		}
		return
	}
	result, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](js, chromedp.EvalAwaitPromise, chromedp.EvalAsValue))
	if err != nil {
		p.fail("run "+js, err)
	}
	if err := json.Unmarshal(result, out); err != nil {
		p.fail("run "+js, fmt.Errorf("its result %s: %w", result, err))
	}
}

// evalWithin evaluates an expression with a limit and no promise.
func evalWithin[T any](p *Page, limit time.Duration, js string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, max(limit, pollInterval))
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](js))
}

// mustEval evaluates an expression. A page that is just being replaced has no
// place to run it for a moment, so a failure is tried again until the patience
// ends.
func mustEval[T any](p *Page, what, js string) T {
	p.t.Helper()
	deadline := time.Now().Add(p.patience)
	for {
		value, err := evalWithin[T](p, time.Until(deadline), js)
		if err == nil {
			return value
		}
		var thrown *chromedp.ExceptionError
		if errors.As(err, &thrown) || time.Now().After(deadline) {
			p.fail(what, err)
		}
		time.Sleep(pollInterval)
	}
}

// jsString writes a string as a JavaScript literal.
func jsString(s string) string {
	literal, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return string(literal)
}
