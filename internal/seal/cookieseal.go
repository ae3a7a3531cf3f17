package seal

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Marker is what every sealed cookie value begins with.
const Marker = "2f1."

// MaxSealedSize is the longest sealed value that is looked at. Browsers keep no
// cookie whose name and value together are longer.
const MaxSealedSize = 4096

// Kind says whose a sealed cookie is.
type Kind byte

// The kinds of standing.
const (
	// KindSession is a session's standing; its ID is the session's.
	KindSession Kind = 1
	// KindLine is the standing of an anonymous line; its ID is the line's.
	KindLine Kind = 2
)

// FlagToBeProved in Value.Flags says that a proof must show whose the value is
// before it is used for a protected request.
const FlagToBeProved byte = 1 << 0

// Standing is whose a sealed cookie is: a session's, or an anonymous line's.
type Standing struct {
	Kind Kind
	ID   [16]byte
}

// A Value is what a sealed cookie holds.
type Value struct {
	Standing Standing
	// Issued is when the value was sealed, to the millisecond.
	Issued time.Time
	// Attributes is the compact form of what the app set the cookie with, nil
	// for none.
	Attributes []byte
	// Flags are kept as they are, unknown ones too.
	Flags byte
	// Value is the app's cookie value.
	Value string
}

// The inside of a sealed cookie:
//
//	format (1) | kind (1) | flags (1) | id (16) | issued, ms (8) |
//	size of attributes (uvarint) | attributes | value
const (
	cookieFormat = 1
	fixedSize    = 1 + 1 + 1 + 16 + 8
)

// IsSealed says whether a cookie's value looks like a sealed one. It says
// nothing of whether it opens.
func IsSealed(value string) bool { return strings.HasPrefix(value, Marker) }

// SealCookie returns v sealed for the cookie of this exact name behind the
// handler instance of this name: Marker and base64url, with no byte that needs
// quoting. Whether it is short enough for a browser, SealedLen tells. A value
// without a kind of standing is sealed too, but never opens.
func (r *Ring) SealCookie(instance, name string, v Value, now time.Time) string {
	s := scratches.Get().(*scratch)
	defer s.release()
	s.bind(instance, name)

	s.raw = append(s.raw, cookieFormat, byte(v.Standing.Kind), v.Flags)
	s.raw = append(s.raw, v.Standing.ID[:]...)
	s.raw = binary.BigEndian.AppendUint64(s.raw, uint64(v.Issued.UnixMilli()))
	s.raw = binary.AppendUvarint(s.raw, uint64(len(v.Attributes)))
	s.raw = append(s.raw, v.Attributes...)
	s.raw = append(s.raw, v.Value...)

	// Sealed behind the plaintext and encoded behind that, in the same buffer,
	// which is made large enough before, for none of the three may move.
	plain, sealed := len(s.raw), len(s.raw)+Overhead
	encoded := text.EncodedLen(sealed)
	s.grow(sealed + len(Marker) + encoded)
	seal := r.appendSeal(s.raw[plain:plain], s, PurposeCookie, s.raw[:plain], now)
	s.raw = s.raw[:plain+sealed+len(Marker)+encoded]
	out := s.raw[plain+sealed:]
	copy(out, Marker)
	text.Encode(out[len(Marker):], seal)
	return string(out)
}

// OpenCookie opens what SealCookie returned for the same instance and name. A
// value without the Marker or longer than MaxSealedSize is ErrForeign and costs
// no cryptography. It allocates the value and, if there are any, the
// attributes.
func (r *Ring) OpenCookie(instance, name, sealed string, now time.Time) (Value, error) {
	if !IsSealed(sealed) || len(sealed) > MaxSealedSize {
		return Value{}, ErrForeign
	}
	s := scratches.Get().(*scratch)
	defer s.release()
	s.bind(instance, name)

	body := sealed[len(Marker):]
	s.grow(len(body) + 2*text.DecodedLen(len(body)))
	raw, ok := s.decode(body)
	if !ok {
		return Value{}, ErrForeign
	}
	end := len(s.raw)
	plain, err := r.appendOpen(s.raw[end:end], s, PurposeCookie, raw, now)
	if err != nil {
		return Value{}, err
	}
	s.raw = s.raw[:end+len(plain)] // so that the plaintext is cleared as well
	return parseValue(plain)
}

func parseValue(plain []byte) (Value, error) {
	if len(plain) < fixedSize || plain[0] != cookieFormat {
		return Value{}, fmt.Errorf("%w: its inside has another format", ErrBroken)
	}
	v := Value{Standing: Standing{Kind: Kind(plain[1]), ID: [16]byte(plain[3:19])}, Flags: plain[2]}
	if v.Standing.Kind != KindSession && v.Standing.Kind != KindLine {
		return Value{}, fmt.Errorf("%w: its standing is of an unknown kind", ErrBroken)
	}
	v.Issued = time.UnixMilli(int64(binary.BigEndian.Uint64(plain[19:]))).UTC()
	size, n := binary.Uvarint(plain[fixedSize:])
	rest := plain[fixedSize:]
	if n <= 0 || size > uint64(len(rest)-n) {
		return Value{}, fmt.Errorf("%w: its attributes are cut", ErrBroken)
	}
	rest = rest[n:]
	if size > 0 {
		v.Attributes = append(make([]byte, 0, size), rest[:size]...)
	}
	v.Value = string(rest[size:])
	return v, nil
}

// SealedLen returns how long a cookie of this name is when this value and these
// attributes are sealed: name and sealed value together, which is what
// browsers count against 4,096 bytes.
func SealedLen(name, value string, attributes []byte) int {
	plain := fixedSize + uvarintLen(len(attributes)) + len(attributes) + len(value)
	return len(name) + len(Marker) + text.EncodedLen(Overhead+plain)
}

func uvarintLen(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// bind puts the instance and the name into s.aad, each behind its length, so
// that no two pairs of them give the same bytes.
func (s *scratch) bind(instance, name string) {
	s.aad = append(s.aad, make([]byte, headerSize)...)
	s.aad = append(binary.AppendUvarint(s.aad, uint64(len(instance))), instance...)
	s.aad = append(binary.AppendUvarint(s.aad, uint64(len(name))), name...)
}

// grow makes room for n more bytes in s.raw, so that none of it moves.
func (s *scratch) grow(n int) {
	if cap(s.raw)-len(s.raw) >= n {
		return
	}
	larger := make([]byte, len(s.raw), len(s.raw)+n)
	copy(larger, s.raw)
	clear(s.raw)
	s.raw = larger
}
