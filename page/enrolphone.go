package page

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// Country is one that a number may be of.
type Country struct {
	// Region is its ISO 3166-1 code, "SE".
	Region string
	// Code is its calling code, 46.
	Code int
}

// NumberProblem says what was wrong with the number that was entered last.
type NumberProblem int

const (
	// NumberNone: no number was entered yet.
	NumberNone NumberProblem = iota
	// NumberEmpty: the field was left empty.
	NumberEmpty
	// NumberInvalid: no number of the country has these digits.
	NumberInvalid
	// NumberKind: a number of a kind that is not taken, such as a premium rate or a
	// landline.
	NumberKind
	// NumberCountry: no texts are sent to the number's country.
	NumberCountry
	// NumberSame: the number that is set up already.
	NumberSame
	// NumberTooMany: too many texts were asked for; none is sent for now.
	NumberTooMany
)

// EnrolPhonePage asks for the number of a phone that gets codes by SMS.
type EnrolPhonePage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty.
	User string
	// Countries are those to choose from, at least one. They are sorted by their
	// names in the language of the page, which stays under 14 KiB with up to 80 of them,
	// whatever the language.
	Countries []Country
	// Region and Number are what was chosen and typed. They may be empty.
	Region, Number string
	// Problem says what was wrong with the last number.
	Problem NumberProblem
	// Post takes FieldRegion and FieldNumber.
	Post Post
	// Replaces is the last digits of the number that the new one replaces. Empty: it
	// replaces none.
	Replaces string
	// Member is the user for whom the account's owner sets the number. Empty: it is
	// the person's own.
	Member string
	// Back is the address to go back to, fetched by GET. Empty: no link.
	Back string
	// Cancel ends the sign-in; nil: no button.
	Cancel *Post
}

type enrolPhoneView struct {
	insideView
	Text      [][]part
	Form      *postView
	Countries []countryView
	// Choose is shown above the countries where none is chosen yet.
	Choose    []part
	AtCountry bool
	Number    inputView
	Submit    []part
	Warning   []part
}

type countryView struct {
	Region, Name string
	Chosen       bool
}

// EnrolPhone renders the page that asks for a number. It returns an error, and no
// page, for no country and for one whose region is no ISO 3166-1 code.
func (s *Set) EnrolPhone(l Lang, p EnrolPhonePage) ([]byte, error) {
	if len(p.Countries) == 0 {
		return nil, errors.New("page: enrol phone: no country to choose from")
	}
	sp, site := s.inside(l), given("site", s.siteOr(p.Host))
	var to target
	v := enrolPhoneView{
		Text:    p.text(sp),
		Form:    to.post("post", &p.Post),
		Submit:  sp.say("challenge.send.first"),
		Warning: sp.say("enrol.phone.warning", site),
	}
	if p.Member != "" {
		v.Submit = sp.say("enrol.phone.save")
	}
	v.Heading = p.heading(sp)
	v.Who = sp.who(site, p.User)
	v.Back = to.local("href", "back", p.Back)
	v.Cancel = to.post("cancel", p.Cancel)
	v.Status = sp.say("enrol.phone.status", site)
	if p.Member != "" {
		v.Status = sp.say("enrol.phone.status.member", brief("member", p.Member), site)
	}
	countries, err := p.countries(sp)
	if err != nil {
		return nil, err
	}
	v.Countries = countries
	if !slices.ContainsFunc(countries, func(c countryView) bool { return c.Chosen }) {
		v.Choose = sp.say("enrol.phone.choose")
	}
	v.Alert = p.alert(sp)
	v.AtCountry = p.Problem == NumberCountry
	v.Number = inputView{
		ID: "number", Name: FieldNumber, Value: tidyTo(p.Number, maxNumber),
		Label: sp.say("enrol.phone.number"), Hint: sp.say("enrol.phone.number.hint"),
		Class: "line", Type: "tel", Dir: "ltr", Mode: "tel", Complete: "tel-national", Max: maxNumber,
		Focus:   v.Choose == nil && !v.AtCountry,
		Invalid: v.Alert != nil && v.Alert.At == "number",
	}
	return s.renderInside(pageEnrolPhone, sp, &to, p.Host, &v.insideView, &v)
}

// maxNumber is the number of characters that the field for a number takes: 15
// digits [ITU-T E.164] with blanks and hyphens around each.
const maxNumber = 40

func (p EnrolPhonePage) heading(sp *speaker) []part {
	switch {
	case p.Member != "":
		return sp.say("enrol.phone.title.member", brief("member", p.Member))
	case p.Replaces != "":
		return sp.say("enrol.phone.title.replace")
	}
	return sp.say("enrol.phone.title")
}

// text says what happens to the number.
func (p EnrolPhonePage) text(sp *speaker) [][]part {
	var lines [][]part
	if p.Member == "" {
		lines = append(lines, sp.say("enrol.phone.cost"))
	}
	switch {
	case p.Replaces != "" && p.Member != "":
		lines = append(lines, sp.say("enrol.phone.replaces.member", brief("ending", p.Replaces), brief("member", p.Member)))
	case p.Replaces != "":
		lines = append(lines, sp.say("enrol.phone.replaces", brief("ending", p.Replaces)))
	}
	return lines
}

// countries are those to choose from, by their names in the language of the page.
func (p EnrolPhonePage) countries(sp *speaker) ([]countryView, error) {
	names := sp.regions()
	mark := ""
	if sp.c.direction == "rtl" {
		// Without the mark the plus sign would stand on the other side; no element can
		// isolate it in an option.
		mark = "\u200e"
	}
	views := make([]countryView, 0, len(p.Countries))
	for _, c := range p.Countries {
		region, err := language.ParseRegion(c.Region)
		if err != nil || c.Code <= 0 {
			return nil, fmt.Errorf("page: enrol phone: country %q (+%d): %w", c.Region, c.Code, err)
		}
		views = append(views, countryView{
			Region: c.Region,
			Name: sp.plain("enrol.phone.country.of", words("country", names.Name(region)),
				words("code", mark+"+"+strconv.Itoa(c.Code))),
			Chosen: c.Region == p.Region,
		})
	}
	order := collate.New(sp.c.tag)
	slices.SortStableFunc(views, func(a, b countryView) int { return order.CompareString(a.Name, b.Name) })
	return views, nil
}

// numberProblems are the texts of what was wrong, and the field that it leads to.
var numberProblems = map[NumberProblem]struct{ title, line, at string }{
	NumberEmpty:   {"error.number.empty", "error.number.empty.text", "number"},
	NumberInvalid: {"error.number.invalid", "error.number.invalid.text", "number"},
	NumberKind:    {"error.number.kind", "error.number.kind.text", "number"},
	NumberCountry: {"error.number.country", "error.number.country.text", "region"},
	NumberSame:    {"error.number.same", "error.number.same.text", "number"},
	NumberTooMany: {"error.number.many", "error.number.many.text", ""},
}

func (p EnrolPhonePage) alert(sp *speaker) *alertView {
	spec, ok := numberProblems[p.Problem]
	if !ok {
		return nil
	}
	return &alertView{Title: sp.say(spec.title), Lines: [][]part{sp.say(spec.line)}, ToField: spec.at != "", At: spec.at}
}
