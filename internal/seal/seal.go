package seal

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Errors of Open. None says more of a seal than that.
var (
	// ErrForeign says that a value is no seal, or one of a key that is not on
	// the ring.
	ErrForeign = errors.New("not a seal of this key ring")
	// ErrBroken says that a seal of a key of the ring does not open: it was
	// changed or cut, or was made for another purpose or other additional data.
	ErrBroken = errors.New("the seal does not open")
	// ErrStale says that the day in a seal lies further ahead or back than its
	// purpose allows. It is an ErrBroken.
	ErrStale = fmt.Errorf("%w: its day is too far from today", ErrBroken)
)

const (
	version    = 1
	headerSize = 1 + 4 + 2
	// Overhead is by how many bytes a seal is longer than what is sealed.
	Overhead = headerSize + 12 + 16
)

// text is the form of seals in cookies. Strict leaves one spelling of each.
var text = base64.RawURLEncoding.Strict()

// scratch holds the additional data and the bytes between text and seal, so
// that a hot path allocates only its result.
type scratch struct{ aad, raw []byte }

// maxScratch is the largest buffer that is kept for the next use.
const maxScratch = 16 << 10

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// release gives s back without the bytes it held.
func (s *scratch) release() {
	clear(s.aad)
	clear(s.raw)
	if cap(s.aad)+cap(s.raw) <= maxScratch {
		s.aad, s.raw = s.aad[:0], s.raw[:0]
		scratches.Put(s)
	}
}

// Seal returns plaintext sealed under the newest key for a purpose and bound to
// aad, which is not in the seal. Now decides only which day's key is taken.
// Under one key at most 2^32 values may be sealed a day.
func (r *Ring) Seal(p Purpose, aad, plaintext []byte, now time.Time) []byte {
	return r.AppendSeal(make([]byte, 0, Overhead+len(plaintext)), p, aad, plaintext, now)
}

// AppendSeal appends to dst what Seal returns. Dst and plaintext must not
// overlap.
func (r *Ring) AppendSeal(dst []byte, p Purpose, aad, plaintext []byte, now time.Time) []byte {
	s := scratches.Get().(*scratch)
	defer s.release()
	s.aad = append(append(s.aad, make([]byte, headerSize)...), aad...)
	return r.appendSeal(dst, s, p, plaintext, now)
}

// appendSeal seals with the additional data in s.aad, whose first headerSize
// bytes it fills in.
func (r *Ring) appendSeal(dst []byte, s *scratch, p Purpose, plaintext []byte, now time.Time) []byte {
	k, today := r.keys[0], dayOf(now)
	header := s.aad[:headerSize]
	header[0] = version
	binary.BigEndian.PutUint32(header[1:], k.id)
	binary.BigEndian.PutUint16(header[5:], today)
	dst = append(dst, header...)
	return k.purpose(p).cipher(today, today).Seal(dst, nil, plaintext, s.aad)
}

// Open returns what was sealed for this purpose and this aad by a key of the
// ring. Its errors are ErrForeign, ErrBroken and ErrStale.
func (r *Ring) Open(p Purpose, aad, sealed []byte, now time.Time) ([]byte, error) {
	return r.AppendOpen(nil, p, aad, sealed, now)
}

// AppendOpen appends to dst what Open returns. On an error it returns nil, and
// what dst has room for behind its length may have been overwritten. Dst and
// sealed must not overlap.
func (r *Ring) AppendOpen(dst []byte, p Purpose, aad, sealed []byte, now time.Time) ([]byte, error) {
	s := scratches.Get().(*scratch)
	defer s.release()
	s.aad = append(append(s.aad, make([]byte, headerSize)...), aad...)
	return r.appendOpen(dst, s, p, sealed, now)
}

// appendOpen opens with the additional data in s.aad, whose first headerSize
// bytes it fills in.
func (r *Ring) appendOpen(dst []byte, s *scratch, p Purpose, sealed []byte, now time.Time) ([]byte, error) {
	if len(sealed) < headerSize || sealed[0] != version {
		return nil, ErrForeign
	}
	k := r.find(binary.BigEndian.Uint32(sealed[1:]))
	if k == nil {
		return nil, ErrForeign
	}
	if len(sealed) < Overhead {
		return nil, ErrBroken
	}
	pk := k.purpose(p)
	d, today := binary.BigEndian.Uint16(sealed[5:]), dayOf(now)
	if !pk.plausible(d, today) {
		return nil, ErrStale
	}
	copy(s.aad, sealed[:headerSize])
	plaintext, err := pk.cipher(d, today).Open(dst, nil, sealed[headerSize:], s.aad)
	if err != nil {
		return nil, ErrBroken
	}
	return plaintext, nil
}

// SealText returns Seal's result in base64url without padding, as it can stand
// in a cookie.
func (r *Ring) SealText(p Purpose, aad, plaintext []byte, now time.Time) string {
	s := scratches.Get().(*scratch)
	defer s.release()
	s.aad = append(append(s.aad, make([]byte, headerSize)...), aad...)
	s.raw = r.appendSeal(s.raw, s, p, plaintext, now)
	return text.EncodeToString(s.raw)
}

// OpenText opens what SealText returned. Of every seal only one spelling is
// taken; anything that is not base64url is ErrForeign. It is for the caller to
// limit the size of what comes from outside.
func (r *Ring) OpenText(p Purpose, aad []byte, sealed string, now time.Time) ([]byte, error) {
	s := scratches.Get().(*scratch)
	defer s.release()
	s.aad = append(append(s.aad, make([]byte, headerSize)...), aad...)
	raw, ok := s.decode(sealed)
	if !ok {
		return nil, ErrForeign
	}
	return r.appendOpen(nil, s, p, raw, now)
}

// decode decodes base64url into s.raw and returns the decoded part. The
// standard library's decoder skips line breaks, which would give one seal many
// spellings, so the length tells whether there were any.
func (s *scratch) decode(sealed string) ([]byte, bool) {
	s.raw = append(s.raw, sealed...)
	size := text.DecodedLen(len(sealed))
	s.raw = append(s.raw, make([]byte, size)...)
	n, err := text.Decode(s.raw[len(sealed):], s.raw[:len(sealed)])
	if err != nil || text.EncodedLen(n) != len(sealed) {
		return nil, false
	}
	return s.raw[len(sealed) : len(sealed)+n], true
}
