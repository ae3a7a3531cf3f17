package policy

// newSystem is an operating system that the account has not been used with. A
// client that names none, as scripts do, counts as on a new one where it is new
// itself.
type newSystem struct{}

func (newSystem) look(f *Facts, h *History) finding {
	s := name(f.Agent.System)
	if s == "" {
		if _, ok := find(h.Browsers, name(f.Agent.Browser)); ok {
			return quiet("a known client that does not say its system")
		}
		return finding{Seen, "a new client that does not say its system"}
	}
	if v, ok := find(h.Systems, s); ok {
		return quiet(s + ", last used on " + v.Last.String())
	}
	return finding{Seen, "a new system, " + s}
}
