package policy

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// ParseHistory reads a history's binary form; no bytes are the zero history. It
// returns an error that wraps [ErrHistory] for anything that Append does not
// write.
func ParseHistory(b []byte) (History, error) {
	var h History
	if len(b) == 0 {
		return h, nil
	}
	if len(b) > MaxHistory || b[0] != historyForm {
		return h, fmt.Errorf("%w: %d bytes of the form %d", ErrHistory, len(b), b[0])
	}
	// One text, whose parts the names and codes are: they cost nothing.
	r := &reader{all: string(b), at: 1}
	h.Logins = r.count(1 << 30)
	h.First, h.Last = r.minute(), r.minute()
	if h.Place.At = r.minute(); !h.Place.At.IsZero() {
		h.Place.Latitude, h.Place.Longitude = r.degrees(90), r.degrees(180)
		h.Place.Radius = r.count(maxCount)
	}
	for i := range h.Hours {
		h.Hours[i] = r.count(maxHours)
	}
	h.Addresses = readValues(r, (*reader).prefix)
	h.Networks = readValues(r, func(r *reader) uint32 { return uint32(r.count(math.MaxUint32)) })
	h.Countries = readValues(r, (*reader).country)
	h.Browsers = readValues(r, (*reader).name)
	h.Systems = readValues(r, (*reader).name)
	if r.bad || r.at < len(r.all) || h.Logins == 0 {
		return History{}, fmt.Errorf("%w: they end too early, or too late, or are out of bounds", ErrHistory)
	}
	return h, nil
}

// reader reads a history from a place on; bad says that it could not.
type reader struct {
	all string
	at  int
	bad bool
}

func (r *reader) fail() { r.bad, r.at = true, len(r.all) }

// count reads what binary.AppendUvarint has written.
func (r *reader) count(most int) int {
	var n uint64
	for i := 0; i < binary.MaxVarintLen32 && r.at+i < len(r.all); i++ {
		c := r.all[r.at+i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.at += i + 1
			if n > uint64(most) {
				break
			}
			return int(n)
		}
	}
	r.fail()
	return 0
}

// take returns the next n bytes; none if there are not so many.
func (r *reader) take(n int) string {
	if n > len(r.all)-r.at {
		r.fail()
		return ""
	}
	r.at += n
	return r.all[r.at-n : r.at]
}

func (r *reader) minute() time.Time {
	n := r.count(math.MaxInt32)
	if n == 0 {
		return time.Time{}
	}
	return time.Unix((int64(firstDay)*24*60+int64(n)-1)*60, 0).UTC()
}

func (r *reader) degrees(most float64) float64 {
	b := r.take(4)
	if b == "" {
		return 0
	}
	d := float64(math.Float32frombits(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])))
	if !(math.Abs(d) <= most) {
		r.bad = true
		return 0
	}
	return d
}

func (r *reader) prefix() netip.Prefix {
	head := r.take(1)
	if head == "" {
		return netip.Prefix{}
	}
	bits := int(head[0] & 0x7f)
	var p netip.Prefix
	if head[0]&0x80 != 0 {
		var raw [16]byte
		copy(raw[:], r.take(bits/8))
		p = netip.PrefixFrom(netip.AddrFrom16(raw), bits)
	} else {
		var raw [4]byte
		copy(raw[:], r.take(bits/8))
		p = netip.PrefixFrom(netip.AddrFrom4(raw), bits)
	}
	r.bad = r.bad || !p.IsValid() || bits%8 != 0
	return p
}

func (r *reader) country() string {
	code := r.take(2)
	r.bad = r.bad || !isCountry(code)
	return code
}

func (r *reader) name() string {
	head := r.take(1)
	switch {
	case head == "":
		return ""
	case int(head[0]) > len(names):
		r.bad = true
		return ""
	case head[0] > 0:
		return name(names[head[0]-1])
	}
	s := r.take(r.count(MaxName))
	r.bad = r.bad || s == ""
	return s
}

func readValues[K comparable](r *reader, key func(*reader) K) []Value[K] {
	n := r.count(MaxValues)
	if n == 0 || n > len(r.all)-r.at {
		r.bad = r.bad || n > 0
		return nil
	}
	values := make([]Value[K], n)
	for i := range values {
		v := &values[i]
		v.Key = key(r)
		v.Count = r.count(maxCount)
		v.First = firstDay + Day(r.count(1<<20))
		v.Last = v.First + Day(r.count(1<<20))
	}
	return values
}
