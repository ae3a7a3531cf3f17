package policy

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"slices"
	"time"
)

// historyForm is the first byte of a history's binary form.
const historyForm = 1

// firstDay is 2020-01-01, from which days are counted in the binary form, so
// that one takes two bytes.
const firstDay Day = 18262

// ErrHistory means that bytes are no history.
var ErrHistory = errors.New("these bytes are no history")

// names are the families of browsers and systems that take one byte in the
// binary form. Only add at the end.
var names = [...]string{
	"Chrome", "Firefox", "Safari", "Edge", "Opera", "Opera Mini", "Samsung Browser", "Vivaldi", "Yandex Browser",
	"Android Browser", "IE", "Amazon Silk", "Huawei Browser", "Falkon", "Nintendo Browser",
	"Windows", "MacOS", "iOS", "Android", "Linux", "ChromeOS", "OpenBSD", "FreeBSD",
}

// Append appends the history's binary form: at most [MaxHistory] bytes. The
// zero history has none.
func (h *History) Append(b []byte) []byte {
	if h.Logins == 0 {
		return b
	}
	for small := *h; ; small.dropName() {
		if all := small.append(b); len(all)-len(b) <= MaxHistory {
			return all
		}
	}
}

// dropName forgets the browser or system that was used longest ago: only names
// that nobody knows can make a history too large.
func (h *History) dropName() {
	longest := &h.Browsers
	if len(h.Systems) > len(h.Browsers) {
		longest = &h.Systems
	}
	*longest = withoutOldest(slices.Clone(*longest))
}

func (h *History) append(b []byte) []byte {
	b = append(b, historyForm)
	b = binary.AppendUvarint(b, uint64(h.Logins))
	b = appendMinute(b, h.First)
	b = appendMinute(b, h.Last)
	b = appendMinute(b, h.Place.At)
	if !h.Place.At.IsZero() {
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(float32(h.Place.Latitude)))
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(float32(h.Place.Longitude)))
		b = binary.AppendUvarint(b, uint64(min(max(h.Place.Radius, 0), maxCount)))
	}
	for _, n := range h.Hours {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = appendValues(b, h.Addresses, appendPrefix)
	b = appendValues(b, h.Networks, func(b []byte, n uint32) []byte { return binary.AppendUvarint(b, uint64(n)) })
	b = appendValues(b, h.Countries, func(b []byte, c string) []byte { return append(b, c[0], c[1]) })
	b = appendValues(b, h.Browsers, appendName)
	return appendValues(b, h.Systems, appendName)
}

// MaxHistory is the largest size of a history's binary form in bytes: with it,
// an account takes less than 4 KiB of an engine's file that has pages of that
// size.
const MaxHistory = 2500

func appendValues[K comparable](b []byte, values []Value[K], key func([]byte, K) []byte) []byte {
	b = append(b, byte(len(values)))
	for i := range values {
		v := &values[i]
		b = key(b, v.Key)
		b = binary.AppendUvarint(b, uint64(v.Count))
		b = binary.AppendUvarint(b, uint64(max(v.First-firstDay, 0)))
		b = binary.AppendUvarint(b, uint64(max(v.Last-v.First, 0)))
	}
	return b
}

func appendMinute(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(max(t.Unix()/60-int64(firstDay)*24*60, 0))+1)
}

// appendPrefix writes the bits and as many bytes as they need; 128 is added for
// IPv6.
func appendPrefix(b []byte, p netip.Prefix) []byte {
	raw := p.Addr().AsSlice()
	bits := byte(p.Bits())
	if p.Addr().Is6() {
		return append(append(b, bits|0x80), raw[:p.Bits()/8]...)
	}
	return append(append(b, bits), raw[:p.Bits()/8]...)
}

// appendName writes a known name as its number from 1, another with 0 and its
// length in front.
func appendName(b []byte, s string) []byte {
	for i, known := range names {
		if s == name(known) {
			return append(b, byte(i+1))
		}
	}
	return append(append(b, 0, byte(len(s))), s...)
}
