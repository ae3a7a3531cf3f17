// Package geotest writes small databases and lists for tests: no database is
// part of the project.
package geotest

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// Built is the time that stands in the databases.
var Built = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// Records are the records of a database by their networks (192.0.2.0/24).
type Records map[string]mmdbtype.DataType

// City is a record of a City database. A radius of 0 is left out.
func City(country string, latitude, longitude float64, radiusKm uint16) mmdbtype.DataType {
	location := mmdbtype.Map{
		"latitude": mmdbtype.Float64(latitude), "longitude": mmdbtype.Float64(longitude),
		"time_zone": mmdbtype.String("Europe/Berlin"),
	}
	if radiusKm > 0 {
		location["accuracy_radius"] = mmdbtype.Uint16(radiusKm)
	}
	names := mmdbtype.Map{"de": mmdbtype.String("Ort"), "en": mmdbtype.String("Town"), "fr": mmdbtype.String("Ville")}
	return mmdbtype.Map{
		"city":               mmdbtype.Map{"geoname_id": mmdbtype.Uint32(2950159), "names": names},
		"continent":          mmdbtype.Map{"code": mmdbtype.String("EU"), "names": names},
		"country":            mmdbtype.Map{"iso_code": mmdbtype.String(country), "geoname_id": mmdbtype.Uint32(2921044), "names": names},
		"location":           location,
		"postal":             mmdbtype.Map{"code": mmdbtype.String("10115")},
		"registered_country": mmdbtype.Map{"iso_code": mmdbtype.String("ZA"), "names": names},
		"subdivisions":       mmdbtype.Slice{mmdbtype.Map{"iso_code": mmdbtype.String("BE"), "names": names}},
	}
}

// Country is a record of a Country database.
func Country(code string) mmdbtype.DataType {
	return mmdbtype.Map{
		"country":            mmdbtype.Map{"iso_code": mmdbtype.String(code), "geoname_id": mmdbtype.Uint32(2921044)},
		"registered_country": mmdbtype.Map{"iso_code": mmdbtype.String("ZA")},
	}
}

// ASN is a record of an ASN database.
func ASN(number uint32, organisation string) mmdbtype.DataType {
	return mmdbtype.Map{
		"autonomous_system_number":       mmdbtype.Uint32(number),
		"autonomous_system_organization": mmdbtype.String(organisation),
	}
}

// Anonymous is a record of an Anonymous-IP database, with entries such as
// is_tor_exit_node; is_anonymous is set besides.
func Anonymous(entries ...string) mmdbtype.DataType {
	record := mmdbtype.Map{"is_anonymous": mmdbtype.Bool(true)}
	for _, entry := range entries {
		record[mmdbtype.String(entry)] = mmdbtype.Bool(true)
	}
	return record
}

// Flat is a record of texts, of which each pair is an entry and its value.
func Flat(pairs ...string) mmdbtype.DataType {
	record := mmdbtype.Map{}
	for i := 0; i+1 < len(pairs); i += 2 {
		record[mmdbtype.String(pairs[i])] = mmdbtype.String(pairs[i+1])
	}
	return record
}

// Database returns the bytes of a database of this type, for IPv4 and IPv6.
func Database(t testing.TB, kind string, records Records) []byte {
	t.Helper()
	return build(t, kind, 6, records)
}

// IPv4Database returns the bytes of a database that knows IPv4 alone.
func IPv4Database(t testing.TB, kind string, records Records) []byte {
	t.Helper()
	return build(t, kind, 4, records)
}

func build(t testing.TB, kind string, version int, records Records) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: kind, IPVersion: version, RecordSize: 24, BuildEpoch: Built.Unix(),
		IncludeReservedNetworks: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for network, record := range records {
		_, ipnet, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(ipnet, record); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Write writes a file into a folder of the test's own and returns its path.
func Write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
