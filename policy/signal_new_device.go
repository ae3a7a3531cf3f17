package policy

// newDevice is a browser that is not remembered for the account.
type newDevice struct{}

func (newDevice) look(f *Facts, h *History) finding {
	switch {
	case f.device(h) == DeviceNone && f.Device == DeviceUnwatched:
		return finding{Seen, "no such browser in the last 30 days (nobody is remembered while the gateway only observes)"}
	case f.device(h) == DeviceNone:
		return finding{Seen, "this browser is not remembered"}
	case f.device(h) == DeviceStolen:
		return finding{Seen, "this browser is remembered no longer"}
	case f.Device == DeviceUnwatched:
		return quiet("such a browser was used in the last 30 days")
	default:
		return quiet("a remembered browser")
	}
}
