package twofactor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// instances are the handler instances of a config, by name.
type instances struct {
	mu    sync.Mutex
	given map[string][]byte
	gates []*handler.Gate
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

// names returns the names of the config's instances, in their order.
func (i *instances) names() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Sorted(maps.Keys(i.given))
}

// instanceSettings is what concerns the app of a handler's settings.
type instanceSettings struct {
	Mode        string `json:"mode"`
	UnknownUser string `json:"unknown_user"`
}

func (i *instances) settings(name string) (s instanceSettings) {
	i.mu.Lock()
	defer i.mu.Unlock()
	// It was marshalled here.
	_ = json.Unmarshal(i.given[name], &s)
	return s
}

// add notes a gate of the config.
func (i *instances) add(g *handler.Gate) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.gates = append(i.gates, g)
}

// gate returns the gate of an instance; nil if there is none. Of several with
// one name it is any, since they are the same in every setting.
func (i *instances) gate(name string) *handler.Gate {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, g := range i.gates {
		if g.Instance == name {
			return g
		}
	}
	return nil
}

// pages are those of an instance; nil if there is none.
func (i *instances) pages(name string) *page.Set {
	if g := i.gate(name); g != nil {
		return g.Pages
	}
	return nil
}

// writeSeen has the watching gates write what they have seen, so that who reads
// it reads all of it.
func (i *instances) writeSeen() {
	i.mu.Lock()
	gates := slices.Clone(i.gates)
	i.mu.Unlock()
	for _, g := range gates {
		g.WriteSeen()
	}
}
