package wordpress

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
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
	giveTo(t, base, who)
	giveTo(t, filepath.Join(folder, "tmp"), who)
	data, socket := filepath.Join(base, "data"), filepath.Join(base, "sock")
	if len(socket) > 100 {
		t.Fatalf("wordpress: the temporary folder's name is too long for a socket: %s", socket)
	}

	shared := []string{
		"--no-defaults", "--datadir=" + data,
		"--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--sync-binlog=0",
		"--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M",
	}
	prepare := command(folder, who, "mariadb-install-db", append(shared,
		"--auth-root-authentication-method=normal", "--skip-test-db")...)
	if out, err := prepare.CombinedOutput(); err != nil {
		t.Fatalf("wordpress: mariadb-install-db: %v\n%s", err, out)
	}

	p := start(t, command(folder, who, "mariadbd", append(shared,
		"--socket="+socket, "--pid-file="+filepath.Join(base, "pid"),
		"--skip-networking", "--skip-log-bin", "--skip-name-resolve",
		"--performance-schema=OFF", "--innodb-fast-shutdown=2")...))
	await(t, "mariadbd", 30*time.Second, p, func() bool {
		c, err := net.DialTimeout("unix", socket, time.Second)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	return socket
}
