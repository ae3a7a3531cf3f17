package policy

// newBrowser is a browser of a family that the account has not been used with.
// One that does not say what it is counts as new.
type newBrowser struct{}

func (newBrowser) look(f *Facts, h *History) finding {
	b := name(f.Agent.Browser)
	if b == "" {
		return finding{Seen, "a browser that does not say what it is"}
	}
	if v, ok := find(h.Browsers, b); ok {
		return quiet(b + ", last used on " + v.Last.String())
	}
	return finding{Seen, "a new browser, " + b}
}
