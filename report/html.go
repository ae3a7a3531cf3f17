package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html
var pageText string

// page is parsed once; it is the same for every report.
var page = template.Must(template.New("page").Parse(pageText))

// pageView is what the page shows.
type pageView struct {
	*Report
	Cards    []card
	Shares   plot
	Compare  table
	Outcomes table
	Sections []section
}

// card is a figure that stands out.
type card struct{ Figure, Words string }

// section is one policy.
type section struct {
	Title        string
	Days, Scores plot
	DayTable     table
	Tables       []table
}

// HTML writes the report as a page that needs nothing else: no script, no font,
// no picture of another file.
func (r *Report) HTML(w io.Writer) error {
	v := pageView{Report: r}
	if !r.Empty() {
		v.Cards, v.Shares, v.Compare, v.Outcomes = r.cards(), r.sharePlot(), r.policies(), r.outcomes()
		for i := range r.Policies {
			f := &r.Policies[i]
			v.Sections = append(v.Sections, section{f.Title(), f.dayPlot(), f.scorePlot(), f.dayTable(), f.tables()})
		}
	}
	if err := page.Execute(w, v); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// cards are the figures of the recorded policy that people look for first.
func (r *Report) cards() []card {
	f := &r.Policies[0]
	would := ""
	if r.Enforced == 0 {
		would = "would have been "
	}
	list := []card{
		{share(f.Asked, f.Logins), "of " + number(f.Logins) + " logins " + would + "asked for a code"},
		{number(f.UsersAsked), "of " + number(f.Users) + " users were among them"},
		{number(f.Refused), "logins " + would + "refused by score"},
	}
	if r.Price != nil {
		list = append(list, card{r.Price.show(f.CostAtMost), "at most for texts, at " + r.Price.show(r.Price.PerText) + " each"})
	}
	return list
}

func (f *Figures) dayTable() table {
	t := table{Title: "By day", Head: []string{"Day (UTC)", "Logins", "Asked", "Refused"}, Words: 1}
	for _, d := range f.Days {
		t.Rows = append(t.Rows, []string{d.Day, number(d.Logins), number(d.Asked), number(d.Refused)})
	}
	return t
}
