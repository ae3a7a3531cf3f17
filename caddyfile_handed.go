package twofactor

import (
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// identityHeader adds a header by which the app is told who is verified. Syntax:
//
//	identity_header <name> user|account|factor|factor_time|score
func (d *directive) identityHeader() error {
	words := handler.HandedValues()
	args, err := arguments(d.Dispenser, 2, 2, "identity_header <name> "+strings.Join(words, "|")+", for example identity_header X-User user")
	if err != nil {
		return err
	}
	name, value := args[0], args[1]
	if err := handler.CheckIdentityHeader(name.Text); err != nil {
		return errAt(name, "identity_header %w; got '%s'", err, name.Text)
	}
	if err := checkOneOf(value.Text, words...); err != nil {
		return errAt(value, "identity_header: what %s says %w; got '%s'", name.Text, err, value.Text)
	}
	for _, other := range d.handed {
		if strings.EqualFold(other.Text, name.Text) {
			return errAt(name, "identity_header %s is already specified at line %d", name.Text, other.Line)
		}
	}
	d.handed = append(d.handed, name)
	d.hd.IdentityHeaders = append(d.hd.IdentityHeaders, handler.IdentityHeader{Name: name.Text, Value: value.Text})
	return nil
}

// checkIdentityHeaders refuses a header in which requests say something by
// another subdirective.
func (d *directive) checkIdentityHeaders() error {
	c := handler.Config{
		Logins: d.hd.Logins, CredentialFields: d.hd.CredentialFields, Carried: d.hd.Carried, SpeaksFor: d.hd.SpeaksFor,
	}
	for _, name := range d.handed {
		if err := handler.IdentityHeaderTaken(name.Text, &c); err != nil {
			return errAt(name, "identity_header %s %w", name.Text, err)
		}
	}
	return nil
}
