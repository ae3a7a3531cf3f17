package report_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/report"
)

const hostile = `<script>alert(1)</script>"'&\u202e`

// hostileReport has a user and a candidate that would break out of a page.
func hostileReport(t *testing.T) *report.Report {
	t.Helper()
	dir := t.TempDir()
	line := strings.ReplaceAll(observed(start, "anna"), `"user":"anna"`, `"user":"<script>alert(1)</script>\"'&\u202e"`)
	put(t, dir, "audit.log", strings.Replace(line, `"crm"`, `"</td><img src=x>"`, 1)+line[:40]+"\n")
	q := month()
	var err error
	if q.Price, err = report.ParsePrice("0.075", "EUR"); err != nil {
		t.Fatal(err)
	}
	q.Candidates = []report.Candidate{{Name: hostile, Rules: policy.Rules{Preset: policy.EveryLogin}}}
	return mustReport(t, read(t, dir), q)
}

func pageOf(t *testing.T, r *report.Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := r.HTML(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// elements are all elements of a page.
func elements(t *testing.T, page string) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var list []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			list = append(list, n)
		}
	}
	return list
}

func TestThePageNeedsNothingAndRunsNothing(t *testing.T) {
	page := pageOf(t, hostileReport(t))
	for _, e := range elements(t, page) {
		switch e.Data {
		case "script", "img", "link", "iframe", "object", "embed", "form", "a", "use", "image":
			t.Errorf("the page has a <%s>", e.Data)
		}
		for _, a := range e.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "href" || a.Key == "style" {
				t.Errorf("<%s> has %s=%q", e.Data, a.Key, a.Val)
			}
		}
	}
	if strings.Contains(page, "url(") || strings.Contains(page, "@import") {
		t.Error("the style asks for something")
	}
	if !strings.Contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the name of the user is not on the page")
	}
	if strings.ContainsAny(page, "\u202e\x00") {
		t.Error("the page has a character that turns what follows around")
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("a value stands where it may not")
	}
}

func TestThePageCanBeReadWithoutSeeingIt(t *testing.T) {
	var plots, tables int
	for _, e := range elements(t, pageOf(t, hostileReport(t))) {
		attr := map[string]string{}
		for _, a := range e.Attr {
			attr[a.Key] = a.Val
		}
		switch e.Data {
		case "svg":
			if attr["aria-hidden"] == "true" {
				continue
			}
			plots++
			if attr["role"] != "img" || len(attr["aria-label"]) < 20 {
				t.Errorf("a plot says %q", attr["aria-label"])
			}
		case "table":
			tables++
			if e.FirstChild.Data != "caption" {
				t.Error("a table has no caption")
			}
		case "th":
			if attr["scope"] == "" {
				t.Error("a heading of a table does not say of what")
			}
		case "html":
			if attr["lang"] != "en" {
				t.Error("the page does not say its language")
			}
		}
	}
	if plots != 5 || tables < 8 {
		t.Errorf("there are %d plots and %d tables", plots, tables)
	}
}

func TestPlotsHaveAxesAndNoNumberThatIsNone(t *testing.T) {
	page := pageOf(t, hostileReport(t))
	for _, want := range []string{">Day (UTC)</text>", ">Points</text>", ">Logins</text>", ">Logins that are asked, in percent</text>", ">11-01</text>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the plots lack %s", want)
		}
	}
	if m := regexp.MustCompile(`"[^"]*(NaN|Inf|e[+-]\d)[^"]*"`).FindString(page); m != "" {
		t.Errorf("a drawing has %s", m)
	}
	if m := regexp.MustCompile(`(width|height)="-`).FindString(page); m != "" {
		t.Errorf("a drawing has %s", m)
	}
}

func TestAPeriodWithoutLoginsSaysSo(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "audit.log", observed(start.AddDate(0, -3, 0), "anna"))
	q := month()
	q.Candidates = []report.Candidate{{Name: "new_ip", Rules: policy.Rules{Preset: policy.OnNewIP}}}
	r := mustReport(t, read(t, dir), q)
	var text bytes.Buffer
	if err := r.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{text.String(), pageOf(t, r)} {
		if !strings.Contains(out, "There were no logins with a right password in this period.") || strings.Contains(out, "NaN") {
			t.Errorf("got\n%s", out)
		}
	}
}
