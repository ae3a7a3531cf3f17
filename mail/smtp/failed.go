package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"regexp"

	contract "github.com/caddy-twofactor/caddy-twofactor/mail"
)

// step is one step of a sending, as errors name it.
type step string

const (
	stepConnect step = "at the greeting"
	stepHello   step = "at the hello"
	stepTLS     step = "at the start of TLS"
	stepSignIn  step = "at the sign-in"
	stepFrom    step = "to the sender's address"
	stepTo      step = "to the recipient's address"
	stepContent step = "to the mail"
)

var (
	// enhanced is an enhanced status code at the start of an answer (RFC 2034).
	enhanced   = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)
	isHostname = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
)

// failed says what became of a mail that was not taken. Only the codes of what
// a server wrote are shown: its words may repeat the address.
func (s *Sender) failed(ctx context.Context, at step, err error) error {
	var answer *textproto.Error
	if errors.As(err, &answer) {
		return s.answered(at, answer)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("the mail server %s did not answer in time, %s: %w", s.server, at, ctx.Err())
	}
	if reason := told(err); reason != "" {
		return fmt.Errorf("the mail server %s, %s: %s", s.server, at, reason)
	}
	return fmt.Errorf("the mail server %s broke the connection off, or answered what is no SMTP, %s", s.server, at)
}

// answered says what an answer other than yes means. For good is only a no to
// this recipient or this mail; what is wrong with the gateway's own settings can
// be mended, and then the mail is still wanted.
func (s *Sender) answered(at step, answer *textproto.Error) error {
	code := fmt.Sprint(answer.Code)
	if e := enhanced.FindString(answer.Msg); e != "" {
		code += " " + e
	}
	err := fmt.Errorf("the mail server %s answered %s %s", s.server, code, at)
	switch {
	case at == stepSignIn:
		return fmt.Errorf("%w: check username and password", err)
	case answer.Code == 530 || answer.Code == 538 || at == stepFrom && answer.Code >= 500:
		return fmt.Errorf("%w: check username, password and from, and what the server lets them send", err)
	case answer.Code >= 500 && (at == stepTo || at == stepContent):
		return contract.Refused(err)
	}
	return err
}

// told returns what an error says that was made on this side, "" for others.
func told(err error) string {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var dial *net.OpError
	switch {
	case errors.Is(err, errTooMuch), errors.Is(err, errNoWay), errors.Is(err, errClear), errors.Is(err, errNotHere):
	case errors.As(err, &certificate):
		return fmt.Sprintf("its certificate is not trusted: %.200s", certificate.Err)
	case errors.As(err, &record):
		return "it does not speak TLS there: check the port, or use tls starttls"
	case errors.As(err, &alert):
	case errors.As(err, &dial) && dial.Op == "dial":
	default:
		return ""
	}
	return fmt.Sprintf("%.200s", err)
}
