package smtp

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	contract "github.com/caddy-twofactor/caddy-twofactor/mail"
)

// Limits of the settings.
const (
	// DefaultTimeout is how long a sending may take.
	DefaultTimeout = 15 * time.Second
	// MinTimeout and MaxTimeout bound what may be set.
	MinTimeout = time.Second
	MaxTimeout = time.Minute
	// MaxCA bounds a file of certificates, in bytes.
	MaxCA = 1 << 20
	// maxCredential bounds a user name and a password, in bytes: RFC 4616 has
	// servers take 255 characters of either.
	maxCredential = 1024
	// maxName bounds the display name of an address, in bytes.
	maxName = 200
)

// Mode is how the connection to the mail server is encrypted.
type Mode string

// The modes.
const (
	// STARTTLS begins in the clear and goes on with TLS before anything is said
	// (RFC 3207), mostly on port 587. A server that does not offer it is given
	// up.
	STARTTLS Mode = "starttls"
	// Implicit begins with TLS (RFC 8314), mostly on port 465.
	Implicit Mode = "implicit"
	// None is the clear, to a server on this machine alone.
	None Mode = "none"
)

// The checks of this file say of one value what is wrong with it. Their errors
// follow the name of the setting: "server" + " must be …".

// ParseServer reads the address of a mail server, <host>:<port>.
func ParseServer(s string) (host, port string, err error) {
	const form = "must be a host and a port, for example mail.example.com:587"
	host, port, err = net.SplitHostPort(s)
	if err != nil || host == "" {
		return "", "", errors.New(form)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", errors.New(form)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return host, port, nil
	}
	name, err := idna.Lookup.ToASCII(host)
	if err != nil || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || strings.ContainsRune("/@:[]", r) }) {
		return "", "", errors.New(form)
	}
	return name, port, nil
}

// CheckMode says what is wrong with a mode for a server's host.
func CheckMode(m Mode, host string) error {
	switch m {
	case STARTTLS, Implicit:
		return nil
	case None:
		ip, err := netip.ParseAddr(host)
		if strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback() {
			return nil
		}
		return errors.New("none is for a mail server on this machine (127.0.0.1, [::1], localhost): everybody on the way to another one could read and change the mails; use starttls or implicit")
	}
	return errors.New("must be starttls, implicit or none")
}

// ParseAddress reads an address of the operator's, with or without a name: Name
// <a@example.com>. Its letters before the at sign are ASCII, since many servers
// take no others; in the domain they are written as the name system does.
func ParseAddress(s string) (*mail.Address, error) {
	const form = "must be one address, for example: Northwind CRM <no-reply@example.com>"
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return nil, errors.New(form)
	}
	a, err := mail.ParseAddress(s)
	if err != nil || strings.ContainsFunc(a.Name, unicode.IsControl) || !contract.ValidAddress(a.Address) {
		return nil, errors.New(form)
	}
	if a.Address, err = asciiDomain(a.Address); err != nil {
		return nil, errors.New(form)
	}
	if !isASCII(a.Address) {
		return nil, errors.New("must have only ASCII letters before the at sign, since many servers take no others")
	}
	if len(a.Name) > maxName {
		return nil, fmt.Errorf("has a name of more than %d bytes", maxName)
	}
	return a, nil
}

// asciiDomain writes the domain of an address as the name system does (RFC
// 5891): then every server takes it.
func asciiDomain(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	domain, err := idna.Lookup.ToASCII(address[at+1:])
	if err != nil {
		return "", err
	}
	return address[:at+1] + domain, nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// CheckCredential says what is wrong with a user name or a password.
func CheckCredential(s string) error {
	if s == "" {
		return errors.New("is empty")
	}
	if len(s) > maxCredential {
		return fmt.Errorf("is longer than %d bytes", maxCredential)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("is not UTF-8, or has control characters")
	}
	return nil
}

// ParseCA reads certificates in PEM.
func ParseCA(pem []byte) (*x509.CertPool, error) {
	if len(pem) > MaxCA {
		return nil, fmt.Errorf("is larger than %d bytes", MaxCA)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
	}
	return pool, nil
}

// CheckTimeout says what is wrong with a time-out.
func CheckTimeout(d time.Duration) error {
	if d >= MinTimeout && d <= MaxTimeout {
		return nil
	}
	return fmt.Errorf("must be from %s to %s", MinTimeout, MaxTimeout)
}
