package seal

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// SecretSize is the size of a key's secret in bytes.
const SecretSize = 32

// A Key is one secret of a ring under the name that its owner gave it. It
// prints as its name alone.
type Key struct {
	name   string
	secret [SecretSize]byte
}

// ParseKey reads a key from its configured form: a name of 1 to 32 letters,
// digits, '-' or '_', and 32 bytes written as 64 hexadecimal digits or in
// base64 (either alphabet, with or without padding). A secret whose bytes are
// all the same is refused. Errors never quote the secret.
func ParseKey(name, secret string) (Key, error) {
	if !isKeyName(name) {
		return Key{}, fmt.Errorf("key name %q: expected 1 to 32 letters, digits, '-' or '_'", name)
	}
	b, ok := decodeSecret(secret)
	if !ok {
		return Key{}, fmt.Errorf("key %q: expected 32 random bytes as 64 hexadecimal digits or in base64, for example from 'openssl rand -hex 32'", name)
	}
	k := Key{name: name, secret: [SecretSize]byte(b)}
	same := true
	for _, c := range k.secret {
		same = same && c == k.secret[0]
	}
	if same {
		return Key{}, fmt.Errorf("key %q: all of its bytes are the same; expected 32 random ones, for example from 'openssl rand -hex 32'", name)
	}
	return k, nil
}

// Name returns the name that the key's owner gave it.
func (k Key) Name() string { return k.name }

// String returns the key's name, never its secret.
func (k Key) String() string { return "key " + k.name }

// GoString is String, so that no form of printing shows the secret.
func (k Key) GoString() string { return k.String() }

func decodeSecret(text string) ([]byte, bool) {
	if b, err := hex.DecodeString(text); err == nil && len(b) == SecretSize {
		return b, true
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
		if len(text) != e.EncodedLen(SecretSize) {
			continue
		}
		if b, err := e.Strict().DecodeString(text); err == nil && len(b) == SecretSize {
			return b, true
		}
	}
	return nil, false
}

func isKeyName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 32
}
