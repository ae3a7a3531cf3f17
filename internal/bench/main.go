// Command bench measures what the gateway costs, against bare Caddy and against
// a forward_auth to a server that only says 204. Everything runs on this
// machine: an app that answers with a fixed body, four Caddys, and wrk. What is
// measured, and how, stands at the head of the file that it writes; `make
// bench` runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// options are what `make bench` may be told.
type options struct {
	caddy    string // the binary
	dir      string // where all of it is kept while it runs
	out      string // the file with the tables
	rounds   int
	most     int // rounds, where an interval is too wide
	seconds  int
	sessions int // of the fourth Caddy
}

func main() {
	if len(os.Args) > 2 && (os.Args[1] == "app" || os.Args[1] == "auth") {
		fail(serve(os.Args[1], os.Args[2]))
		return
	}
	var o options
	flag.StringVar(&o.caddy, "caddy", ".run/bin/caddy", "Caddy with the module")
	flag.StringVar(&o.dir, "dir", ".run/bench", "folder for stores and logs; it is emptied")
	flag.StringVar(&o.out, "out", "docs/bench.md", "file that the tables are written to")
	flag.IntVar(&o.rounds, "rounds", 10, "rounds of each table")
	flag.IntVar(&o.most, "most", 0, "rounds at most, where an interval is too wide; 0: three times as many")
	flag.IntVar(&o.seconds, "seconds", 4, "seconds of each measurement")
	flag.IntVar(&o.sessions, "sessions", 100_000, "live sessions of the Caddy with many")
	flag.Parse()
	if o.most == 0 {
		o.most = 3 * o.rounds
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fail(run(ctx, o))
}

func fail(err error) {
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// run measures all tables and writes them.
func run(ctx context.Context, o options) error {
	if err := needWrk(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(o.dir); err != nil {
		return err
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	o.dir = dir
	s := &stage{options: o}
	defer s.stopAll()
	if err := s.build(ctx); err != nil {
		return err
	}
	var report strings.Builder
	report.WriteString(s.heading())
	for _, t := range []tableOptions{
		{title: "2 KB, GOGC=off GOMEMLIMIT=300MiB: the table that counts", large: false, tuned: true, counts: true},
		{title: "64 KB, GOGC=off GOMEMLIMIT=300MiB", large: true, tuned: true},
		{title: "2 KB, Go's defaults", large: false, tuned: false},
	} {
		if err := s.restart(ctx, t.tuned); err != nil {
			return err
		}
		text, err := s.table(ctx, t)
		if err != nil {
			return err
		}
		report.WriteString(text)
	}
	fmt.Print(report.String())
	return os.WriteFile(o.out, []byte(report.String()), 0o644)
}
