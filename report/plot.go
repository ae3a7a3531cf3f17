package report

import (
	"fmt"
	"math"
	"strings"
)

// The size of a plot and of the room around it, in the units of its drawing.
const (
	plotWide, plotHigh                            = 640.0, 266.0
	plotLeft, plotRight, plotTop, plotBelow       = 62.0, 16.0, 30.0, 46.0
	plotInner, plotBase                           = plotWide - plotLeft - plotRight, plotHigh - plotBelow
	plotRise                                      = plotBase - plotTop
	shareRow, shareBar, shareLeft, shareBelowRows = 40.0, 22.0, 170.0, 46.0
)

// plot is a drawing, laid out.
type plot struct {
	Title, Says    string
	XTitle, YTitle string
	Wide, High     float64
	// Left and Right are where the axis begins and ends, Base is where it lies.
	Left, Right, Base float64
	XTicks, YTicks    []tick
	Bars              []bar
	Line              string
	Mark              *mark
	Legend            []legend
}

// tick is a place on an axis with its words.
type tick struct {
	At    float64
	Words string
}

// mark is a line across a plot, with words beside it.
type mark struct {
	tick
	// Anchor is the end of the words that is at the line, Gap what is between.
	Anchor string
	Gap    float64
}

type bar struct {
	X, Y, Wide, High float64
	Class, Says      string
}

type legend struct{ Class, Words string }

// Middle is the middle of the axis.
func (p plot) Middle() float64 { return (p.Left + p.Right) / 2 }

// round keeps a drawing short.
func round(x float64) float64 { return math.Round(x*10) / 10 }

// niceStep is a step of 1, 2 or 5 times a power of ten of which at most 5 reach a
// number.
func niceStep(most int) int {
	for step := 1; ; step *= 10 {
		for _, n := range []int{1, 2, 5} {
			if most <= 5*n*step {
				return n * step
			}
		}
	}
}

// yAxis returns ticks up to at least a number, and that of the uppermost.
func yAxis(most int) ([]tick, int) {
	step := niceStep(max(most, 1))
	top := (max(most, 1) + step - 1) / step * step
	var ticks []tick
	for n := 0; n <= top; n += step {
		ticks = append(ticks, tick{round(plotBase - plotRise*float64(n)/float64(top)), number(n)})
	}
	return ticks, top
}

func emptyPlot(title, x, y string) plot {
	return plot{Title: title, XTitle: x, YTitle: y, Wide: plotWide, High: plotHigh, Left: plotLeft, Right: plotWide - plotRight, Base: plotBase}
}

// maxDayTicks is how many days are named below a plot.
const maxDayTicks = 7

// dayPlot shows the logins of each day, with those that were asked and refused.
func (f *Figures) dayPlot() plot {
	p := emptyPlot("Logins by day", "Day (UTC)", "Logins")
	p.Legend = []legend{{"let", "let in"}, {"asked", "asked"}, {"refused", "refused"}}
	p.Says = fmt.Sprintf("%d logins in %d days: %d asked, %d refused. The table below has the numbers.", f.Logins, len(f.Days), f.Asked, f.Refused)
	most := 0
	for _, d := range f.Days {
		most = max(most, d.Logins)
	}
	ticks, top := yAxis(most)
	p.YTicks = ticks
	each := plotInner / float64(max(len(f.Days), 1))
	wide := min(max(each*0.8, 0.5), 48)
	named := (len(f.Days) + maxDayTicks - 1) / maxDayTicks
	for i, d := range f.Days {
		middle := plotLeft + each*(float64(i)+0.5)
		says := fmt.Sprintf("%s: %d logins, %d asked, %d refused", d.Day, d.Logins, d.Asked, d.Refused)
		y := plotBase
		for _, part := range []struct {
			n     int
			class string
		}{{d.Logins - d.Asked - d.Refused, "let"}, {d.Asked, "asked"}, {d.Refused, "refused"}} {
			if part.n > 0 {
				high := plotRise * float64(part.n) / float64(top)
				y -= high
				p.Bars = append(p.Bars, bar{round(middle - wide/2), round(y), round(wide), round(high), part.class, says})
			}
		}
		if i%named == 0 {
			p.XTicks = append(p.XTicks, tick{round(middle), d.Day[5:]})
		}
	}
	return p
}

// scorePlot shows how many logins reach each score, from which a threshold can
// be chosen.
func (f *Figures) scorePlot() plot {
	p := emptyPlot("Logins by score: how many have so many points or more", "Points", "Logins")
	most := stepOf
	for _, s := range f.Scores {
		most = max(most, s.AtLeast)
	}
	ticks, top := yAxis(f.Logins)
	p.YTicks = ticks
	step := niceStep(most)
	end := float64((most + step - 1) / step * step)
	x := func(score int) float64 { return round(plotLeft + plotInner*float64(score)/end) }
	y := func(logins int) float64 { return round(plotBase - plotRise*float64(logins)/float64(top)) }
	for n := 0; float64(n) <= end; n += step {
		p.XTicks = append(p.XTicks, tick{x(n), number(n)})
	}
	var line strings.Builder
	fmt.Fprintf(&line, "M%g %g", x(0), y(f.Logins))
	for i := 1; i < len(f.Scores); i++ {
		// A threshold asks whoever has just reached it, and not one point more.
		fmt.Fprintf(&line, "H%gV%g", x(f.Scores[i-1].AtLeast+1), y(f.Scores[i].Logins))
	}
	fmt.Fprintf(&line, "H%g", plotLeft+plotInner)
	p.Line = line.String()
	p.Says = fmt.Sprintf("The number of logins falls from %d at 0 points or more to 0 at %d. The table below has the numbers.", f.Logins, most)
	if f.Threshold > 0 && float64(f.Threshold) <= end {
		p.Mark = &mark{tick{x(f.Threshold), fmt.Sprintf("asked from %d on", f.Threshold)}, "start", 6}
		if p.Mark.At > p.Middle() {
			p.Mark.Anchor, p.Mark.Gap = "end", -6
		}
	}
	return p
}

// sharePlot compares how much the policies ask.
func (r *Report) sharePlot() plot {
	p := plot{Title: "Share of logins that each policy asks", XTitle: "Logins that are asked, in percent", Wide: plotWide, Left: shareLeft, Right: plotWide - plotRight - 40}
	p.Base = shareRow*float64(len(r.Policies)) + 6
	p.High = p.Base + shareBelowRows
	var says []string
	for i := range r.Policies {
		f := &r.Policies[i]
		top := shareRow*float64(i) + (shareRow-shareBar)/2 + 3
		p.YTicks = append(p.YTicks, tick{top + shareBar/2, shorten(f.Name, 22)})
		text := fmt.Sprintf("%s: %s", f.Name, share(f.Asked, f.Logins))
		p.Bars = append(p.Bars, bar{p.Left, top, round((p.Right - p.Left) * f.Share() / 100), shareBar, "asked", text})
		says = append(says, text)
	}
	for n := 0; n <= 100; n += 20 {
		p.XTicks = append(p.XTicks, tick{round(p.Left + (p.Right-p.Left)*float64(n)/100), number(n)})
	}
	p.Says = strings.Join(says, "; ")
	return p
}

// shorten keeps the end of a name, where that of a file is.
func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return "…" + string(r[len(r)-most+1:])
	}
	return s
}
