package geo

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oschwald/geoip2-golang/v2"
	"github.com/oschwald/maxminddb-golang/v2"
)

// What is looked at of a database to see whether it can be read, and what it
// tells if its type is unknown: so many records at each of 16 places among the
// IPv4 addresses, and at 2000::/3. All of them would be better, and take
// seconds of a big database, or for ever of a damaged one: a tree that leads
// into itself has more networks than can be counted. For that the look-ups are
// bounded too.
const (
	sampleRecords = 64
	sampleLookups = 1024
)

// database is one that is in use. It never changes.
type database struct {
	path  string
	info  os.FileInfo
	built time.Time
	// tells is what it can be asked.
	tells  questions
	reader *maxminddb.Reader
	// complained says that the log has named a record that cannot be read.
	complained atomic.Bool
}

// CheckDatabase refuses a file that is there and is no database; its error names
// the file. One that is not there, or cannot be read, is left to [Open].
func CheckDatabase(path string) error {
	if _, err := openDatabase(path); errors.As(err, new(brokenError)) {
		return err
	}
	return nil
}

// openDatabase reads a database and finds out what it tells. Its errors name
// the file.
func openDatabase(path string) (*database, error) {
	data, info, err := readWhole(path, maxDatabase)
	if err != nil {
		return nil, err
	}
	d, err := newDatabase(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d.path, d.info = path, info
	return d, nil
}

func newDatabase(data []byte) (*database, error) {
	reader, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, brokenError{fmt.Errorf("is no database in MaxMind's format (.mmdb), or is not whole: %w", err)}
	}
	d := &database{reader: reader, built: reader.Metadata.BuildTime()}
	sampled, count, err := d.sample()
	if err != nil {
		return nil, brokenError{fmt.Errorf("is damaged: %w", err)}
	}
	if count == 0 {
		return nil, brokenError{errors.New("has no records")}
	}
	d.tells, err = typed(data)
	if errors.As(err, new(geoip2.UnknownDatabaseTypeError)) {
		d.tells, err = sampled, nil
	}
	if err != nil {
		return nil, brokenError{err}
	}
	if d.tells == 0 {
		return nil, brokenError{fmt.Errorf("a database of the type %q cannot be used, since it tells neither country, location, network nor anonymous networks; wanted is a City, Country, Enterprise, ASN, ISP or Anonymous-IP database of MaxMind or DB-IP, or one whose records have country_code, latitude and longitude, asn, or is_tor, is_vpn, is_proxy and is_hosting", typeName(reader))}
	}
	return d, nil
}

// typeName is the type that stands in a database, bounded.
func typeName(reader *maxminddb.Reader) string { return clean(reader.Metadata.DatabaseType) }

// typed says what a database tells by its type, if geoip2 knows that.
func typed(data []byte) (questions, error) {
	reader, err := geoip2.OpenBytes(data)
	if err != nil {
		return 0, err
	}
	any4 := netip.IPv4Unspecified()
	var tells questions
	if _, err := reader.Country(any4); knows(err) {
		tells |= askCountry
	}
	// To geoip2 a Country database is a City one without cities.
	if _, err := reader.City(any4); knows(err) && !strings.Contains(reader.Metadata().DatabaseType, "Country") {
		tells |= askLocation
	}
	if _, err := reader.Enterprise(any4); knows(err) {
		tells |= askNetwork
	}
	if _, err := reader.ASN(any4); knows(err) {
		tells |= askNetwork
	}
	if _, err := reader.AnonymousIP(any4); knows(err) {
		tells |= askAnonymous
	}
	if _, err := reader.AnonymousPlus(any4); knows(err) {
		tells |= askAnonymous
	}
	return tells, nil
}

// knows reports whether a method of geoip2 goes with the type of a database;
// whether it finds anything does not matter.
func knows(err error) bool { return !errors.As(err, new(geoip2.InvalidMethodError)) }

// sample reads some records of all parts of the database. It returns what they
// tell and how many there were.
func (d *database) sample() (questions, int, error) {
	var tells questions
	count := 0
	for _, part := range d.parts() {
		addr, left := part.Addr(), sampleRecords
		for range sampleLookups {
			result := d.reader.Lookup(addr)
			r := record{want: askCountry | askLocation | askNetwork | askAnonymous}
			if err := result.Decode(&r); err != nil {
				return 0, 0, fmt.Errorf("the record of %s: %w", addr, err)
			}
			if result.Found() {
				tells |= r.saw
				count++
				left--
			}
			network := result.Prefix()
			if addr = behind(network); left == 0 || !addr.IsValid() || !part.Contains(addr) {
				break
			}
		}
	}
	return tells, count, nil
}

// parts are where records are looked for.
func (d *database) parts() []netip.Prefix {
	var parts []netip.Prefix
	for i := range 16 {
		parts = append(parts, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i << 4)}), 4))
	}
	if d.reader.Metadata.IPVersion == 6 {
		parts = append(parts, netip.MustParsePrefix("2000::/3"))
	}
	return parts
}

// behind returns the first address behind a network, which is invalid if there
// is none.
func behind(network netip.Prefix) netip.Addr {
	last := network.Masked().Addr().AsSlice()
	for i := network.Bits(); i < len(last)*8; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	addr, _ := netip.AddrFromSlice(last)
	return addr.Next()
}

// look reads the record of an address. One that has none leaves r as it is.
func (d *database) look(addr netip.Addr, r *record) error {
	if addr.Is6() && d.reader.Metadata.IPVersion == 4 {
		return nil
	}
	return d.reader.Lookup(addr).Decode(r)
}

// brokenError is an error of what stands in a file, which only another content
// mends, as opposed to one of reading it.
type brokenError struct{ error }

func (e brokenError) Unwrap() error { return e.error }
