package twofactor

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/caddy-twofactor/caddy-twofactor/geo"
)

// globalOption reads the global option two_factor.
type globalOption struct {
	*caddyfile.Dispenser
	app  App
	once singles
}

// parseGlobalOption sets up the app from Caddyfile tokens. Syntax:
//
//	two_factor {
//	    store <engine> { … }
//	    sms   <name> <provider> { … }
//	    mail  { … }
//	    geoip <file>...
//	    network_list tor|vpn|proxy|hosting|egress <file>...
//	    history { … }
//	    audit { … }
//	    key   <id> <value>
//	}
//
// What stands in the blocks of store, sms and mail is the engine's and the
// provider's. sms, geoip, network_list and key may be repeated; the newest key
// comes first.
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next() // the option's own name
	if existing != nil {
		return nil, d.Err("the global option two_factor is already specified; put all of it into one block")
	}
	g := &globalOption{Dispenser: d, once: singles{}}
	if err := g.parse(); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: appName, Value: caddyconfig.JSON(g.app, nil)}, nil
}

func (g *globalOption) parse() error {
	start := g.Token()
	if g.NextArg() {
		return g.Errf("the global option two_factor takes no arguments, only a block; got '%s'", g.Val())
	}
	if !blockOpens(g.Dispenser) {
		return errAt(start, "the global option two_factor needs a block")
	}
	for nesting := g.Nesting(); g.NextBlock(nesting); {
		if err := g.subdirective(); err != nil {
			return err
		}
	}
	return nil
}

func (g *globalOption) subdirective() error {
	switch g.Val() {
	case "store":
		return g.store()
	case "sms":
		return g.sms()
	case "mail":
		return g.mail()
	case "geoip":
		return g.geoIP()
	case "network_list":
		return g.networkList()
	case "history":
		return g.history()
	case "audit":
		return g.audit()
	case "key":
		return g.key()
	default:
		return unknownWord(g.Dispenser, "the global option two_factor", "store, sms, mail, geoip, network_list, history, audit and key")
	}
}

// store sets where accounts, sessions and locks are kept. Syntax:
//
//	store <engine> { … }
func (g *globalOption) store() error {
	if err := g.once.claim(g.Dispenser); err != nil {
		return err
	}
	if !g.NextArg() {
		return g.Errf("store needs an engine; there are: %s", compiledIn("two_factor.stores"))
	}
	raw, err := g.guest("two_factor.stores", "engine")
	g.app.StoreRaw = raw
	return err
}

// sms adds a provider of texts, under a name of the operator's. Syntax:
//
//	sms <name> <provider> { … }
func (g *globalOption) sms() error {
	const usage = "sms <name> <provider>, for example sms dev inbox"
	word := g.Token()
	if !g.NextArg() {
		return errAt(word, "sms lacks an argument; expected: %s", usage)
	}
	name := g.Token()
	if err := checkInstanceName(name.Text); err != nil {
		return errAt(name, "the name of an sms provider %w; got '%s'", err, name.Text)
	}
	for _, p := range g.app.SMS {
		if p.Name == name.Text {
			return errAt(name, "two sms providers are named '%s'", name.Text)
		}
	}
	if !g.NextArg() {
		return errAt(word, "sms %s needs a provider; there are: %s; expected: %s", name.Text, compiledIn("two_factor.sms"), usage)
	}
	raw, err := g.guest("two_factor.sms", "provider")
	g.app.SMS = append(g.app.SMS, SMSProvider{Name: name.Text, ProviderRaw: raw})
	return err
}

// guest reads the module that the cursor names, with all that belongs to it.
func (g *globalOption) guest(namespace, key string) (json.RawMessage, error) {
	return g.guestNamed(namespace, key, g.Val())
}

// guestNamed is guest for a module of that name.
func (g *globalOption) guestNamed(namespace, key, name string) (json.RawMessage, error) {
	at := g.Token()
	if _, err := caddy.GetModule(namespace + "." + name); err != nil {
		return nil, errAt(at, "there is no %s '%s'; compiled in: %s", key, name, compiledIn(namespace))
	}
	module, err := caddyfile.UnmarshalModule(g.Dispenser, namespace+"."+name)
	if err != nil {
		return nil, err
	}
	var warnings []caddyconfig.Warning
	raw := caddyconfig.JSONModuleObject(module, key, name, &warnings)
	if len(warnings) > 0 {
		return nil, errAt(at, "the settings of %s '%s': %s", key, name, warnings[0].Message)
	}
	return raw, nil
}

