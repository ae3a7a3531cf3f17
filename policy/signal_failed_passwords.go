package policy

import "strconv"

const (
	// nameFailures is how many failed passwords for one name in an hour are more
	// than somebody who mistypes.
	nameFailures = 5
	// addressFailures is the same for an address, which a whole office may share.
	addressFailures = 10
)

// failedPasswords are failures before this success.
type failedPasswords struct{}

func (failedPasswords) look(f *Facts, _ *History) finding {
	switch {
	case f.NameFailures >= nameFailures:
		return finding{Seen, strconv.Itoa(f.NameFailures) + " failed passwords for this name in the last hour"}
	case f.AddressFailures >= addressFailures:
		return finding{Seen, strconv.Itoa(f.AddressFailures) + " failed passwords from this address in the last hour"}
	case f.NameFailures+f.AddressFailures == 0:
		return quiet("no failed passwords")
	default:
		return quiet("few failed passwords")
	}
}
