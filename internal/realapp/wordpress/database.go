package wordpress

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/process"
)

// startDatabase makes an empty MariaDB in the site's folder, starts it without
// any network and returns its socket. It need not live through a power cut, so
// nothing waits for the disk.
func startDatabase(t testing.TB, folder string, who *syscall.Credential) string {
	t.Helper()
	base := filepath.Join(folder, "db")
	if err := os.Mkdir(base, 0o755); err != nil {
		t.Fatalf("wordpress: %v", err)
	}
	process.GiveTo(t, base, who)
	process.GiveTo(t, filepath.Join(folder, "tmp"), who)
	data, socket := filepath.Join(base, "data"), filepath.Join(base, "sock")
	if len(socket) > 100 {
		t.Fatalf("wordpress: the temporary folder's name is too long for a socket: %s", socket)
	}

	shared := []string{
		"--no-defaults", "--datadir=" + data,
		"--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--sync-binlog=0",
		"--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M",
	}
	prepare := process.Command(folder, who, "mariadb-install-db", append(shared,
		"--auth-root-authentication-method=normal", "--skip-test-db")...)
	process.Run(t, prepare, installTimeout)

	p := process.Start(t, process.Command(folder, who, "mariadbd", append(shared,
		"--socket="+socket, "--pid-file="+filepath.Join(base, "pid"),
		"--skip-networking", "--skip-log-bin", "--skip-name-resolve",
		"--performance-schema=OFF", "--innodb-fast-shutdown=2")...))
	p.Await(t, 30*time.Second, func() bool { return process.Listens("unix", socket) })
	return socket
}
