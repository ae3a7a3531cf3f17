package wordpress

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stopTimeout is how long a process may take to end before it is killed.
const stopTimeout = 10 * time.Second

// unprivileged returns the user that the servers run as when the test is root,
// and nil otherwise: mariadbd refuses to be root, and PHP had better not be.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"www-data", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("wordpress: running as root, and there is neither a user www-data nor a user nobody to run its servers as")
	return nil
}

// giveTo hands a folder to the servers' user.
func giveTo(t testing.TB, folder string, who *syscall.Credential) {
	t.Helper()
	if who == nil {
		return
	}
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(who.Uid), int(who.Gid))
	})
	if err != nil && !os.IsNotExist(err) { // a running database renames its files
		t.Fatalf("wordpress: %v", err)
	}
}

// process is a server that runs in a process group of its own.
type process struct {
	cmd  *exec.Cmd
	log  *logBuffer
	done chan struct{}
}

// command prepares a program for the servers' user, in an environment that
// does not hang on the caller's.
func command(folder string, who *syscall.Credential, program string, args ...string) *exec.Cmd {
	if path, err := lookPath(program); err == nil {
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

// start runs a server until the test ends.
func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, log: &logBuffer{}, done: make(chan struct{})}
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
		t.Fatalf("wordpress: starting %s: %v", cmd.Path, err)
	}
	t.Cleanup(p.stop)
	return p
}

// stop ends the process with all that it has started.
func (p *process) stop() {
	group := -p.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
	}
	_ = syscall.Kill(group, syscall.SIGKILL)
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) output() string { return p.log.String() }

// logBuffer keeps the first 64 KiB of what a server writes.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write takes everything and keeps what fits.
func (b *logBuffer) Write(p []byte) (int, error) {
	const limit = 64 << 10
	b.mu.Lock()
	defer b.mu.Unlock()
	if room := limit - b.buf.Len(); room > 0 {
		b.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// String returns what was kept.
func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
