package twofactor

import (
	"errors"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// audit sets how much of the audit log is kept. Syntax:
//
//	audit {
//	    keep_for <duration>
//	    max_size <size>
//	    keep     <number>
//	}
func (g *globalOption) audit() error {
	start := g.Token()
	if err := g.once.claim(g.Dispenser); err != nil {
		return err
	}
	if g.NextArg() {
		return g.Errf("audit takes no arguments, only a block; got '%s'", g.Val())
	}
	if !blockOpens(g.Dispenser) {
		return errAt(start, "audit needs a block with keep_for, max_size or keep")
	}
	rules, once, empty := new(AuditRules), singles{}, true
	for nesting := g.Nesting(); g.NextBlock(nesting); empty = false {
		if err := g.auditRule(rules, once); err != nil {
			return err
		}
	}
	if empty {
		return errAt(start, "the block of audit is empty; it takes keep_for, max_size or keep")
	}
	g.app.Audit = rules
	return nil
}

func (g *globalOption) auditRule(rules *AuditRules, once singles) error {
	switch g.Val() {
	case "keep_for":
		return once.one(g.Dispenser, "keep_for <duration>, for example keep_for 365d", func(arg caddyfile.Token) (err error) {
			if rules.KeepFor, err = positiveDuration(arg.Text); err != nil {
				return err
			}
			return checkAuditAge(rules.KeepFor)
		})
	case "max_size":
		return once.one(g.Dispenser, "max_size <size>, for example max_size 100MiB", func(arg caddyfile.Token) (err error) {
			if rules.MaxSize, err = parseMiB(arg.Text); err != nil {
				return err
			}
			return checkAuditSize(rules.MaxSize)
		})
	case "keep":
		return once.one(g.Dispenser, "keep <number of files>, for example keep 20", func(arg caddyfile.Token) (err error) {
			if rules.Keep, err = strconv.Atoi(arg.Text); err != nil {
				return errors.New("must be a number")
			}
			return checkAuditKeep(rules.Keep)
		})
	default:
		return unknownWord(g.Dispenser, "audit", "keep_for, max_size and keep")
	}
}
