package twofactor

import "github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

// history sets how long it is kept what accounts are used to. Syntax:
//
//	history {
//	    shorten <duration>
//	    forget  <duration>
//	}
func (g *globalOption) history() error {
	start := g.Token()
	if err := g.once.claim(g.Dispenser); err != nil {
		return err
	}
	if g.NextArg() {
		return g.Errf("history takes no arguments, only a block; got '%s'", g.Val())
	}
	if !blockOpens(g.Dispenser) {
		return errAt(start, "history needs a block with shorten, forget or both")
	}
	rules, once, empty := new(HistoryRules), singles{}, true
	for nesting := g.Nesting(); g.NextBlock(nesting); empty = false {
		var err error
		switch g.Val() {
		case "shorten":
			err = once.one(g.Dispenser, "shorten <duration>, for example shorten 30d", func(arg caddyfile.Token) (err error) {
				rules.Shorten, err = positiveDuration(arg.Text)
				return err
			})
		case "forget":
			err = once.one(g.Dispenser, "forget <duration>, for example forget 180d", func(arg caddyfile.Token) (err error) {
				rules.Forget, err = positiveDuration(arg.Text)
				return err
			})
		default:
			err = unknownWord(g.Dispenser, "history", "shorten and forget")
		}
		if err != nil {
			return err
		}
	}
	if empty {
		return errAt(start, "the block of history is empty; it takes shorten, forget or both")
	}
	if err := rules.check(); err != nil {
		return errAt(start, "%w", err)
	}
	g.app.History = rules
	return nil
}
