package twofactor

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-twofactor/caddy-twofactor/mail/smtp"
)

// mailSettings are the lines that may stand in the block of mail.
var mailSettings = []string{"server", "tls", "ca", "username", "password", "from", "reply_to", "timeout"}

// mail sets the mail server for notices. Its block is that of SMTPSender.
func (g *globalOption) mail() error {
	if err := g.once.claim(g.Dispenser); err != nil {
		return err
	}
	raw, err := g.guestNamed("two_factor.mail", "provider", "smtp")
	g.app.MailRaw = raw
	return err
}

// UnmarshalCaddyfile sets up the sender from Caddyfile tokens. Syntax:
//
//	mail {
//		server   <host>:<port>
//		tls      starttls|implicit|none
//		ca       <file>
//		username <name>
//		password <value>
//		from     <address>
//		reply_to <address>
//		timeout  <duration>
//	}
//
// What holds no placeholder is checked here already. No error repeats the
// password.
func (s *SMTPSender) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	word := d.Token()
	if d.NextArg() {
		return d.Errf("mail takes no arguments, only a block; got '%s'", d.Val())
	}
	given, once := map[string]caddyfile.Token{}, singles{}
	for d.NextBlock(0) {
		if err := s.setting(d, given, once); err != nil {
			return err
		}
	}
	return s.together(word, given)
}

// setting reads one line of the block.
func (s *SMTPSender) setting(d *caddyfile.Dispenser, given map[string]caddyfile.Token, once singles) error {
	word := d.Token()
	if !slices.Contains(mailSettings, word.Text) {
		last := len(mailSettings) - 1
		return errAt(word, "unrecognized subdirective of mail: %s; there are: %s and %s",
			word.Text, strings.Join(mailSettings[:last], ", "), mailSettings[last])
	}
	if err := once.claim(d); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	args := d.RemainingArgsAsTokens()
	if blockOpens(d) || len(args) != 1 {
		hint := ""
		if word.Text == "from" || word.Text == "reply_to" {
			hint = `; one with a name stands in quotes: "Northwind CRM <no-reply@example.com>"`
		}
		return errAt(word, "%s of mail takes one value and no block%s", word.Text, hint)
	}
	given[word.Text] = args[0]
	if err := s.set(word.Text, args[0].Text); err != nil {
		return errAt(args[0], "%s of mail %w", word.Text, err)
	}
	return nil
}

// set takes one setting and says what is wrong with its value.
func (s *SMTPSender) set(name, value string) (err error) {
	unknown := hasPlaceholder(value)
	switch name {
	case "server":
		s.Server = value
		if !unknown {
			_, _, err = smtp.ParseServer(value)
		}
	case "tls":
		s.TLS = value
		if !unknown {
			err = checkOneOf(value, string(smtp.STARTTLS), string(smtp.Implicit), string(smtp.None))
		}
	case "ca":
		s.CA = value
		err = checkFile(value, func(path string) error {
			if _, err := readCA(path); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		})
	case "username":
		s.Username = value
		if !unknown {
			err = smtp.CheckCredential(value)
		}
	case "password":
		s.Password = value
		if !unknown {
			err = smtp.CheckCredential(value)
		}
	case "from":
		s.From = value
		if !unknown {
			_, err = smtp.ParseAddress(value)
		}
	case "reply_to":
		s.ReplyTo = value
		if !unknown {
			_, err = smtp.ParseAddress(value)
		}
	case "timeout":
		err = s.setTimeout(value)
	}
	return err
}

func (s *SMTPSender) setTimeout(value string) error {
	d, err := caddy.ParseDuration(value)
	if err != nil {
		return fmt.Errorf("is no duration, for example 15s; got '%s'", value)
	}
	s.Timeout = caddy.Duration(d)
	return smtp.CheckTimeout(time.Duration(s.Timeout))
}

// together checks what one setting asks of another.
func (s *SMTPSender) together(word caddyfile.Token, given map[string]caddyfile.Token) error {
	for _, need := range []struct{ name, example string }{
		{"server", "server mail.example.com:587"},
		{"from", `from "Northwind CRM <no-reply@example.com>"`},
	} {
		if _, ok := given[need.name]; !ok {
			return errAt(word, "mail needs a %s, for example: %s", need.name, need.example)
		}
	}
	_, named := given["username"]
	_, secret := given["password"]
	if named != secret {
		return errAt(word, "mail needs username and password together, or neither")
	}
	mode := given["tls"]
	if smtp.Mode(s.TLS) != smtp.None {
		return nil
	}
	if named {
		return errAt(mode, "tls of mail is none, and username and password are never sent in the clear: use starttls or implicit, or leave them out")
	}
	if host, _, err := smtp.ParseServer(s.Server); err == nil {
		if err := smtp.CheckMode(smtp.None, host); err != nil {
			return errAt(mode, "tls of mail %w", err)
		}
	}
	return nil
}

// Interface guard.
var _ caddyfile.Unmarshaler = (*SMTPSender)(nil)
