package page

import (
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// Country returns the name of a country (ISO 3166-1, "SE") in a language; nothing
// for what is none.
func (s *Set) Country(l Lang, code string) string { return s.speak(l).country(code) }

// regions names countries in the language of the page.
func (sp *speaker) regions() display.Namer {
	if names := display.Regions(sp.c.tag); names != nil {
		return names
	}
	return display.Regions(language.English)
}

func (sp *speaker) country(code string) string {
	region, err := language.ParseRegion(code)
	if err != nil || !region.IsCountry() {
		return ""
	}
	return sp.regions().Name(region)
}
