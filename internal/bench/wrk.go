package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// How wrk asks: two threads, 64 connections.
const (
	wrkThreads     = 2
	wrkConnections = 64
)

// needWrk installs wrk where it is missing and can be installed. Nothing else
// needs it.
func needWrk(ctx context.Context) error {
	if _, err := exec.LookPath("wrk"); err == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return errors.New("wrk is missing: install it first (Debian: apt-get install --no-install-recommends wrk)")
	}
	for _, args := range [][]string{{"update"}, {"install", "--no-install-recommends", "wrk"}} {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-y", "-q"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("wrk is missing, and apt-get %s failed: %w\n%s", args[0], err, out)
		}
	}
	return nil
}

// load is what one run of wrk has asked for.
type load struct {
	requests int
	// rate is in requests per second.
	rate float64
}

// wrk asks an address for a number of seconds.
func wrk(ctx context.Context, address, path, cookies string, seconds int) (load, error) {
	cmd := exec.CommandContext(ctx, "wrk", "-t", strconv.Itoa(wrkThreads), "-c", strconv.Itoa(wrkConnections),
		"-d", strconv.Itoa(seconds)+"s", "--timeout", "10s", "-H", "Cookie: "+cookies, "http://"+address+path)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	return parseWrk(string(out))
}

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	wrkRate     = regexp.MustCompile(`(?m)^Requests/sec:\s+([\d.]+)`)
	wrkTrouble  = regexp.MustCompile(`(?m)^\s*(Non-2xx or 3xx responses|Socket errors): .*$`)
)

// parseWrk reads what wrk 4 prints. An answer that is no success, or a broken
// connection, is an error: what was measured would be something else.
func parseWrk(out string) (load, error) {
	if trouble := wrkTrouble.FindString(out); trouble != "" {
		return load{}, fmt.Errorf("wrk: %s", strings.TrimSpace(trouble))
	}
	n, rate := wrkRequests.FindStringSubmatch(out), wrkRate.FindStringSubmatch(out)
	if n == nil || rate == nil {
		return load{}, fmt.Errorf("wrk printed what is not known:\n%s", out)
	}
	requests, err := strconv.Atoi(n[1])
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w", err)
	}
	perSecond, err := strconv.ParseFloat(rate[1], 64)
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w", err)
	}
	if requests == 0 {
		return load{}, errors.New("wrk: no request was answered")
	}
	return load{requests: requests, rate: perSecond}, nil
}
