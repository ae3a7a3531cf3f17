package demoapp

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

type contact struct {
	Name, Company, Email, Phone, City string
}

type column struct {
	Name, Title string
	of          func(contact) string
}

var columns = []column{
	{"name", "Name", func(c contact) string { return c.Name }},
	{"company", "Company", func(c contact) string { return c.Company }},
	{"email", "E-mail", func(c contact) string { return c.Email }},
	{"phone", "Phone", func(c contact) string { return c.Phone }},
	{"city", "City", func(c contact) string { return c.City }},
}

var allContacts = makeContacts()

// makeContacts invents four dozen people; the phone numbers are from the range
// that Ofcom keeps free for fiction.
func makeContacts() []contact {
	first := []string{"Maria", "Hanna", "Jürgen", "Ana", "Thomas", "Christina"}
	last := []string{"Anders", "Trujillo", "Moreno", "Hardy", "Berglund", "Moos", "Citeaux", "Sommer"}
	firms := []struct{ name, host, city string }{
		{"Anchor Teas", "anchor-teas.example", "Bremen"},
		{"Bottle & Barrel", "bottle-barrel.example", "Leeds"},
		{"Copper Kettle, Ltd.", "copper-kettle.example", "Lyon"},
		{"Dill and Daughters", "dill.example", "Luleå"},
		{"Eastgate Spices", "eastgate.example", "Madrid"},
		{"Fair Isle Foods", "fair-isle.example", "Aberdeen"},
		{"Golden Crust", "golden-crust.example", "Graz"},
		{"Harbour Fish", "harbour-fish.example", "Porto"},
	}
	var all []contact
	for i, l := range last {
		for j, f := range first {
			firm := firms[(i+j)%len(firms)]
			user := strings.ReplaceAll(strings.ToLower(f+"."+l), "ü", "ue")
			all = append(all, contact{
				Name: f + " " + l, Company: firm.name, City: firm.city,
				Email: user + "@" + firm.host,
				Phone: fmt.Sprintf("+44 1632 960%03d", i*len(first)+j+100),
			})
		}
	}
	return all
}

func findContacts(search string) []contact {
	search = strings.ToLower(strings.TrimSpace(search))
	if search == "" {
		return allContacts
	}
	var found []contact
	for _, c := range allContacts {
		if strings.Contains(strings.ToLower(c.Name+" "+c.Company+" "+c.City), search) {
			found = append(found, c)
		}
	}
	return found
}

// export is the list as CSV: all columns by GET, the chosen ones by POST with
// a CSRF token.
func (v *visit) export() answer {
	chosen, comma := columns, ','
	if !v.reads() {
		if token, _ := v.field("csrf"); v.session == nil || !v.session.spend(token) {
			return v.render(http.StatusForbidden, "message", page{Title: "Form expired", Text: textExpired})
		}
		chosen = chooseColumns(v.form["columns"])
		if v.form.Get("separator") == "semicolon" {
			comma = ';'
		}
	}
	search, _ := v.field("q")
	body, err := writeCSV(findContacts(search), chosen, comma)
	if err != nil {
		return newAnswer(http.StatusInternalServerError, "text/plain; charset=utf-8",
			fmt.Appendf(nil, "The export could not be made: %v\n", err))
	}
	an := newAnswer(http.StatusOK, "text/csv; charset=utf-8", body)
	an.header.Set("Content-Disposition", `attachment; filename="contacts.csv"`)
	an.ranges = v.reads()
	return an
}

func chooseColumns(names []string) []column {
	var chosen []column
	for _, c := range columns {
		if slices.Contains(names, c.Name) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return columns
	}
	return chosen
}

func writeCSV(list []contact, chosen []column, comma rune) ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Comma = comma
	rows := make([][]string, 0, len(list)+1)
	head := make([]string, 0, len(chosen))
	for _, c := range chosen {
		head = append(head, c.Title)
	}
	rows = append(rows, head)
	for _, person := range list {
		row := make([]string, 0, len(chosen))
		for _, c := range chosen {
			row = append(row, c.of(person))
		}
		rows = append(rows, row)
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("writing the contacts: %w", err)
	}
	return out.Bytes(), nil
}
