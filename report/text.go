package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Text writes the report as tables for a terminal.
func (r *Report) Text(w io.Writer) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s\n%s\n", r.Period(), r.Sources())
	if r.Empty() {
		fmt.Fprintln(&out, "There were no logins with a right password in this period.")
	} else {
		fmt.Fprintln(&out, r.What())
		r.policies().write(&out)
		r.outcomes().write(&out)
		for i := range r.Policies {
			f := &r.Policies[i]
			fmt.Fprintf(&out, "\n== %s ==\n", f.Title())
			for _, t := range f.tables() {
				t.write(&out)
			}
		}
	}
	for i, n := range r.Notes {
		if i == 0 {
			fmt.Fprintln(&out)
		}
		fmt.Fprintf(&out, "Note: %s\n", n)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// Title names the policy.
func (f *Figures) Title() string {
	if f.Replayed {
		return f.Name + ", replayed"
	}
	return f.Name
}

// write writes the table with numbers to the right; nothing if it is empty.
func (t table) write(out *bytes.Buffer) {
	if len(t.Rows) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", t.Title)
	head := make([]string, len(t.Head))
	for i, h := range t.Head {
		head[i] = strings.ToUpper(h)
	}
	columns := make([]int, len(head))
	for _, row := range append([][]string{head}, t.Rows...) {
		for i, cell := range row {
			columns[i] = max(columns[i], len([]rune(cell)))
		}
	}
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, t.Rows...) {
		for i, cell := range row {
			switch {
			case cell == "":
				cell = "-"
			case i >= t.Words:
				cell = strings.Repeat(" ", columns[i]-len([]rune(cell))) + cell
			}
			row[i] = cell
		}
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	_ = tw.Flush() // A buffer takes all.
}