// compiledIn lists the modules of a namespace.
func compiledIn(namespace string) string {
	var names []string
	for _, module := range caddy.GetModules(namespace) {
		names = append(names, module.ID.Name())
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// geoIP adds databases that tell where an address is. Syntax:
//
//	geoip <file>...
func (g *globalOption) geoIP() error {
	args, err := arguments(g.Dispenser, 1, 0, "geoip <file>..., for example geoip /var/lib/GeoIP/GeoLite2-City.mmdb")
	if err != nil {
		return err
	}
	for _, arg := range args {
		if slices.Contains(g.app.GeoIP, arg.Text) {
			return errAt(arg, "geoip names the file '%s' twice", arg.Text)
		}
		if err := checkFile(arg.Text, geo.CheckDatabase); err != nil {
			return errAt(arg, "geoip: %w", err)
		}
		g.app.GeoIP = append(g.app.GeoIP, arg.Text)
	}
	return nil
}

// networkList adds lists of networks of one kind. Syntax:
//
//	network_list tor|vpn|proxy|hosting|egress <file>...
func (g *globalOption) networkList() error {
	args, err := arguments(g.Dispenser, 2, 0, "network_list tor|vpn|proxy|hosting|egress <file>..., for example network_list tor /var/lib/networks/tor.txt")
	if err != nil {
		return err
	}
	kind := args[0].Text
	if err := checkListKind(kind); err != nil {
		return errAt(args[0], "the kind of a network_list %w; got '%s'", err, kind)
	}
	l := NetworkList{Kind: kind}
	for _, arg := range args[1:] {
		if g.listed(kind, arg.Text) || slices.Contains(l.Files, arg.Text) {
			return errAt(arg, "network_list %s names the file '%s' twice", kind, arg.Text)
		}
		if err := checkFile(arg.Text, func(path string) error { return geo.CheckList(geo.List{Kind: geo.Kind(kind), File: path}) }); err != nil {
			return errAt(arg, "network_list %s: %w", kind, err)
		}
		l.Files = append(l.Files, arg.Text)
	}
	g.app.NetworkLists = append(g.app.NetworkLists, l)
	return nil
}

// checkFile refuses a file that is there and is not what it should be, so that
// the error has its line. The Caddyfile may be adapted elsewhere than it is used:
// what is not there is refused at the start.
func checkFile(path string, check func(path string) error) error {
	path, err := replacePath(path)
	if err != nil {
		return nil // The start says so.
	}
	return check(path)
}

// listed reports whether a list of this kind stood before.
func (g *globalOption) listed(kind, file string) bool {
	return slices.ContainsFunc(g.app.NetworkLists, func(l NetworkList) bool {
		return l.Kind == kind && slices.Contains(l.Files, file)
	})
}

// key adds a key under which secrets at rest and cookies are sealed. Syntax:
//
//	key <id> <value>
//
// The value may be a placeholder, so that it need not stand in the Caddyfile.
// No error repeats it.
func (g *globalOption) key() error {
	const usage = "key <id> <value>, for example key 2026 {env.TWO_FACTOR_KEY}"
	word := g.Token()
	args := g.RemainingArgsAsTokens()
	if blockOpens(g.Dispenser) {
		return errAt(word, "key takes no block; expected: %s", usage)
	}
	if len(args) != 2 || args[1].Text == "" {
		return errAt(word, "key takes an id and a value; expected: %s", usage)
	}
	id := args[0]
	if err := checkKeyID(id.Text); err != nil {
		return errAt(id, "the id of a key %w", err)
	}
	for _, k := range g.app.Keys {
		if k.ID == id.Text {
			return errAt(id, "two keys have the id '%s'", id.Text)
		}
	}
	g.app.Keys = append(g.app.Keys, Key{ID: id.Text, Value: args[1].Text})
	return nil
}
