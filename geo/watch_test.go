package geo_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-twofactor/caddy-twofactor/geo"
	"github.com/caddy-twofactor/caddy-twofactor/geo/geotest"
)

// following is a reader whose files are looked at by hand.
type following struct {
	*geo.Reader
	t      *testing.T
	path   string
	log    *observer.ObservedLogs
	events map[geo.Event]int
}

func countryFile(t testing.TB, code string) []byte {
	t.Helper()
	return geotest.Database(t, "GeoLite2-Country", geotest.Records{"192.0.2.0/24": geotest.Country(code)})
}

// follow opens a reader of one file, a database or a list.
func follow(t *testing.T, name string, data []byte) *following {
	t.Helper()
	core, log := observer.New(zapcore.InfoLevel)
	f := &following{t: t, path: geotest.Write(t, name, data), log: log, events: map[geo.Event]int{}}
	cfg := geo.Config{Log: zap.New(core), Count: func(file string, e geo.Event) {
		if file != f.path {
			t.Errorf("an event of %s, want %s", file, f.path)
		}
		f.events[e]++
	}}
	if strings.HasSuffix(name, ".mmdb") {
		cfg.Files = []string{f.path}
	} else {
		cfg.Lists = []geo.List{{Kind: geo.Tor, File: f.path}}
	}
	f.Reader = open(t, cfg)
	return f
}

// write writes the file in place. The time of each writing is another, however
// coarse the file system's clock is.
func (f *following) write(data []byte, writings int) {
	f.t.Helper()
	if err := os.WriteFile(f.path, data, 0o600); err != nil {
		f.t.Fatal(err)
	}
	at := time.Now().Add(time.Duration(writings) * time.Second)
	if err := os.Chtimes(f.path, at, at); err != nil {
		f.t.Fatal(err)
	}
}

// settle looks as often as it takes for a change that has ended.
func (f *following) settle() {
	f.LookAtFiles()
	f.LookAtFiles()
}

func (f *following) isIn(want string) {
	f.t.Helper()
	if got := look(f.Reader, "192.0.2.1").Country; got != want {
		f.t.Errorf("the address is in %q, want %q", got, want)
	}
}

func (f *following) errors(want int) {
	f.t.Helper()
	if got := f.log.FilterLevelExact(zapcore.ErrorLevel).Len(); got != want {
		f.t.Errorf("the log has %d errors, want %d: %v", got, want, f.log.All())
	}
}

