package policy

// stolenDevice is an old device token that came back.
type stolenDevice struct{}

func (stolenDevice) look(f *Facts, _ *History) finding {
	if f.Device == DeviceStolen {
		return finding{Seen, "an old token of a remembered browser came back"}
	}
	return quiet("no old token came back")
}
