package twofactor

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// The widths of a terminal, and of the reasons in a table for it.
const (
	terminalWidth = 80
	reasonWidth   = 44
)

// write writes a table for people.
func (r *explainResult) write(w io.Writer) error {
	d := &r.Decision
	var b strings.Builder
	lines(&b, fmt.Sprintf("A login of %s in instance %s, by the policy of %s (%s), at %s:",
		plain(r.User), r.Instance, r.whose(), d.Policy, r.Facts.Time.UTC().Format(time.RFC3339)))
	lines(&b, r.from())
	b.WriteByte('\n')
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SIGNAL\tPOINTS\tSTATE\tREASON")
	for _, s := range d.Assessment.Signals {
		name, points, state := s.Name, strconv.Itoa(s.Points), string(s.State)
		for _, line := range wrapped(plain(s.Reason), reasonWidth) {
			fmt.Fprintf(table, "%s\t%6s\t%s\t%s\n", name, points, state, line)
			name, points, state = "", "", ""
		}
	}
	fmt.Fprintf(table, "score\t%6d\t\t\n", d.Assessment.Score)
	if err := table.Flush(); err != nil {
		return err
	}
	b.WriteByte('\n')
	lines(&b, fmt.Sprintf("Decision: %s, %s.", d.Verdict, plain(d.Reason)))
	lines(&b, r.thresholds())
	outcome := "The login would be " + r.Outcome
	if len(r.Factors) > 0 {
		outcome += ", by " + strings.Join(r.Factors, " or ")
	}
	lines(&b, outcome+".")
	for _, note := range r.Notes {
		lines(&b, "Note: "+plain(note))
	}
	_, err := io.WriteString(w, withoutTrailingBlanks(b.String()))
	return err
}

func (r *explainResult) whose() string {
	if r.By == "instance" {
		return "the instance"
	}
	return r.By
}

// from says where the login would come from.
func (r *explainResult) from() string {
	f := &r.Facts
	parts := []string{"an unknown address"}
	if f.Address.IsValid() {
		parts[0] = f.Address.String()
	}
	if f.Place.Country != "" {
		parts = append(parts, "country "+f.Place.Country)
	}
	if f.Place.Network != 0 {
		parts = append(parts, "network AS"+strconv.FormatUint(uint64(f.Place.Network), 10))
	}
	browser := "an unknown browser"
	if f.Agent.Browser != "" {
		browser = f.Agent.Browser
	}
	if f.Agent.System != "" {
		browser += " on " + f.Agent.System
	}
	parts = append(parts, browser)
	switch f.Device {
	case policy.DeviceKnown:
		parts = append(parts, "a remembered browser")
	case policy.DeviceStolen:
		parts = append(parts, "an old token of a remembered browser")
	case policy.DeviceNone:
		parts = append(parts, "a browser that is not remembered")
	}
	return "from " + plain(strings.Join(parts, ", ")) + "."
}

// thresholds says by which scores it was decided.
func (r *explainResult) thresholds() string {
	t := r.Decision.Thresholds
	text := "A code is asked for at every login"
	if t.Challenge > 0 {
		text = fmt.Sprintf("A code is asked for from %d points on", t.Challenge)
	}
	if t.High > 0 {
		who := "no browser is remembered"
		if factors := t.HighFactors; len(factors) > 0 {
			who = "only " + strings.Join(factors, " or ") + " may answer, and " + who
		}
		text += fmt.Sprintf("; from %d on %s", t.High, who)
	}
	if t.Deny > 0 {
		text += fmt.Sprintf("; from %d on nobody gets in", t.Deny)
	}
	if t.High > 0 || t.Deny > 0 {
		return text + ". For high and deny, points for failed passwords do not count."
	}
	return text + "."
}

// lines writes a text in lines that fit a terminal.
func lines(b *strings.Builder, text string) {
	for _, line := range wrapped(text, terminalWidth) {
		b.WriteString(line)
		b.WriteByte('\n')
	}
}

// wrapped breaks a text at its blanks, and a word that is longer than a line
// within it. It returns one line at least.
func wrapped(text string, width int) (list []string) {
	var line []rune
	for _, word := range strings.Fields(text) {
		w := []rune(word)
		if len(line) > 0 && len(line)+1+len(w) > width {
			list, line = append(list, string(line)), nil
		}
		if len(line) > 0 {
			line = append(line, ' ')
		}
		line = append(line, w...)
		for len(line) > width {
			list, line = append(list, string(line[:width])), line[width:]
		}
	}
	if len(line) > 0 || len(list) == 0 {
		list = append(list, string(line))
	}
	return list
}

func withoutTrailingBlanks(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(line, " \n"))
		b.WriteByte('\n')
	}
	return b.String()
}
