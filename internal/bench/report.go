package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// tableOptions say what a table is of.
type tableOptions struct {
	title string
	large bool
	// tuned is GOGC=off with a limit.
	tuned bool
	// counts says that latency is measured too and the gates are held against it.
	counts bool
}

// heading says what was measured and how.
func (s *stage) heading() string {
	return fmt.Sprintf(`# What the gateway costs

Measured by `+"`make bench`"+` on %s, %s, %d CPUs: %s rounds of %d s, and more where an interval is too wide. Written by it; do not edit.

Everything runs on one machine: the app, which answers with a fixed body, the Caddys, all from one binary, and `+"`wrk -t%d -c%d`"+`. The contenders are asked in turn, each round beginning with another one. Bare Caddy is a `+"`reverse_proxy`"+`, asked with the same headers as the contender that is compared with it. A ratio is the median of the rounds' ratios to bare Caddy; in brackets the interval of 95 %% of Student's t over the logarithms of the rounds' ratios. CPU is utime and stime of the Caddy per 1,000 requests; bytes and allocations are what its Go runtime counts over 2,000 requests on one connection. A heap as small as bare Caddy's makes its collector a visible cost, which a larger heap would hide: so the tables that count run with `+"`GOGC=off GOMEMLIMIT=300MiB`"+`. The sessions are made by real logins.
`, time.Now().UTC().Format("2 January 2006"), runtime.Version(), runtime.NumCPU(), count(s.rounds), s.seconds, wrkThreads, wrkConnections)
}

// table measures one table and returns it.
func (s *stage) table(ctx context.Context, t tableOptions) (string, error) {
	all := s.contenders(t.large)
	r, err := s.measure(ctx, all, t.counts)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n", t.title)
	fmt.Fprintf(&b, "%d rounds.\n\n| | requests/s | CPU s per 1,000 | bytes | allocations | requests/s, ratio | CPU, ratio | over bare: bytes, allocations |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n", len(r[all[0]].rate))
	for _, c := range all {
		b.WriteString(r.row(c))
	}
	if t.counts {
		rate, err := s.pace(ctx, all, r)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\nLatency at %.0f requests/s, half of what bare Caddy can serve, from when each request was to be sent; medians of the rounds:\n\n| | p50 | p99 |\n| --- | --- | --- |\n", rate)
		for _, c := range all {
			if c.paced {
				fmt.Fprintf(&b, "| %s | %.2f ms | %.2f ms |\n", c.name, median(r[c].p50), median(r[c].p99))
			}
		}
		b.WriteString("\nThe gates:\n\n| | gate | measured | |\n| --- | --- | --- | --- |\n")
		for _, c := range all {
			b.WriteString(r.verdicts(c))
		}
	}
	return b.String(), nil
}

// row is a contender's line.
func (r results) row(c *contender) string {
	got := r[c]
	cpu := fmt.Sprintf("%.4f", median(got.cpu))
	if c.beside != nil {
		cpu += fmt.Sprintf(" (and %.4f of the 204)", median(got.beside))
	}
	line := fmt.Sprintf("| %s | %.0f | %s | %.0f | %.1f |", c.name, median(got.rate), cpu, median(got.bytes), median(got.objects))
	if c.bare == nil {
		return line + " 1 | 1 | |\n"
	}
	bare := r[c.bare]
	return line + fmt.Sprintf(" %s | %s | %+.0f, %+.1f |\n", pairedRatio(got.rate, bare.rate), pairedRatio(got.cpu, bare.cpu),
		over(got.bytes, bare.bytes), over(got.objects, bare.objects))
}

// over is the median of the rounds' differences.
func over(ours, bare []float64) float64 {
	differences := make([]float64, len(ours))
	for i := range ours {
		differences[i] = ours[i] - bare[i]
	}
	return median(differences)
}

// String gives the ratio with its interval.
func (r ratio) String() string {
	if math.IsNaN(r.low) {
		return fmt.Sprintf("%.3f (one round: no interval)", r.median)
	}
	return fmt.Sprintf("%.3f (%.3f to %.3f)", r.median, r.low, r.high)
}

// verdicts says of each gate of a contender whether it is met.
func (r results) verdicts(c *contender) string {
	if c.gate == nil {
		return ""
	}
	got, bare := r[c], r[c.bare]
	cpu := pairedRatio(got.cpu, bare.cpu)
	bytes, objects := over(got.bytes, bare.bytes), over(got.objects, bare.objects)
	var b strings.Builder
	line := func(gate, measured string, met bool) {
		word := "**not met**"
		if met {
			word = "met"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.name, gate, measured, word)
	}
	line(fmt.Sprintf("at most %.0f bytes more", c.gate.bytes), fmt.Sprintf("%+.0f", bytes), math.Round(bytes) <= c.gate.bytes)
	line(fmt.Sprintf("at most %.0f allocations more", c.gate.objects), fmt.Sprintf("%+.1f", objects), math.Round(objects) <= c.gate.objects)
	line(fmt.Sprintf("CPU interval at most %.0f %% to either side", maxWidth*100), fmt.Sprintf("%.1f %%", cpu.width()*100), cpu.width() <= maxWidth)
	line(fmt.Sprintf("its lower end at most %.2f", c.gate.cpu), cpu.String(), cpu.low <= c.gate.cpu)
	return b.String()
}

// count writes a whole number with commas.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
