package policy

// newCountry is a country that the account has not been used from.
type newCountry struct{}

func (newCountry) look(f *Facts, h *History) finding {
	c := f.Place.Country
	if !isCountry(c) {
		return finding{Unknown, "the country is unknown"}
	}
	if v, ok := find(h.Countries, c); ok {
		return quiet(c + ", last used on " + v.Last.String())
	}
	return finding{Seen, "a new country, " + c}
}
