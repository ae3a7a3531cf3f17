package main

import (
	"strings"
	"testing"
)

// measured are three rounds of bare Caddy and of a contender that costs this
// much more.
func measured(bytes, objects, cpu float64) (results, *contender) {
	bare := &contender{name: "bare"}
	ours := &contender{name: "ours", bare: bare, gate: verified}
	return results{
		bare: {rate: []float64{100, 110, 90}, cpu: []float64{1, 1.1, 0.9}, bytes: []float64{17600, 17610, 17590}, objects: []float64{210, 210, 210}},
		ours: {
			rate: []float64{99, 108, 90}, cpu: []float64{1 * cpu, 1.1 * cpu, 0.9 * cpu},
			bytes: []float64{17600 + bytes, 17610 + bytes, 17590 + bytes}, objects: []float64{210 + objects, 210 + objects, 210 + objects},
		},
	}, ours
}

func TestEveryGateIsMetOrNot(t *testing.T) {
	for _, c := range []struct {
		name                string
		bytes, objects, cpu float64
		notMet              int
	}{
		{"at every limit", 512, 8, 1.03, 0},
		{"a byte more", 513, 8, 1.02, 1},
		{"an allocation more", 512, 9, 1.02, 1},
		{"more CPU", 100, 4, 1.04, 1},
		{"all of them", 600, 12, 1.2, 3},
		{"less than bare Caddy", -10, -1, 0.99, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, ours := measured(c.bytes, c.objects, c.cpu-1e-9)
			got := r.verdicts(ours)
			if n := strings.Count(got, "**not met**"); n != c.notMet || strings.Count(got, "\n") != 4 {
				t.Errorf("%d gates are not met, want %d:\n%s", n, c.notMet, got)
			}
		})
	}
}

func TestAWideIntervalIsNotNarrow(t *testing.T) {
	r, ours := measured(0, 0, 1)
	if !r.narrow() {
		t.Error("an interval without width is not narrow")
	}
	r[ours].cpu = []float64{1, 1.3, 0.7}
	if r.narrow() {
		t.Error("a wide interval is narrow")
	}
	if got := r.verdicts(ours); !strings.Contains(got, "to either side") || strings.Count(got, "**not met**") != 1 {
		t.Errorf("got\n%s", got)
	}
}

func TestARowGivesTheNumbersAndTheRatios(t *testing.T) {
	r, ours := measured(144, 5, 1.01)
	row := r.row(ours)
	for _, want := range []string{"| ours |", "| 99 |", "| 17744 |", "| 215.0 |", "1.010 (1.010 to 1.010)", "+144, +5.0"} {
		if !strings.Contains(row, want) {
			t.Errorf("the row lacks %q: %s", want, row)
		}
	}
	if row := r.row(ours.bare); !strings.HasSuffix(row, " 1 | 1 | |\n") {
		t.Errorf("bare Caddy's row is %s", row)
	}
}

func TestNumbersAreWrittenWithCommas(t *testing.T) {
	for n, want := range map[int]string{1: "1", 999: "999", 1000: "1,000", 100000: "100,000", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}
