package policy

// newCountry is a country that the account has not been used from.
type newCountry struct{}

func (newCountry) look(f *Facts, h *History) finding {
	c := f.Place.country()
	if c == "" {
		return finding{Unknown, "the country is unknown"}
	}
	text := c
	if c == unlisted {
		text = "an address that the database does not have"
	}
	if v, ok := find(h.Countries, c); ok {
		return quiet(text + ", last used on " + v.Last.String())
	}
	return finding{Seen, "a new country, " + text}
}
