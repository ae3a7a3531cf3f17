package wordpress

import (
	"embed"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/process"
)

// installTimeout is how long making the empty database may take, and making
// WordPress's tables and users.
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
	out := process.Run(t, process.Command(folder, who, "php", append(phpOptions(folder), filepath.Join(folder, "install.php"))...), installTimeout)
	_, password, found := strings.Cut(strings.TrimSpace(out), "application password: ")
	if !found {
		t.Fatalf("wordpress: installing did not end as it should:\n%s", out)
	}
	return password
}

// startPHP serves the site with PHP's own web server, four requests at once.
func startPHP(t testing.TB, folder string, who *syscall.Credential, address string) {
	t.Helper()
	args := append(phpOptions(folder), "-S", address, "-t", filepath.Join(folder, "www"), filepath.Join(folder, "router.php"))
	cmd := process.Command(folder, who, "php", args...)
	cmd.Env = append(cmd.Env, "PHP_CLI_SERVER_WORKERS=4")
	process.Start(t, cmd).Await(t, 20*time.Second, func() bool { return process.Listens("tcp", address) })
}
