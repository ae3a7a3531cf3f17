package report

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestAPriceIsCountedExactly(t *testing.T) {
	for _, c := range []struct {
		price string
		texts int
		want  json.Number
	}{
		{"0.075", 0, "0.00"}, {"0.075", 4, "0.30"}, {"0.075", 1234, "92.55"}, {"0.075", 47, "3.525"}, {"0.000001", 1, "0.000001"},
		{"12", 3, "36.00"}, {"007.5", 2, "15.00"}, {"0.1", 3, "0.30"}, {"999999999.999999", 1_000_000, "999999999999999.00"},
	} {
		p, err := ParsePrice(c.price, "EUR")
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Of(c.texts); got != c.want {
			t.Errorf("%d texts at %s cost %s, want %s", c.texts, c.price, got, c.want)
		}
		if raw, err := json.Marshal(p); err != nil || !json.Valid(raw) {
			t.Errorf("%s gives %s, %v", c.price, raw, err)
		}
	}
	for _, bad := range []string{"", "-1", "1e3", "0,075", "NaN", "0.0000001", "1234567890", "1.", ".5", "1 "} {
		if _, err := ParsePrice(bad, ""); err == nil {
			t.Errorf("%q is taken as a price", bad)
		}
	}
	for _, bad := range []string{"<b>", "E R", "ABCDEFGHI", "\u202e", "€€"} {
		if _, err := ParsePrice("1", bad); err == nil {
			t.Errorf("%q is taken as a currency", bad)
		}
	}
	if _, err := ParsePrice("1", "€"); err != nil {
		t.Error(err)
	}
}

func TestTheStepsOfTheScoresAreThoseThatChangeSomething(t *testing.T) {
	for name, c := range map[string]struct {
		scores map[int]int
		want   []ScoreFigures
	}{
		"nothing":         {nil, []ScoreFigures{}},
		"only no points":  {map[int]int{0: 5}, []ScoreFigures{{0, 5}, {10, 0}}},
		"several":         {map[int]int{0: 5, 9: 1, 60: 2, 65: 1, 130: 1}, []ScoreFigures{{0, 10}, {60, 4}, {130, 1}, {140, 0}}},
		"none without":    {map[int]int{100: 57, 115: 7}, []ScoreFigures{{100, 64}, {110, 7}, {120, 0}}},
		"the highest one": {map[int]int{maxScore: 1}, []ScoreFigures{{maxScore, 1}, {maxScore + 10, 0}}},
	} {
		if got := scoreSteps(c.scores); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestTheCurveOfTheScoresBeginsWithAllLogins(t *testing.T) {
	f := Figures{Logins: 64, Scores: scoreSteps(map[int]int{0: 61, 100: 3}), Threshold: 50}
	p := f.scorePlot()
	// The axis of 64 ends at 80, and that of 110 at 150.
	if want := "M62 68H65.7V212.9H440.4V220H624"; p.Line != want {
		t.Errorf("the curve is %s, want %s", p.Line, want)
	}
	if top := p.YTicks[len(p.YTicks)-1]; top.Words != "80" || top.At != plotTop {
		t.Errorf("the axis ends at %+v", top)
	}
	if p.Mark == nil || p.Mark.Words != "asked from 50 on" {
		t.Errorf("the threshold is not marked: %+v", p.Mark)
	}
}

func TestTheMedianIsTheMiddleOne(t *testing.T) {
	for want, counts := range map[float64][]int{0: nil, 3: {3}, 2: {9, 1, 2}, 1.5: {2, 1}, 2.5: {4, 1, 3, 2}} {
		if got := median(counts); got != want {
			t.Errorf("of %v: got %v, want %v", counts, got, want)
		}
	}
}

func TestAxesEndAboveTheirNumbers(t *testing.T) {
	for most, want := range map[int]int{0: 1, 1: 1, 5: 5, 6: 6, 7: 8, 23: 25, 101: 150, 1600: 2000, 99999: 100000} {
		ticks, top := yAxis(most)
		if top != want || len(ticks) > 6 || ticks[0].At != plotBase || ticks[len(ticks)-1].At != plotTop {
			t.Errorf("up to %d: the axis ends at %d, want %d; %v", most, top, want, ticks)
		}
	}
}

func TestNoTextOfALogTurnsOrHidesWhatFollows(t *testing.T) {
	for text, want := range map[string]string{
		"Anna": "Anna", "a\u202egnp": "a�gnp", "\x1b[2J": "�[2J", "a\nb": "a�b", "zero\u200bwidth": "zero�width", "\xff": "�", "Ärger": "Ärger",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if got := clean(strings.Repeat("ä", 400)); len(got) > maxText+len("…") {
		t.Errorf("a long text has %d bytes still", len(got))
	}
}
