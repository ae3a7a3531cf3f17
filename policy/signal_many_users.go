package policy

import "strconv"

// manyNames is for how many names passwords fail from an address where somebody
// goes through a list of them.
const manyNames = 5

// manyUsers are failures for many names from one address.
type manyUsers struct{}

func (manyUsers) look(f *Facts, _ *History) finding {
	if f.AddressNames < manyNames {
		return quiet("few names from this address")
	}
	return finding{Seen, "failed passwords for " + strconv.Itoa(f.AddressNames) + " names from this address in the last hour"}
}
