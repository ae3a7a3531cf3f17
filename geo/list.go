package geo

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"

	"github.com/gaissmai/bart"
)

// maxEntriesOfList bounds the networks of one list.
const maxEntriesOfList = 2_000_000

// list is one list of networks that is in use. It never changes.
type list struct {
	List
	info os.FileInfo
	nets bart.Lite
	// asns are sorted.
	asns []uint32
}

// CheckList refuses a file that is there and is no list; its error names the
// file, and the line. One that is not there, or cannot be read, is left to
// [Open].
func CheckList(l List) error {
	if _, err := openList(l); errors.As(err, new(brokenError)) {
		return err
	}
	return nil
}

// openList reads a list. Its errors name the file, and the line.
func openList(l List) (*list, error) {
	data, info, err := readWhole(l.File, maxList)
	if err != nil {
		return nil, err
	}
	read, err := parseList(data)
	if err != nil {
		return nil, brokenError{fmt.Errorf("%s: %w", l.File, err)}
	}
	read.List, read.info = l, info
	return read, nil
}

// parseList reads the lines of a list: a prefix, an address or AS and a number.
// What follows a # is a comment.
func parseList(data []byte) (*list, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	l := new(list)
	count, number := 0, 0
	for line := range bytes.Lines(data) {
		number++
		line, _, _ = bytes.Cut(line, []byte("#"))
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if count++; count > maxEntriesOfList {
			return nil, fmt.Errorf("line %d: a list may have %d entries", number, maxEntriesOfList)
		}
		if err := l.add(line); err != nil {
			return nil, fmt.Errorf("line %d: %q %w", number, clean(string(line[:min(len(line), maxOrganisation)])), err)
		}
	}
	slices.Sort(l.asns)
	l.asns = slices.Compact(l.asns)
	return l, nil
}

// maxLine is the longest entry: a prefix of IPv6 that ends in one of IPv4.
const maxLine = 64

var errNoEntry = errors.New("is no network: expected is a line such as 192.0.2.0/24, 2001:db8::/32, 198.51.100.7 or AS64500")

func (l *list) add(line []byte) error {
	if len(line) > maxLine {
		return errNoEntry
	}
	text := string(line)
	if digits := trimAS(text); digits != text {
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || n == 0 {
			return errNoEntry
		}
		l.asns = append(l.asns, uint32(n))
		return nil
	}
	prefix, err := parsePrefix(text)
	if err != nil {
		return err
	}
	l.nets.Insert(prefix)
	return nil
}

// parsePrefix reads a prefix or an address. A network of IPv4 that is written
// as one of IPv6 is the one of IPv4.
func parsePrefix(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, errNoEntry
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	if prefix.Bits() == 0 {
		return netip.Prefix{}, errors.New("would be every address")
	}
	return prefix.Masked(), nil
}

// has reports whether an address, or the network that it belongs to, stands in
// the list.
func (l *list) has(addr netip.Addr, asn uint32) bool {
	if l.nets.Contains(addr) {
		return true
	}
	if asn == 0 {
		return false
	}
	_, found := slices.BinarySearch(l.asns, asn)
	return found
}
