package report_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/report"
)

func TestThePageFitsAWindowOf1000Pixels(t *testing.T) {
	b := browser.Start(t)
	dir := t.TempDir()
	var lines string
	for i := range 20 {
		lines += observed(start.AddDate(0, 0, i), "anna")
	}
	put(t, dir, "audit.log", lines)
	q := month()
	var err error
	if q.Price, err = report.ParsePrice("0.075", "EUR"); err != nil {
		t.Fatal(err)
	}
	q.Candidates = []report.Candidate{{Name: "new_ip", Rules: policy.Rules{Preset: policy.OnNewIP}}}
	page := pageOf(t, mustReport(t, read(t, dir), q))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page) // A browser that has gone needs no answer.
	}))
	defer srv.Close()
	p := b.NewPerson(t)
	p.Open(srv.URL)
	var wide []string
	p.Eval(`(() => {
		document.documentElement.style.width = "1000px";
		return [...document.querySelectorAll("main > .scroll, main > .tables .scroll, .draw")].filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent.trim().slice(0, 40));
	})()`, &wide)
	if len(wide) > 0 {
		t.Errorf("these need a scroll bar: %q", wide)
	}
	// All logins have 100 points: up to there the curve is at its highest.
	var marks, covered int
	p.Eval(`document.querySelectorAll("line.mark").length`, &marks)
	p.Eval(`[...document.querySelectorAll("line.mark + text")].filter(e => {
		const words = e.getBBox(), curve = e.parentNode.querySelector(".curve").getBBox();
		return words.y + words.height > curve.y;
	}).length`, &covered)
	if marks == 0 || covered > 0 {
		t.Errorf("of %d marks of a threshold %d have their words on the curve", marks, covered)
	}
}
