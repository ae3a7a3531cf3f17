package wordpress

import (
	"context"
	"embed"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// installTimeout is how long WordPress may take to make its tables and users.
const installTimeout = 60 * time.Second

//go:embed php
var files embed.FS

// phpOptions are the settings that every PHP of the site runs with.
func phpOptions(folder string) []string {
	return []string{
		"-d", "display_errors=0", "-d", "log_errors=1", "-d", "error_log=" + filepath.Join(folder, "tmp", "php.log"),
		"-d", "opcache.enable=1", "-d", "opcache.enable_cli=1", "-d", "opcache.revalidate_freq=60",
		"-d", "memory_limit=256M", "-d", "sys_temp_dir=" + filepath.Join(folder, "tmp"),
		"-d", "sendmail_path=/bin/false",
	}
}

// install makes tables, users and posts, and returns the editor's application
// password.
func install(t testing.TB, folder string, who *syscall.Credential, site *Site) string {
	t.Helper()
	cmd := command(folder, who, "php", append(phpOptions(folder), filepath.Join(folder, "install.php"))...)
	ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
	defer cancel()
	var out logBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("wordpress: starting php: %v", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("wordpress: installing: %v\n%s", err, out.String())
	}
	_, password, found := strings.Cut(strings.TrimSpace(out.String()), "application password: ")
	if !found {
		t.Fatalf("wordpress: installing did not end as it should:\n%s", out.String())
	}
	return password
}

// startPHP serves the site with PHP's own web server, four requests at once.
func startPHP(t testing.TB, folder string, who *syscall.Credential, address string) {
	t.Helper()
	args := append(phpOptions(folder), "-S", address, "-t", filepath.Join(folder, "www"), filepath.Join(folder, "router.php"))
	cmd := command(folder, who, "php", args...)
	cmd.Env = append(cmd.Env, "PHP_CLI_SERVER_WORKERS=4")
	p := start(t, cmd)
	await(t, "php", 20*time.Second, p, func() bool {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}
