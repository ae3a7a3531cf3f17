package file

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// The flags of a packed try.
const (
	tryHasName = 1 << iota
	tryHasIPv4
	tryHasIPv6
)

// packTries packs tries: first the instances that they are of, each once, then
// for each try the number of its instance, flags, its second, its name, and of
// its address the length of the prefix and the bytes that this fills.
func packTries(list []account.Try) []byte {
	var instances []string
	number := make(map[string]int)
	for i := range list {
		in := list[i].Instance
		if _, ok := number[in]; !ok {
			number[in] = len(instances)
			instances = append(instances, in)
		}
	}
	b := binary.AppendUvarint(nil, uint64(len(instances)))
	for _, in := range instances {
		b = binary.AppendUvarint(b, uint64(len(in)))
		b = append(b, in...)
	}
	for i := range list {
		b = packTry(b, number[list[i].Instance], &list[i])
	}
	return b
}

func packTry(b []byte, instance int, t *account.Try) []byte {
	var flags byte
	if t.Name != (account.TryName{}) {
		flags |= tryHasName
	}
	p := t.Address.Masked()
	switch {
	case !p.IsValid():
	case p.Addr().Is4():
		flags |= tryHasIPv4
	default:
		flags |= tryHasIPv6
	}
	b = binary.AppendUvarint(b, uint64(instance))
	b = append(b, flags)
	b = binary.BigEndian.AppendUint32(b, tryTime(t.At))
	if flags&tryHasName != 0 {
		b = append(b, t.Name[:]...)
	}
	if p.IsValid() {
		b = append(b, byte(p.Bits()))
		b = append(b, p.Addr().AsSlice()[:(p.Bits()+7)/8]...)
	}
	return b
}

var errTries = errors.New("its tries cannot be read")

// unpackTries reads what packTries has written.
func unpackTries(b []byte) ([]account.Try, error) {
	r := tryReader{b: b}
	instances := make([]string, 0, 1)
	for n := r.number(); n > 0 && r.err == nil; n-- {
		instances = append(instances, string(r.bytes(r.number())))
	}
	var list []account.Try
	for r.err == nil && len(r.b) > 0 {
		in := r.number()
		if in >= len(instances) {
			return nil, errTries
		}
		list = append(list, r.try(instances[in]))
	}
	return list, r.err
}

// tryReader reads from bytes until there is an error.
type tryReader struct {
	b   []byte
	err error
}

func (r *tryReader) bytes(n int) []byte {
	if n > len(r.b) {
		r.b, r.err = nil, errTries
		return make([]byte, 1)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// number reads a number that is no larger than any record.
func (r *tryReader) number() int {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > maxHold {
		r.b, r.err = nil, errTries
		return 0
	}
	r.b = r.b[size:]
	return int(n)
}

func (r *tryReader) try(instance string) account.Try {
	t := account.Try{Instance: instance}
	flags := r.bytes(1)[0]
	var at [4]byte
	copy(at[:], r.bytes(len(at)))
	t.At = time.Unix(int64(binary.BigEndian.Uint32(at[:])), 0).UTC()
	if flags&tryHasName != 0 {
		copy(t.Name[:], r.bytes(len(t.Name)))
	}
	var a netip.Addr
	switch bits := 0; flags &^ tryHasName {
	case 0:
	case tryHasIPv4:
		var raw [4]byte
		bits = int(r.bytes(1)[0])
		copy(raw[:], r.bytes(min(bits+7, 32)/8))
		a = netip.AddrFrom4(raw)
		t.Address = r.prefix(a, bits)
	case tryHasIPv6:
		var raw [16]byte
		bits = int(r.bytes(1)[0])
		copy(raw[:], r.bytes(min(bits+7, 128)/8))
		a = netip.AddrFrom16(raw)
		t.Address = r.prefix(a, bits)
	default:
		r.b, r.err = nil, fmt.Errorf("%w: flags %x", errTries, flags)
	}
	return t
}

func (r *tryReader) prefix(a netip.Addr, bits int) netip.Prefix {
	p, err := a.Prefix(bits)
	if err != nil {
		r.b, r.err = nil, fmt.Errorf("%w: %w", errTries, err)
	}
	return p
}
