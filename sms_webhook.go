package twofactor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-twofactor/caddy-twofactor/sms"
	"github.com/caddy-twofactor/caddy-twofactor/sms/webhook"
)

func init() {
	caddy.RegisterModule(WebhookSender{})
}

// WebhookSender is the SMS provider that posts each text to an address of
// yours, signed, where a few lines of yours pass it on to whoever sends texts
// for you. docs/webhook.md shows the request and a receiver.
type WebhookSender struct {
	// URL is where the texts are posted: https, or http to a loopback address.
	// Redirects are not followed, and the environment's proxy is not used. A
	// secret in its path or query is never logged. Placeholders are replaced.
	URL string `json:"url,omitempty"`
	// Secret is the key that the requests are signed with and the receiver
	// checks them by: 32 to 64 random bytes in base64, such as
	// `openssl rand -base64 32` makes, with or without "whsec_" before it.
	// Placeholders are replaced: {env.NAME} is a variable of the environment,
	// {file./path} what a file holds.
	Secret string `json:"secret,omitempty"`
	// Timeout is how long the receiver may take to answer, from 1s to 10s.
	// Whether a text without an answer was sent is not known, and it is not
	// sent again by itself. Default: 10s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	sender *webhook.Sender
}

// CaddyModule returns the module's information.
func (WebhookSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "two_factor.sms.webhook",
		New: func() caddy.Module { return new(WebhookSender) },
	}
}

// Provision checks the settings. It asks nobody for anything.
func (s *WebhookSender) Provision(caddy.Context) error {
	address, err := replaceSecret(s.URL)
	if err != nil {
		return fmt.Errorf("sms webhook: the address: %w", err)
	}
	secret, err := replaceSecret(s.Secret)
	if err != nil {
		return fmt.Errorf("sms webhook: secret: %w", err)
	}
	s.sender, err = webhook.New(webhook.Config{
		URL: address, Secret: secret, Timeout: time.Duration(s.Timeout), Clock: time.Now,
	})
	if err != nil {
		return fmt.Errorf("sms webhook: %w", err)
	}
	return nil
}

// replaceSecret replaces the placeholders of a value that no error may show:
// the replacer's own may hold a part of it.
func replaceSecret(value string) (string, error) {
	value, err := caddy.NewReplacer().ReplaceOrErr(value, true, true)
	if err != nil {
		return "", errors.New("a placeholder in its value stands for nothing: want {env.NAME} with the variable set where Caddy runs, or {file./path} with a file that Caddy may read")
	}
	return strings.TrimSpace(value), nil
}

// Send posts the text.
func (s *WebhookSender) Send(ctx context.Context, m sms.Message) (sms.Receipt, error) {
	return s.sender.Send(ctx, m)
}

// UnmarshalCaddyfile sets up the sender from Caddyfile tokens. Syntax:
//
//	webhook <url> {
//		secret  <value>
//		timeout <duration>
//	}
//
// What holds no placeholder is checked here already. No error repeats the
// address or the secret.
func (s *WebhookSender) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	word := d.Token()
	if !d.AllArgs(&s.URL) {
		return errAt(word, "sms webhook takes one address; expected: webhook <url>, for example webhook https://sms.example.com/send")
	}
	if !hasPlaceholder(s.URL) {
		if _, err := webhook.ParseURL(s.URL); err != nil {
			return errAt(word, "the address of sms webhook %w", err)
		}
	}
	once := singles{}
	for d.NextBlock(0) {
		if err := s.setting(d, once); err != nil {
			return err
		}
	}
	if s.Secret == "" {
		return errAt(word, "sms webhook needs a secret, by which the receiver knows the gateway: secret {env.SMS_SECRET}, where `openssl rand -base64 32` makes one")
	}
	return nil
}

func (s *WebhookSender) setting(d *caddyfile.Dispenser, once singles) error {
	word := d.Token()
	switch word.Text {
	case "secret", "timeout":
	default:
		return errAt(word, "unrecognized subdirective of sms webhook: %s; there are: secret and timeout", word.Text)
	}
	if err := once.claim(d); err != nil {
		return fmt.Errorf("sms webhook: %w", err)
	}
	args := d.RemainingArgsAsTokens()
	if blockOpens(d) || len(args) != 1 {
		return errAt(word, "%s of sms webhook takes one value and no block", word.Text)
	}
	if word.Text == "secret" {
		return s.setSecret(args[0])
	}
	return s.setTimeout(args[0])
}

func (s *WebhookSender) setSecret(value caddyfile.Token) error {
	if !hasPlaceholder(value.Text) {
		if _, err := webhook.ParseSecret(value.Text); err != nil {
			return errAt(value, "the secret of sms webhook %w", err)
		}
	}
	s.Secret = value.Text
	return nil
}

func (s *WebhookSender) setTimeout(value caddyfile.Token) error {
	d, err := caddy.ParseDuration(value.Text)
	if err != nil {
		return errAt(value, "the timeout of sms webhook is no duration, for example 5s; got '%s'", value.Text)
	}
	if err := webhook.CheckTimeout(d); err != nil {
		return errAt(value, "the timeout of sms webhook %w; got '%s'", err, value.Text)
	}
	s.Timeout = caddy.Duration(d)
	return nil
}

// hasPlaceholder reports whether only the running Caddy knows the value.
func hasPlaceholder(s string) bool { return strings.ContainsAny(s, "{}") }

// Interface guards.
var (
	_ caddy.Provisioner     = (*WebhookSender)(nil)
	_ caddyfile.Unmarshaler = (*WebhookSender)(nil)
	_ sms.Sender            = (*WebhookSender)(nil)
)
