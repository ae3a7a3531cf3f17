package geo

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oschwald/maxminddb-golang/v2/mmdbdata"
)

// Bounds of a record. Known databases have some 20 entries and names of some
// 80 bytes.
const (
	maxEntries      = 256
	maxText         = 4096
	maxOrganisation = 100
)

// record reads what matters of one record: of MaxMind's form, where country,
// location and traits are maps of their own, and of flat ones. What else stands
// in it is skipped, not decoded.
type record struct {
	// want is what is asked; the rest is skipped.
	want questions
	// saw is what the record has entries for.
	saw questions

	country          string
	lat, lon, radius float64
	hasLat, hasLon   bool
	asn              uint32
	organisation     string
	// name is an entry that names the network if the record tells its number,
	// and may be anything's name otherwise.
	name      string
	anonymous Kind
}

// UnmarshalMaxMindDBCursor reads a record.
func (r *record) UnmarshalMaxMindDBCursor(c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	return eachEntry(c, r.entry)
}

// eachEntry reads a map. value reads the value of an entry, or skips it.
func eachEntry(c mmdbdata.Cursor, value func(key []byte, c mmdbdata.Cursor) (mmdbdata.Cursor, error)) (mmdbdata.Cursor, error) {
	entries, err := c.MapReader()
	if err != nil {
		return mmdbdata.Cursor{}, err
	}
	if entries.Len() > maxEntries {
		return mmdbdata.Cursor{}, errors.New("a map has too many entries")
	}
	next := entries.First()
	for range entries.Len() {
		key, at, err := next.ReadMapKey()
		if err != nil {
			return mmdbdata.Cursor{}, err
		}
		if next, err = value(key, at); err != nil {
			return mmdbdata.Cursor{}, err
		}
	}
	return entries.End(next)
}

// entry reads an entry of the record itself.
func (r *record) entry(key []byte, c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	q, inner := askOf(key)
	if inner {
		kind, err := c.Kind()
		if err != nil {
			return mmdbdata.Cursor{}, err
		}
		switch {
		case kind == mmdbdata.KindMap && r.want&q != 0:
			return eachEntry(c, r.innerOf(q))
		case kind == mmdbdata.KindMap:
			return c.Skip()
		}
	}
	if r.want&q == 0 {
		return c.Skip()
	}
	return r.value(key, c)
}

// askOf says what an entry of a record belongs to, and whether it is a map of
// its own in MaxMind's form.
func askOf(key []byte) (q questions, inner bool) {
	switch string(key) {
	case "country":
		return askCountry, true
	case "country_code", "country_iso_code", "iso_code":
		return askCountry, false
	case "location":
		return askLocation, true
	case "latitude", "lat", "longitude", "lon", "lng", "accuracy_radius":
		return askLocation, false
	case "traits":
		return askNetwork, true
	case "autonomous_system_number", "autonomous_system_organization", "asn", "as_name", "as_organization", "name":
		return askNetwork, false
	}
	if anonymousOf(key) != "" {
		return askAnonymous, false
	}
	return 0, false
}

// innerOf reads a map of MaxMind's form, and skips what belongs to another.
func (r *record) innerOf(q questions) func([]byte, mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	return func(key []byte, c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
		if is, inner := askOf(key); is != q || inner || string(key) == "name" {
			return c.Skip()
		}
		return r.value(key, c)
	}
}

// anonymousOf says what an entry with a yes or no stands for.
func anonymousOf(key []byte) Kind {
	switch string(key) {
	case "is_tor_exit_node", "is_tor", "tor":
		return Tor
	case "is_anonymous_vpn", "is_vpn", "vpn":
		return VPN
	case "is_public_proxy", "is_residential_proxy", "is_proxy", "proxy":
		return Proxy
	case "is_hosting_provider", "is_hosting", "hosting":
		return Hosting
	case "is_anonymous":
		return Anonymous
	}
	return ""
}

// value reads the value of an entry that is asked for.
func (r *record) value(key []byte, c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	switch string(key) {
	case "country", "country_code", "country_iso_code", "iso_code":
		text, next, err := readText(c)
		if code := countryCode(text); code != "" {
			r.country, r.saw = code, r.saw|askCountry
		}
		return next, err
	case "latitude", "lat":
		n, ok, next, err := readNumber(c)
		r.lat, r.hasLat = n, ok && math.Abs(n) <= 90
		return r.located(next, err)
	case "longitude", "lon", "lng":
		n, ok, next, err := readNumber(c)
		r.lon, r.hasLon = n, ok && math.Abs(n) <= 180
		return r.located(next, err)
	case "accuracy_radius":
		n, ok, next, err := readNumber(c)
		if ok && n > 0 && n <= maxRadiusKm {
			r.radius = n
		}
		return next, err
	case "autonomous_system_number", "asn":
		n, ok, next, err := readNumber(c)
		if ok && n >= 1 && n <= math.MaxUint32 {
			r.asn, r.saw = uint32(n), r.saw|askNetwork
		}
		return next, err
	case "autonomous_system_organization", "as_name", "as_organization":
		text, next, err := readText(c)
		r.organisation = text
		return next, err
	case "name":
		text, next, err := readText(c)
		r.name = text
		return next, err
	}
	yes, ok, next, err := readYes(c)
	if ok {
		r.saw |= askAnonymous
	}
	if kind := anonymousOf(key); yes && strength(kind) > strength(r.anonymous) {
		r.anonymous = kind
	}
	return next, err
}

