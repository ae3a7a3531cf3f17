package main

import (
	"math"
	"testing"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-3 }

func TestMedianIsTheMiddle(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{3, 1, 2}, 2},
		{[]float64{4, 1, 3, 2}, 2.5},
		{[]float64{1, 1, 1, 100}, 1},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("nothing has a median")
	}
}

func TestQuantileIsTheNearestRank(t *testing.T) {
	sorted := make([]float64, 100)
	for i := range sorted {
		sorted[i] = float64(i + 1)
	}
	for q, want := range map[float64]float64{0: 1, 0.5: 50, 0.99: 99, 0.991: 100, 1: 100} {
		if got := quantile(sorted, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := quantile([]float64{7}, 0.99); got != 7 {
		t.Errorf("of one value it is %v", got)
	}
}

func TestThePairedRatioCancelsWhatSlowsARoundForBoth(t *testing.T) {
	// Rounds that differ by a factor of 5, but ours always 10 % more.
	r := pairedRatio([]float64{1.1, 2.2, 5.5}, []float64{1, 2, 5})
	if !near(r.median, 1.1) || !near(r.low, 1.1) || !near(r.high, 1.1) || r.width() > 1e-9 {
		t.Errorf("got %+v", r)
	}
}

func TestTheIntervalIsStudents(t *testing.T) {
	// Worked by hand: logs 0, ln 1.1, ln 1.2 have the mean 0.09254 and the
	// deviation 0.09127; t(2) = 4.303; half = 4.303 * 0.09127 / sqrt(3) = 0.22674.
	r := pairedRatio([]float64{1, 1.1, 1.2}, []float64{1, 1, 1})
	if !near(r.median, 1.1) || !near(r.low, math.Exp(0.09254-0.22674)) || !near(r.high, math.Exp(0.09254+0.22674)) {
		t.Errorf("got %+v", r)
	}
	if !near(r.width(), math.Exp(0.22674)-1) {
		t.Errorf("the width is %v", r.width())
	}
}

func TestOneRoundHasNoIntervalAndMeetsNoGate(t *testing.T) {
	r := pairedRatio([]float64{1.1}, []float64{1})
	if !near(r.median, 1.1) || !math.IsNaN(r.low) || !math.IsNaN(r.high) {
		t.Errorf("got %+v", r)
	}
	bare := &contender{name: "bare"}
	ours := &contender{name: "ours", bare: bare, gate: verified}
	one := results{bare: {cpu: []float64{1}}, ours: {cpu: []float64{1}}}
	if one.narrow() {
		t.Error("an interval that is none is narrow")
	}
}

func TestStudentFallsWithTheRounds(t *testing.T) {
	if student(1) != 12.706 || student(9) != 2.262 || student(30) != 2.042 || student(500) != 2.042 {
		t.Errorf("got %v %v %v %v", student(1), student(9), student(30), student(500))
	}
	for n := 2; n < 40; n++ {
		if student(n) > student(n-1) {
			t.Errorf("%d degrees have more than %d", n, n-1)
		}
	}
}
