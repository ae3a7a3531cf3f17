package main

import (
	"strings"
	"testing"
)

const wrkOutput = `Running 4s test @ http://127.0.0.1:8080/page
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.21ms    3.02ms  41.35ms   74.42%
    Req/Sec     6.36k   612.45     7.95k    68.75%
  50685 requests in 4.01s, 111.84MB read
Requests/sec:  12651.77
Transfer/sec:     27.92MB
`

func TestWrksOutputIsRead(t *testing.T) {
	got, err := parseWrk(wrkOutput)
	if err != nil || got != (load{requests: 50685, rate: 12651.77}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhatWrkCouldNotMeasureIsAnError(t *testing.T) {
	for _, c := range []struct{ name, out, want string }{
		{"answers that are no success", strings.Replace(wrkOutput, "Requests/sec", "  Non-2xx or 3xx responses: 12\nRequests/sec", 1), "Non-2xx or 3xx responses: 12"},
		{"broken connections", strings.Replace(wrkOutput, "Requests/sec", "  Socket errors: connect 0, read 3, write 0, timeout 0\nRequests/sec", 1), "Socket errors"},
		{"no answer", strings.NewReplacer("50685 requests", "0 requests", "12651.77", "0.00").Replace(wrkOutput), "no request was answered"},
		{"another program", "unable to connect", "printed what is not known"},
		{"half of it", wrkOutput[:200], "printed what is not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := parseWrk(c.out); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestTheCPUOfAProcessIsUserAndSystemTime(t *testing.T) {
	const after = " S 1 1 1 0 -1 4194560 100 0 0 0 250 50 7 9 20 0 8 0 100 1000 10"
	for name, stat := range map[string]string{
		"a plain name":           "12 (caddy)" + after,
		"a name that looks like": "12 (a) b (1 2 3) )" + after,
	} {
		if got, err := parseStat(stat); err != nil || got != 3 {
			t.Errorf("%s: %v seconds, %v, want 3", name, got, err)
		}
	}
	for name, stat := range map[string]string{"nothing": "", "no name": "12 caddy S", "too little": "12 (caddy) S 1 1", "no number": "12 (caddy)" + strings.Replace(after, "250", "x", 1)} {
		if _, err := parseStat(stat); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}
