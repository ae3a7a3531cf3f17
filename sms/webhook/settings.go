package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// Limits of the settings.
const (
	// MinSecret and MaxSecret bound the secret, in bytes. The Standard Webhooks
	// ask for 24 to 64; SHA-256 is worth 32.
	MinSecret = 32
	MaxSecret = 64
	// maxURL bounds the address, in bytes.
	maxURL = 2048

	secretPrefix = "whsec_"
	makeSecret   = "`openssl rand -base64 32` makes one"
)

// ParseURL reads an address: https, or http to this machine itself. Its errors
// continue "the address" and never show it, since the path or the query of such
// an address may be a secret.
func ParseURL(s string) (*url.URL, error) {
	if len(s) > maxURL {
		return nil, fmt.Errorf("is longer than %d bytes", maxURL)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return nil, errors.New("has blanks or control characters; percent-encode them")
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Opaque != "" || !isPort(u.Port()) {
		return nil, errors.New("is no web address; expected: https://<host>/<path>")
	}
	switch {
	case u.User != nil:
		return nil, errors.New("holds a user or a password; the receiver knows the gateway by its signature, so leave them out")
	case u.Fragment != "" || strings.HasSuffix(s, "#"):
		return nil, errors.New("has a fragment ('#'), which is never sent; leave it out")
	case u.Scheme == "https":
		return u, nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, errors.New("is http, by which everybody on the way could read the codes; use https, which only a loopback address (127.0.0.1, [::1], localhost) does not need")
	default:
		return nil, errors.New("must begin with https://")
	}
}

func isPort(s string) bool {
	if s == "" {
		return true
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// ParseSecret reads the key of the signatures in the form that the libraries of
// the Standard Webhooks read it: [MinSecret] to [MaxSecret] bytes in base64,
// with or without the prefix "whsec_". One in hexadecimal is refused, since
// those libraries would take it for base64 and others not. Its errors continue
// "the secret" and never show it.
func ParseSecret(s string) ([]byte, error) {
	text := strings.TrimPrefix(s, secretPrefix)
	if text == "" {
		return nil, errors.New("is empty; " + makeSecret)
	}
	if _, err := hex.DecodeString(text); err == nil {
		return nil, errors.New("is in hexadecimal, expected base64; " + makeSecret)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("is not base64; " + makeSecret)
	}
	if len(key) < MinSecret || len(key) > MaxSecret {
		return nil, fmt.Errorf("has %d bytes, expected %d to %d in base64; %s", len(key), MinSecret, MaxSecret, makeSecret)
	}
	return key, nil
}

// signer returns the signature of a sending. A function, so that no form of
// printing a sender shows its key.
type signer func(id, seconds string, body []byte) string

func newSigner(key []byte) signer {
	return func(id, seconds string, body []byte) string {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + seconds + "."))
		mac.Write(body)
		return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
}
