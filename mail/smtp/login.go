package smtp

import (
	"errors"
	"slices"

	protocol "github.com/wneessen/go-mail/smtp"
)

// errNoWay is the error of a server that offers no way to sign in that is known
// here.
var errNoWay = errors.New("it offers none of SCRAM-SHA-256, SCRAM-SHA-1, PLAIN and LOGIN")

// errClear is the error of signing in without TLS.
var errClear = errors.New("the connection is not encrypted")

// login signs in by the best way that the server offers: those that do not show
// the password to the server come first (RFC 7677, RFC 5802).
type login struct {
	username, password, host string

	chosen protocol.Auth
}

// Start chooses the way.
func (l *login) Start(server *protocol.ServerInfo) (string, []byte, error) {
	if !server.TLS {
		return "", nil, errClear
	}
	for _, way := range []struct {
		name string
		auth protocol.Auth
	}{
		{"SCRAM-SHA-256", protocol.ScramSHA256Auth(l.username, l.password)},
		{"SCRAM-SHA-1", protocol.ScramSHA1Auth(l.username, l.password)},
		{"PLAIN", protocol.PlainAuth("", l.username, l.password, l.host, false)},
		{"LOGIN", protocol.LoginAuth(l.username, l.password, l.host, false)},
	} {
		if slices.Contains(server.Auth, way.name) {
			l.chosen = way.auth
			return l.chosen.Start(server)
		}
	}
	return "", nil, errNoWay
}

// Next goes on in the chosen way.
func (l *login) Next(fromServer []byte, more bool) ([]byte, error) {
	return l.chosen.Next(fromServer, more)
}
