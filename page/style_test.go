package page

import (
	"bytes"
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

var (
	rootBlock = regexp.MustCompile(`:root \{([^}]*)\}`)
	colour    = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)
	used      = regexp.MustCompile(`var\(--([a-z-]+)\)`)
)

// palettes reads the light and the dark colours from the style sheet.
func palettes(t *testing.T) (string, map[string]map[string]string) {
	t.Helper()
	var raw []byte
	for _, name := range append([]sheet{"style.css"}, sheets...) {
		one, err := fs.ReadFile(files, string(name))
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, one...)
	}
	blocks := rootBlock.FindAllStringSubmatch(string(raw), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d palettes, wanted light and dark", len(blocks))
	}
	both := map[string]map[string]string{}
	for i, name := range []string{"light", "dark"} {
		both[name] = map[string]string{}
		for _, m := range colour.FindAllStringSubmatch(blocks[i][1], -1) {
			both[name][m[1]] = m[2]
		}
	}
	return string(raw), both
}

func hex(t *testing.T, digits string) rgb {
	t.Helper()
	c, err := parseColour("#" + digits)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryPairOfColoursHasTheContrastOfWCAG(t *testing.T) {
	const text, control = 4.5, 3.0
	pairs := []struct {
		front, back string
		least       float64
	}{
		{"text", "card", text}, {"text", "ground", text}, {"text", "tint", text}, {"text", "bad-tint", text},
		{"soft", "card", text}, {"soft", "ground", text}, {"soft", "tint", text},
		{"accent", "card", text}, {"accent", "ground", text}, {"accent", "tint", text},
		{"accent-hover", "card", text}, {"accent-hover", "ground", text},
		{"on-accent", "accent", text}, {"on-accent", "accent-hover", text},
		{"bad", "card", text}, {"bad", "bad-tint", text}, {"bad", "tint", text},
		{"edge", "card", control}, {"edge", "tint", control},
		{"accent", "card", control}, {"bad", "card", control},
	}
	_, both := palettes(t)
	for name, palette := range both {
		for _, p := range pairs {
			front, back := palette[p.front], palette[p.back]
			if front == "" || back == "" {
				t.Errorf("%s: %s or %s is missing", name, p.front, p.back)
				continue
			}
			if got := contrast(hex(t, front), hex(t, back)); got < p.least {
				t.Errorf("%s: %s on %s has %.2f, wants %.1f", name, p.front, p.back, got, p.least)
			}
		}
	}
}

func TestEveryColourIsInBothPalettesAndNoneElsewhere(t *testing.T) {
	raw, both := palettes(t)
	for name := range both["light"] {
		if both["dark"][name] == "" {
			t.Errorf("the dark palette lacks %s", name)
		}
	}
	if len(both["light"]) != len(both["dark"]) {
		t.Error("the palettes have not the same colours")
	}
	seen := map[string]bool{}
	for _, m := range used.FindAllStringSubmatch(raw, -1) {
		if both["light"][m[1]] == "" {
			t.Errorf("the colour %s is used and not there", m[1])
		}
		seen[m[1]] = true
	}
	for name := range both["light"] {
		if !seen[name] {
			t.Errorf("the colour %s is never used", name)
		}
	}
	if rest := rootBlock.ReplaceAllString(raw, ""); strings.Contains(rest, "#") {
		t.Error("a colour stands outside the palettes")
	}
	for _, physical := range []string{"left", "right"} {
		if regexp.MustCompile(`(margin|padding|border|text-align|inset)?[-: ]+` + physical + `\b`).MatchString(raw[strings.Index(raw, "* {"):]) {
			t.Errorf("a rule says %s: pages are read from both sides", physical)
		}
	}
}

func TestTheStyleSheetOnEveryPageIsOneOfTheHeader(t *testing.T) {
	s := testSet(t, Options{})
	seen := map[string]bool{}
	for _, p := range everyPage() {
		body, err := p.render(s, "")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := bytes.Cut(body, []byte("<style>"))
		css, _, ok := bytes.Cut(rest, []byte("</style>"))
		if !ok {
			t.Fatalf("%s: there is no style sheet", p.name)
		}
		if got := cspHash(string(css)); !strings.Contains(s.styleHash, got) {
			t.Errorf("%s: its style has %s, the header %s", p.name, got, s.styleHash)
		} else {
			seen[got] = true
		}
		if bytes.Contains(css, []byte("/*")) || bytes.Contains(css, []byte("\n")) {
			t.Errorf("%s: the style sheet was not made compact", p.name)
		}
	}
	if want := len(strings.Fields(s.styleHash)); len(seen) != want {
		t.Errorf("%d style sheets are on the pages, the header lets %d through", len(seen), want)
	}
}
