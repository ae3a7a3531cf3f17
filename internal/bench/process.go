package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticks is how many of the kernel's clock ticks make a second of /proc's times
// (USER_HZ, the same on every Linux).
const ticks = 100

// process is a server that was started here.
type process struct {
	cmd *exec.Cmd
	// address is where it serves, admin where Caddy's admin API is.
	address, admin string
}

// start starts a program that logs into a file of this name.
func start(dir, name string, env []string, program string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	// It ends with the bench, whatever ends that.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return &process{cmd: cmd}, nil
}

func (p *process) stop() {
	if p == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		<-ended
	}
}

// cpu is the CPU time that the process has used, in seconds: utime and stime of
// proc(5).
func (p *process) cpu() (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return parseStat(string(stat))
}

func parseStat(stat string) (float64, error) {
	// The second field is the program's name in brackets and may hold any.
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, errors.New("/proc/<pid>/stat: no name")
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 13 {
		return 0, errors.New("/proc/<pid>/stat: too short")
	}
	user, err := strconv.ParseUint(fields[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/<pid>/stat: %w", err)
	}
	system, err := strconv.ParseUint(fields[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/<pid>/stat: %w", err)
	}
	return float64(user+system) / ticks, nil
}

// allocated is what a Caddy has allocated since it began, of its runtime's own
// count.
type allocated struct{ TotalAlloc, Mallocs uint64 }

func (p *process) allocated(ctx context.Context) (allocated, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+"/debug/vars", nil)
	if err != nil {
		return allocated{}, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return allocated{}, err
	}
	defer res.Body.Close()
	var vars struct {
		Memstats *allocated `json:"memstats"`
	}
	if err := json.NewDecoder(res.Body).Decode(&vars); err != nil || vars.Memstats == nil {
		return allocated{}, fmt.Errorf("/debug/vars: no memstats (%w)", err)
	}
	return *vars.Memstats, nil
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// ready waits until somebody listens.
func ready(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nobody listens at %s: %w", address, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
