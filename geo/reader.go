package geo

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// maxFiles bounds how many files a reader has: every look-up asks all lists.
const maxFiles = 64

// Config is what a reader reads.
type Config struct {
	// Files are databases in MaxMind's format, at most 512 MiB each.
	Files []string
	// Lists are lists of networks.
	Lists []List
	// Every is how often Watch looks whether a file has changed. Default: 3 s.
	Every time.Duration
	// Log gets what becomes of files that change. Default: none.
	Log *zap.Logger
	// Count, if there is one, is called with what happens to a file.
	Count func(file string, event Event)
}

// List is a file of networks, one a line: a prefix (192.0.2.0/24,
// 2001:db8::/32), an address, or AS and a number, which needs a database that
// tells networks. What follows a # is a comment. It may have 64 MiB and 2
// million entries.
type List struct {
	// Kind is what its networks are known for; one of ListKinds.
	Kind Kind
	File string
}

// Event is what happens to a file.
type Event string

// The events.
const (
	// Loaded: the file is in use, from the start or since it changed.
	Loaded Event = "loaded"
	// Refused: it has changed and is broken, or gone; the old one stays in use.
	Refused Event = "refused"
	// Unreadable: a record of it cannot be read; the address is unknown.
	Unreadable Event = "unreadable"
)

// Reader tells where addresses are. Its methods may be called concurrently, and
// no look-up waits for another, or for a file that is read.
type Reader struct {
	log     *zap.Logger
	count   func(string, Event)
	every   time.Duration
	state   atomic.Pointer[state]
	records sync.Pool
	// watched belongs to Watch.
	watched []*watched
}

// state is what a reader has at one moment. It never changes.
type state struct {
	databases []*database
	// asked is what each database is asked: the first of those that tell
	// something is asked for it.
	asked []questions
	lists []*list
	tells questions
}

// Open reads all files. It starts nothing: Watch follows the files. An error
// names the file and says what is wrong with it. Two databases of which one
// tells nothing that the other does not are an error that names both; where
// two overlap otherwise, the first in order is asked.
func Open(ctx context.Context, cfg Config) (*Reader, error) {
	r := &Reader{log: cfg.Log, count: cfg.Count, every: cfg.Every}
	r.records.New = func() any { return new(record) }
	if r.log == nil {
		r.log = zap.NewNop()
	}
	if r.count == nil {
		r.count = func(string, Event) {}
	}
	if r.every <= 0 {
		r.every = 3 * time.Second
	}
	if n := len(cfg.Files) + len(cfg.Lists); n > maxFiles {
		return nil, fmt.Errorf("there are %d files, and %d are the most", n, maxFiles)
	}
	s := new(state)
	for i, file := range cfg.Files {
		if slices.Contains(cfg.Files[:i], file) {
			return nil, fmt.Errorf("%s is named twice", file)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d, err := openDatabase(file)
		if err != nil {
			return nil, err
		}
		s.databases = append(s.databases, d)
		r.watched = append(r.watched, r.watchDatabase(i, d))
	}
	for i, named := range cfg.Lists {
		if slices.Contains(cfg.Lists[:i], named) {
			return nil, fmt.Errorf("%s is named twice as a list of %s", named.File, named.Kind)
		}
		if !slices.Contains(ListKinds(), named.Kind) {
			return nil, fmt.Errorf("%s: there is no list of the kind %q; there are %v", named.File, named.Kind, ListKinds())
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l, err := openList(named)
		if err != nil {
			return nil, err
		}
		s.lists = append(s.lists, l)
		r.watched = append(r.watched, r.watchList(i, l))
	}
	if err := s.assign(); err != nil {
		return nil, err
	}
	r.state.Store(s)
	for _, w := range r.watched {
		r.count(w.path, Loaded)
	}
	return r, nil
}

// assign finds out which database is asked for what, and whether all go
// together.
func (s *state) assign() error {
	s.tells, s.asked = 0, make([]questions, len(s.databases))
	for i, d := range s.databases {
		for _, before := range s.databases[:i] {
			if before.tells.has(d.tells) || d.tells.has(before.tells) {
				return fmt.Errorf("%s tells %s and %s tells %s: one of them is not needed, remove it", before.path, before.tells, d.path, d.tells)
			}
		}
		s.asked[i] = d.tells &^ s.tells
		s.tells |= d.tells
	}
	for _, l := range s.lists {
		if len(l.asns) > 0 && !s.tells.has(askNetwork) {
			return fmt.Errorf("%s names networks by their AS number, and there is no database that tells those: add an ASN database, or list the prefixes", l.File)
		}
	}
	return nil
}

// Knows says what the reader can be asked.
func (r *Reader) Knows() Knowledge {
	s := r.state.Load()
	k := Knowledge{
		Country: s.tells.has(askCountry), Location: s.tells.has(askLocation),
		Network: s.tells.has(askNetwork), Anonymous: s.tells.has(askAnonymous),
	}
	for _, l := range s.lists {
		k.Anonymous = k.Anonymous || l.Kind != Egress
	}
	return k
}

// Look tells where an address is. An IPv4 address in the form of IPv6 is the
// IPv4 one, a zone does not count, and the invalid address is nowhere. What
// cannot be read in a database is unknown, and logged once.
func (r *Reader) Look(addr netip.Addr) Place {
	var p Place
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return p
	}
	s := r.state.Load()
	rec, ok := r.records.Get().(*record)
	if !ok {
		rec = new(record)
	}
	for i, d := range s.databases {
		if s.asked[i] == 0 {
			continue
		}
		*rec = record{want: s.asked[i]}
		if err := d.look(addr, rec); err != nil {
			r.unreadable(d, err)
			continue
		}
		rec.tell(&p)
	}
	r.records.Put(rec)
	for _, l := range s.lists {
		switch {
		case l.Kind == Egress && p.Egress, l.Kind != Egress && strength(l.Kind) <= strength(p.Anonymous), !l.has(addr, p.ASN):
		case l.Kind == Egress:
			p.Egress = true
		default:
			p.Anonymous = l.Kind
		}
	}
	return p
}

// unreadable tells of a record that cannot be read. The log does not name the
// address: it is a person's.
func (r *Reader) unreadable(d *database, err error) {
	r.count(d.path, Unreadable)
	if !d.complained.CompareAndSwap(false, true) {
		return
	}
	r.log.Error("a record of a database cannot be read, so that its addresses are unknown: fetch the database again", zap.String("file", d.path), zap.Error(err))
}

// Database is a database in use.
type Database struct {
	File string
	// Built is when its maker built it.
	Built time.Time
	// Type is the type that its maker gave it, bounded.
	Type string
}

// Databases returns the databases in use, in the order of the config.
func (r *Reader) Databases() []Database {
	s := r.state.Load()
	list := make([]Database, 0, len(s.databases))
	for _, d := range s.databases {
		list = append(list, Database{File: d.path, Built: d.built, Type: typeName(d.reader)})
	}
	return list
}
