package main

import (
	"math"
	"slices"
)

// median of the values; NaN of none.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// quantile returns the value below which the share q of the sorted values lies,
// by the nearest rank.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// ratio is how many times as much as bare Caddy something costs.
type ratio struct {
	median, low, high float64
}

// pairedRatio compares two series round by round. The interval is that of 95 %
// of Student's t for the mean of the logarithms of the rounds' ratios, so that
// what slows the machine for a round slows both. Of fewer than two rounds there
// is none.
func pairedRatio(ours, bare []float64) ratio {
	logs, ratios := make([]float64, len(ours)), make([]float64, len(ours))
	mean := 0.0
	for i := range ours {
		ratios[i] = ours[i] / bare[i]
		logs[i] = math.Log(ratios[i])
		mean += logs[i] / float64(len(ours))
	}
	r := ratio{median: median(ratios), low: math.NaN(), high: math.NaN()}
	if len(logs) < 2 {
		return r
	}
	squares := 0.0
	for _, l := range logs {
		squares += (l - mean) * (l - mean)
	}
	n := float64(len(logs))
	half := student(len(logs)-1) * math.Sqrt(squares/(n-1)) / math.Sqrt(n)
	r.low, r.high = math.Exp(mean-half), math.Exp(mean+half)
	return r
}

// width is how far the interval reaches to either side, as a share of its
// middle.
func (r ratio) width() float64 { return math.Sqrt(r.high/r.low) - 1 }

// student is the two-sided 95 % quantile of Student's t.
func student(freedom int) float64 {
	table := []float64{
		12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
		2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
		2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
	}
	if freedom <= len(table) {
		return table[freedom-1]
	}
	// A little more than the true value from here on.
	return table[len(table)-1]
}
