package twofactor

import "github.com/caddy-twofactor/caddy-twofactor/handler"

// carried adds a place where requests carry a token. Syntax:
//
//	carried header <name> [<scheme>] | query <name>
func (d *directive) carried() error {
	args, err := arguments(d.Dispenser, 2, 3, "carried header <name> [<scheme>] | query <name>, for example carried header Authorization Bearer")
	if err != nil {
		return err
	}
	kind, name := args[0], args[1]
	var c handler.Carried
	switch kind.Text {
	case "header":
		if err := checkHeaderName(name.Text); err != nil {
			return errAt(name, "carried: the name of a header %w; got '%s'", err, name.Text)
		}
		c.Header = name.Text
		if len(args) == 3 {
			if checkHeaderName(args[2].Text) != nil {
				return errAt(args[2], "carried: the scheme must be one word such as Bearer; got '%s'", args[2].Text)
			}
			c.Scheme = args[2].Text
		}
	case "query":
		if len(args) == 3 {
			return errAt(args[2], "carried query takes one name; got '%s' after it", args[2].Text)
		}
		if err := checkPlainName(name.Text); err != nil {
			return errAt(name, "carried: the name of a query field %w; got '%s'", err, name.Text)
		}
		c.Query = name.Text
	default:
		return errAt(kind, "carried expects header or query, and then a name; got '%s'", kind.Text)
	}
	d.hd.Carried = append(d.hd.Carried, c)
	return nil
}

// speaksFor adds a place where requests say whom they speak for. Syntax:
//
//	speaks_for query|form|json|header <name>
func (d *directive) speaksFor() error {
	args, err := arguments(d.Dispenser, 2, 2, "speaks_for query|form|json|header <name>, for example speaks_for query username")
	if err != nil {
		return err
	}
	if err := checkOneOf(args[0].Text, handler.FromQuery, handler.FromForm, handler.FromJSON, handler.FromHeader); err != nil {
		return errAt(args[0], "speaks_for %w; got '%s'", err, args[0].Text)
	}
	if err := checkSourceName(args[0].Text, args[1].Text); err != nil {
		return errAt(args[1], "speaks_for %s %w; got '%s'", args[0].Text, err, args[1].Text)
	}
	d.hd.SpeaksFor = append(d.hd.SpeaksFor, handler.SpeaksFor{From: args[0].Text, Name: args[1].Text})
	return nil
}
