package twofactor

import (
	"bytes"
	"fmt"
	"sync"
)

// instances are the handler instances of a config, by name.
type instances struct {
	mu    sync.Mutex
	given map[string][]byte
}

// claim notes that a handler has this name. Two handlers may share it only if
// they are the same in every setting, as where one site has several addresses:
// the name stands in cookies, seals and keys of the store, and two apps must
// not mix.
func (a *App) claim(name string, given []byte) error {
	a.instances.mu.Lock()
	defer a.instances.mu.Unlock()
	if a.instances.given == nil {
		a.instances.given = make(map[string][]byte)
	}
	if before, ok := a.instances.given[name]; ok && !bytes.Equal(before, given) {
		return fmt.Errorf("two_factor: two instances are named %q: give one of them a name of its own, as in: two_factor crm { … }", name)
	}
	a.instances.given[name] = given
	return nil
}