func (r *record) located(next mmdbdata.Cursor, err error) (mmdbdata.Cursor, error) {
	if r.hasLat && r.hasLon {
		r.saw |= askLocation
	}
	return next, err
}

// tell writes what was asked into a place.
func (r *record) tell(p *Place) {
	if r.want.has(askCountry) {
		p.Country = r.country
	}
	// Flat databases write 0, 0 where they do not know.
	if r.want.has(askLocation) && r.hasLat && r.hasLon && (r.lat != 0 || r.lon != 0) {
		p.HasLocation, p.Latitude, p.Longitude, p.RadiusKm = true, r.lat, r.lon, r.radius
		if p.RadiusKm == 0 {
			p.RadiusKm = DefaultRadiusKm
		}
	}
	if r.want.has(askNetwork) && r.asn != 0 {
		p.ASN, p.Organisation = r.asn, clean(r.organisation)
		if p.Organisation == "" {
			p.Organisation = clean(r.name)
		}
	}
	if r.want.has(askAnonymous) {
		p.Anonymous = r.anonymous
	}
}

// countryCode returns a code of two letters in upper case, and nothing for
// what is none and for the codes that stand for an unknown country.
func countryCode(s string) string {
	if len(s) != 2 {
		return ""
	}
	code := strings.ToUpper(s)
	for i := range 2 {
		if code[i] < 'A' || code[i] > 'Z' {
			return ""
		}
	}
	if code == "XX" || code == "ZZ" {
		return ""
	}
	return code
}

// clean bounds a name and takes control characters out of it.
func clean(s string) string {
	if len(s) > maxOrganisation {
		n := maxOrganisation
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return strings.Map(printable, s)
		}
	}
	return s
}

func printable(r rune) rune {
	if r == utf8.RuneError || !unicode.IsPrint(r) {
		return '?'
	}
	return r
}

// readText reads a text; what is none is skipped.
func readText(c mmdbdata.Cursor) (string, mmdbdata.Cursor, error) {
	kind, err := c.Kind()
	if err != nil {
		return "", mmdbdata.Cursor{}, err
	}
	if kind != mmdbdata.KindString {
		next, err := c.Skip()
		return "", next, err
	}
	return c.ReadStringMaxSize(maxText)
}

// readNumber reads a number, or a text that is one, such as 52.5 or AS64500;
// what is none is skipped.
func readNumber(c mmdbdata.Cursor) (n float64, ok bool, next mmdbdata.Cursor, err error) {
	kind, err := c.Kind()
	if err != nil {
		return 0, false, mmdbdata.Cursor{}, err
	}
	switch kind {
	case mmdbdata.KindFloat32, mmdbdata.KindFloat64:
		n, next, err = c.ReadFloat()
		return n, err == nil && !math.IsNaN(n), next, err
	case mmdbdata.KindUint16, mmdbdata.KindUint32, mmdbdata.KindUint64:
		u, next, err := c.ReadUint()
		return float64(u), err == nil, next, err
	case mmdbdata.KindInt32:
		i, next, err := c.ReadInt32()
		return float64(i), err == nil, next, err
	case mmdbdata.KindString:
		text, next, err := c.ReadStringMaxSize(maxText)
		if err != nil {
			return 0, false, next, err
		}
		n, fault := strconv.ParseFloat(trimAS(text), 64)
		return n, fault == nil && !math.IsNaN(n), next, nil
	}
	next, err = c.Skip()
	return 0, false, next, err
}

// trimAS takes the AS off the number of a network.
func trimAS(s string) string {
	if len(s) > 2 && (s[0] == 'A' || s[0] == 'a') && (s[1] == 'S' || s[1] == 's') {
		return s[2:]
	}
	return s
}

// readYes reads a yes or no; what is neither is skipped.
func readYes(c mmdbdata.Cursor) (yes, ok bool, next mmdbdata.Cursor, err error) {
	kind, err := c.Kind()
	if err != nil {
		return false, false, mmdbdata.Cursor{}, err
	}
	if kind == mmdbdata.KindBool {
		yes, next, err = c.ReadBool()
		return yes, err == nil, next, err
	}
	if kind != mmdbdata.KindString {
		n, ok, next, err := readNumber(c)
		return n == 1, ok && (n == 0 || n == 1), next, err
	}
	text, next, err := c.ReadStringMaxSize(maxText)
	switch strings.ToLower(text) {
	case "true", "yes", "1":
		return true, err == nil, next, err
	case "false", "no", "0", "":
		return false, err == nil, next, err
	}
	return false, false, next, err
}
