package policy

// anonymousNetwork is an address behind which anybody may be.
type anonymousNetwork struct{}

func (anonymousNetwork) look(f *Facts, _ *History) finding {
	switch f.Place.Anonymous {
	case "":
		if !f.Place.AnonymousKnown {
			return finding{Unknown, "no list of anonymous networks"}
		}
		return quiet("no anonymous network")
	case "tor":
		return finding{Seen, "a Tor exit"}
	case "vpn":
		return finding{Seen, "a VPN"}
	case "proxy":
		return finding{Seen, "a proxy"}
	case "hosting":
		return finding{Seen, "a hosting provider"}
	default:
		return finding{Seen, "an anonymous network"}
	}
}
