package twofactor

import "github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

// instancesKey is where the names of one adaptation's instances are kept, in
// the state that all directives of a Caddyfile share.
const instancesKey = "two_factor.instances"

// claim takes the instance's name, and refuses one that is taken.
//
// An instance is one two_factor block as Caddy reads it, with imports put in.
// One block under several addresses is therefore one instance, which is the
// way to put hosts that share the app's session behind one. A snippet that two
// sites import is two instances, though its text stands once: the sites may be
// two apps, and two apps of one name would share their accounts, so that who
// enrols a phone as anna in one could pass as anna in the other. The snippet
// may take the name as an argument: two_factor {args[0]}.
//
// A named route is refused: of handlers that follow each other in one, Caddy
// 2.11 keeps the first and drops the others without a word, and the app would
// stand open.
func (d *directive) claim(at caddyfile.Token) error {
	if d.IsNamedRoute() {
		return errAt(at, "two_factor cannot stand in a named route, where Caddy may drop it; "+
			"put the hosts of one app into one site block instead")
	}
	taken, ok := d.State[instancesKey].(map[string]string)
	if !ok {
		taken = map[string]string{}
		d.State[instancesKey] = taken
	}
	name, called := d.hd.Name, "have the name '"+d.hd.Name+"'"
	switch name {
	case "":
		name, called = defaultName, "have no name (or the name 'default', which means the same)"
	case defaultName:
		called += " (or none, which means the same)"
	}
	if first, ok := taken[name]; ok {
		return errAt(at, "two instances of two_factor %s: one at %s and this one; give each a name of its own, "+
			"two_factor <name>, or put the hosts of one app into one site block", called, first)
	}
	taken[name] = place(d.Dispenser)
	return nil
}
