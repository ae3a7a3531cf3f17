// Package wordpress runs the real WordPress of Debian's packages for tests,
// with a database and a PHP server of its own, on loopback and in a folder that
// goes when the test ends. No system service is used or touched, nothing asks
// the Internet, no mail is sent.
package wordpress

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// source is where Debian's package puts WordPress.
const source = "/usr/share/wordpress"

// Site is one running WordPress.
type Site struct {
	// URL is the address that WordPress answers at, host and port, for a
	// gateway's upstream.
	URL string
	// PublicURL is the address that WordPress believes it has and writes into
	// its links, without a trailing slash.
	PublicURL string

	// Admin is an administrator's user name.
	Admin, AdminPassword string
	// Editor is an editor's user name.
	Editor, EditorPassword string
	// EditorMail is the e-mail address that the editor can log in with too.
	EditorMail string
	// EditorAppPassword is an application password of the editor, for Basic
	// authentication at the REST API and for XML-RPC.
	EditorAppPassword string

	// PostPath is the path of a public post that takes comments from anybody.
	PostPath string
	// PostID is its number, which a comment form sends.
	PostID int
	// SecretPath is the path of a post that PostPassword opens.
	SecretPath, PostPassword string
	// SecretText is what the opened post shows.
	SecretText string

	folder string
}

// Start starts WordPress and ends all of it when the test does; it takes about
// four seconds. publicURL is the address that browsers use, the gateway's as a
// rule, since WordPress writes absolute links; empty means WordPress's own
// address. Where a program is missing the test is skipped, and fails if the
// environment variable CI is true.
func Start(t testing.TB, publicURL string) *Site {
	t.Helper()
	requirePrograms(t)
	folder := newFolder(t)
	who := unprivileged(t)

	site := &Site{
		folder:    folder,
		URL:       freeAddress(t),
		PublicURL: strings.TrimSuffix(publicURL, "/"),
		Admin:     "admin", AdminPassword: "correct horse battery",
		Editor: "editor", EditorPassword: "staple gun paper 7", EditorMail: "editor@example.org",
		PostPath: "/hello-world/", PostID: 1,
		SecretPath: "/for-friends/", PostPassword: "open sesame", SecretText: "Only friends read this sentence.",
	}
	if site.PublicURL == "" {
		site.PublicURL = "http://" + site.URL
	}

	copied := make(chan error, 1)
	go func() { copied <- copyProgram(filepath.Join(folder, "www")) }()
	socket := startDatabase(t, folder, who)
	if err := <-copied; err != nil {
		t.Fatalf("wordpress: copying %s: %v", source, err)
	}
	writeConfig(t, folder, socket, site)
	giveTo(t, folder, who)
	site.EditorAppPassword = install(t, folder, who, site)
	startPHP(t, folder, who, site.URL)
	return site
}

// requirePrograms ends the test where something is not installed.
func requirePrograms(t testing.TB) {
	t.Helper()
	var missing []string
	for _, need := range []struct{ program, pkg string }{
		{"mariadbd", "mariadb-server-core"},
		{"mariadb-install-db", "mariadb-server-core"},
		{"my_print_defaults", "mariadb-client-core"},
		{"php", "php-cli"},
	} {
		if _, err := lookPath(need.program); err != nil {
			missing = append(missing, need.pkg)
		}
	}
	for _, need := range []struct{ file, pkg string }{
		{source + "/wp-login.php", "wordpress"},
		{source + "/wp-content/themes/twentytwentythree/style.css", "wordpress-theme-twentytwentythree"},
	} {
		if _, err := os.Stat(need.file); err != nil {
			missing = append(missing, need.pkg)
		}
	}
	for _, need := range []struct{ extension, pkg string }{
		{"mysqli", "php-mysql"},
		{"xml", "php-xml"},
	} {
		// Without PHP itself there is nobody to ask, and enough is missing.
		if _, err := lookPath("php"); err != nil {
			break
		}
		if exec.Command("php", "-r", "exit(extension_loaded('"+need.extension+"') ? 0 : 1);").Run() != nil {
			missing = append(missing, need.pkg)
		}
	}
	if len(missing) == 0 {
		return
	}
	text := "wordpress: not on this machine: Debian's packages " + strings.Join(missing, " ") + " (apt-get install them)"
	if os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// lookPath finds a program, the administrator's ones too, which are not on
// everybody's path.
func lookPath(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + program)
}

// newFolder makes the site's folder. It lies beside the test's own temporary
// folder, which another user could not enter.
func newFolder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "wordpress-")
	if err != nil {
		t.Fatalf("wordpress: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Errorf("wordpress: removing its folder: %v", err)
		}
	})
	for _, name := range []string{"www", "tmp"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatalf("wordpress: %v", err)
		}
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatalf("wordpress: %v", err)
	}
	return folder
}

// freeAddress returns a loopback address that nobody listens at.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("wordpress: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

// copyProgram copies WordPress. PHP resolves links, and so a folder of links
// would use the packages' own configuration.
func copyProgram(to string) error {
	out, err := exec.Command("cp", "-rL", "--no-preserve=ownership", source+"/.", to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// settings is what the files in php/ read.
type settings struct {
	Socket  string            `json:"socket"`
	Address string            `json:"address"`
	Salts   map[string]string `json:"salts"`
	Site    *Site             `json:"site"`
}

// writeConfig puts WordPress's configuration and the site's settings in place.
func writeConfig(t testing.TB, folder, socket string, site *Site) {
	t.Helper()
	salts := make(map[string]string)
	for _, name := range []string{"AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE"} {
		salts[name+"_KEY"], salts[name+"_SALT"] = rand.Text(), rand.Text()
	}
	text, err := json.Marshal(settings{Socket: socket, Address: site.PublicURL, Salts: salts, Site: site})
	if err != nil {
		t.Fatalf("wordpress: %v", err)
	}
	write(t, filepath.Join(folder, "settings.json"), text)
	for file, to := range map[string]string{
		"wp-config.php": "www/wp-config.php",
		"quiet.php":     "www/wp-content/mu-plugins/quiet.php",
		"router.php":    "router.php",
		"install.php":   "install.php",
	} {
		body, err := files.ReadFile("php/" + file)
		if err != nil {
			t.Fatalf("wordpress: %v", err)
		}
		write(t, filepath.Join(folder, to), body)
	}
}

func write(t testing.TB, path string, body []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatalf("wordpress: %v", err)
	}
	// The copy of a package's file may be write-protected.
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatalf("wordpress: %v", err)
	}
	if err := os.WriteFile(path, body, 0o644); err != nil {
		t.Fatalf("wordpress: %v", err)
	}
}

// await asks until ready says so, or ends the test with what the process wrote.
func await(t testing.TB, what string, limit time.Duration, p *process, ready func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ready() {
		if p.ended() {
			t.Fatalf("wordpress: %s has ended:\n%s", what, p.output())
		}
		if time.Now().After(deadline) {
			t.Fatalf("wordpress: %s does not answer after %s:\n%s", what, limit, p.output())
		}
		time.Sleep(30 * time.Millisecond)
	}
}
