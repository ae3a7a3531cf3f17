// Package process runs the programs of a real app for a test: as an
// unprivileged user, in an environment and a folder of their own, and no longer
// than the test.
package process

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

const (
	// stopTimeout is how long a process may take to end before it is killed.
	stopTimeout = 10 * time.Second
	// askEvery is how long to wait before a server is asked again.
	askEvery = 30 * time.Millisecond
	// dialTimeout is how long a server may take to accept a connection.
	dialTimeout = time.Second
)

// Server is a program that runs in a process group of its own.
type Server struct {
	cmd  *exec.Cmd
	log  *logBuffer
	done chan struct{}
	// killed says that nothing of it is left to be ended.
	killed bool
}

// Command prepares a program for the user who, who is the caller where it is
// nil, in an environment that does not hang on the caller's. The folder is its
// home and its working folder, and must have a folder tmp.
func Command(folder string, who *syscall.Credential, program string, args ...string) *exec.Cmd {
	if path, err := LookPath(program); err == nil {
		program = path
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = folder
	cmd.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + folder, "TMPDIR=" + filepath.Join(folder, "tmp"), "LC_ALL=C.UTF-8",
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: who}
	return cmd
}

// Start runs a server until the test ends.
func Start(t testing.TB, cmd *exec.Cmd) *Server {
	t.Helper()
	p := &Server{cmd: cmd, log: &logBuffer{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL // ends with a test that is killed
	started := make(chan error, 1)
	go func() {
		// Pdeathsig is about the thread that started the process, so this one
		// stays until the process has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		t.Fatalf("process: starting %s: %v", cmd.Path, err)
	}
	t.Cleanup(p.stop)
	return p
}

// stop ends the process with all that it has started.
func (p *Server) stop() {
	if p.killed {
		return
	}
	group := -p.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
	}
	p.Kill()
}

// Kill ends the process with all that it has started, at once.
func (p *Server) Kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
	p.killed = true
}

// Await asks until ready says so, or ends the test with what the server wrote.
func (p *Server) Await(t testing.TB, limit time.Duration, ready func() bool) {
	t.Helper()
	name := filepath.Base(p.cmd.Path)
	for deadline := time.Now().Add(limit); !ready(); time.Sleep(askEvery) {
		if p.ended() {
			t.Fatalf("process: %s has ended:\n%s", name, p.log.String())
		}
		if time.Now().After(deadline) {
			t.Fatalf("process: %s does not answer after %s:\n%s", name, limit, p.log.String())
		}
	}
}

func (p *Server) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Run runs a program to its end and returns what it wrote. It ends the test if
// the program fails or takes longer than limit; all that it has started ends
// with it then.
func Run(t testing.TB, cmd *exec.Cmd, limit time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var out logBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("process: starting %s: %v", cmd.Path, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	err := cmd.Wait()
	if ctx.Err() != nil {
		err = fmt.Errorf("it takes longer than %s", limit)
	}
	if err != nil {
		t.Fatalf("process: %s: %v\n%s", filepath.Base(cmd.Path), err, out.String())
	}
	return out.String()
}