func TestAChangedDatabaseIsUsedWithoutARestart(t *testing.T) {
	for name, change := range map[string]func(f *following, data []byte){
		"written in place": func(f *following, data []byte) { f.write(data, 1) },
		"renamed over": func(f *following, data []byte) {
			other := filepath.Join(filepath.Dir(f.path), "new")
			if err := os.WriteFile(other, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(other, f.path); err != nil {
				t.Fatal(err)
			}
		},
		"renamed over with the same time and size": func(f *following, data []byte) {
			info, err := os.Stat(f.path)
			if err != nil {
				t.Fatal(err)
			}
			other := filepath.Join(filepath.Dir(f.path), "new")
			if err := os.WriteFile(other, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(other, info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(other, f.path); err != nil {
				t.Fatal(err)
			}
		},
		"a link that leads elsewhere": func(f *following, data []byte) {
			other := geotest.Write(t, "elsewhere", data)
			if err := os.Remove(f.path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(other, f.path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := follow(t, "x.mmdb", countryFile(t, "DE"))
			f.settle()
			f.isIn("DE")
			change(f, countryFile(t, "FR"))
			f.settle()
			f.isIn("FR")
			f.settle()
			if f.events[geo.Loaded] != 2 || f.events[geo.Refused] != 0 {
				t.Errorf("got the events %v", f.events)
			}
			f.errors(0)
		})
	}
}

func TestAnUnchangedFileIsNotReadAgain(t *testing.T) {
	f := follow(t, "x.mmdb", countryFile(t, "DE"))
	for range 5 {
		f.LookAtFiles()
	}
	if f.events[geo.Loaded] != 1 || f.log.Len() != 0 {
		t.Errorf("got the events %v and %d lines in the log", f.events, f.log.Len())
	}
}

func TestABrokenDatabaseLeavesTheOldOneInUse(t *testing.T) {
	whole := countryFile(t, "FR")
	for name, broken := range map[string][]byte{
		"empty":           nil,
		"a text":          []byte("moved to another address\n"),
		"half":            whole[:len(whole)/2],
		"of another type": geotest.Database(t, "GeoLite2-ASN", geotest.Records{"192.0.2.0/24": geotest.ASN(64500, "Vast")}),
		"without records": geotest.Database(t, "GeoLite2-Country", nil),
	} {
		t.Run(name, func(t *testing.T) {
			f := follow(t, "x.mmdb", countryFile(t, "DE"))
			f.write(broken, 1)
			for range 5 {
				f.settle()
			}
			f.isIn("DE")
			f.errors(1)
			if f.events[geo.Refused] != 1 {
				t.Errorf("got the events %v", f.events)
			}
			entry := f.log.All()[0]
			if entry.ContextMap()["file"] != f.path || !strings.Contains(entry.Message, "put a whole file in its place") {
				t.Errorf("the log says %q of %v", entry.Message, entry.ContextMap())
			}
			f.write(broken, 2)
			f.settle()
			f.errors(2)
			f.write(whole, 3)
			f.settle()
			f.isIn("FR")
		})
	}
}

func TestADatabaseThatTellsLessThanBeforeIsNotTaken(t *testing.T) {
	city := func(code string) []byte {
		return geotest.Database(t, "GeoLite2-City", geotest.Records{"192.0.2.0/24": geotest.City(code, 52.5, 13.4, 20)})
	}
	f := follow(t, "x.mmdb", city("DE"))
	f.write(countryFile(t, "FR"), 1)
	f.settle()
	f.isIn("DE")
	if !f.Knows().Location {
		t.Error("it no longer knows locations")
	}
	f.errors(1)
	if say := f.log.All()[0].ContextMap()["error"]; !strings.Contains(say.(string), "no longer tells location") {
		t.Errorf("the log says %q", say)
	}
}

func TestAFileThatIsStillWrittenWaits(t *testing.T) {
	whole := countryFile(t, "FR")
	f := follow(t, "x.mmdb", countryFile(t, "DE"))
	for i := range 10 {
		f.write(whole[:len(whole)*i/10], i+1)
		f.LookAtFiles()
		f.isIn("DE")
	}
	f.write(whole, 11)
	f.LookAtFiles()
	f.isIn("DE")
	f.LookAtFiles()
	f.isIn("FR")
	f.errors(0)
}

func TestAFileThatStaysHalfIsTakenOnceItIsWhole(t *testing.T) {
	whole := countryFile(t, "FR")
	f := follow(t, "x.mmdb", countryFile(t, "DE"))
	f.write(whole[:len(whole)/2], 1)
	f.settle()
	f.isIn("DE")
	f.errors(1)
	out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write(whole[len(whole)/2:]); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.isIn("FR")
}

func TestAFileThatGoesAndComesBackIsTold(t *testing.T) {
	f := follow(t, "x.mmdb", countryFile(t, "DE"))
	for i := range 2 {
		away := f.path + ".away"
		if err := os.Rename(f.path, away); err != nil {
			t.Fatal(err)
		}
		f.settle()
		f.settle()
		f.isIn("DE")
		f.errors(i + 1)
		if err := os.Rename(away, f.path); err != nil {
			t.Fatal(err)
		}
		f.settle()
	}
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.errors(3)
	f.write(countryFile(t, "FR"), 1)
	f.settle()
	f.isIn("FR")
}

func TestAFileThatBecomesAFolderOrHugeLeavesTheOldOneInUse(t *testing.T) {
	f := follow(t, "x.mmdb", countryFile(t, "DE"))
	if err := os.Truncate(f.path, 513<<20); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.isIn("DE")
	f.errors(1)
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(f.path, 0o700); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.isIn("DE")
	f.errors(2)
}

func TestAChangedListIsUsedAndABrokenOneIsNot(t *testing.T) {
	f := follow(t, "tor.txt", []byte("192.0.2.1\n"))
	is := func(addr string, want geo.Kind) {
		t.Helper()
		if got := look(f.Reader, addr).Anonymous; got != want {
			t.Errorf("%s is %q, want %q", addr, got, want)
		}
	}
	f.write([]byte("192.0.2.1\n192.0.2.2\n"), 1)
	f.settle()
	is("192.0.2.2", geo.Tor)
	f.write([]byte("<html>not found</html>\n"), 2)
	f.settle()
	is("192.0.2.2", geo.Tor)
	f.errors(1)
	f.write([]byte("AS64500\n"), 3)
	f.settle()
	is("192.0.2.2", geo.Tor)
	f.errors(2)
	f.write([]byte("192.0.2.3\n"), 4)
	f.settle()
	is("192.0.2.2", "")
	is("192.0.2.3", geo.Tor)
}

// TestNothingWaitsForAFileThatIsRead looks up while two files change in turn,
// and sees each address in a whole database only.
func TestNothingWaitsForAFileThatIsRead(t *testing.T) {
	path := geotest.Write(t, "x.mmdb", countryFile(t, "DE"))
	list := geotest.Write(t, "tor.txt", []byte("192.0.2.1\n"))
	r := open(t, geo.Config{Files: []string{path}, Lists: []geo.List{{Kind: geo.Tor, File: list}}, Every: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { r.Watch(ctx) })
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				p := r.Look(netip.MustParseAddr("192.0.2.1"))
				if p.Country != "DE" && p.Country != "FR" || p.Anonymous != geo.Tor || !r.Knows().Country {
					t.Errorf("the address is at %+v", p)
					return
				}
			}
		})
	}
	for i, code := range []string{"FR", "DE", "FR"} {
		data := countryFile(t, code)
		if i == 1 { // in place, by halves
			if err := os.WriteFile(path, data[:len(data)/2], 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		// By a rename: an empty list would be one too, and is seen at this pace.
		if err := os.WriteFile(list+".new", bytes.Repeat([]byte("192.0.2.1\n"), i+2), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(list+".new", list); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); look(r, "192.0.2.1").Country != code; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the file of %s is not in use", code)
			}
		}
	}
	cancel()
	all.Wait()
}

func TestARecordThatCannotBeReadIsUnknownAndToldOnce(t *testing.T) {
	records := geotest.Records{}
	for i := range 200 { // more than are looked at when it is opened
		records[fmt.Sprintf("192.0.2.%d/32", i)] = geotest.Flat("country_code", "DE", "asn", fmt.Sprint(i+1)) // alike ones would be one
	}
	records["192.0.2.200/32"] = geotest.Flat("country_code", "QQ")
	data := geotest.Database(t, "flat", records)
	damaged := bytes.Replace(data, []byte("\x42QQ"), []byte("\x02\xff\xff"), 1)
	if bytes.Equal(data, damaged) {
		t.Fatal("the record to damage is not there")
	}
	f := follow(t, "x.mmdb", damaged)
	f.isIn("DE")
	for range 3 {
		if got := look(f.Reader, "192.0.2.200"); got != (geo.Place{}) {
			t.Errorf("the address is at %+v", got)
		}
	}
	f.errors(1)
	if f.events[geo.Unreadable] != 3 {
		t.Errorf("got the events %v", f.events)
	}
	if line := f.log.All()[0]; strings.Contains(line.Message, "192.0.2.200") || line.ContextMap()["file"] != f.path {
		t.Errorf("the log says %q of %v", line.Message, line.ContextMap())
	}
}
