// Package wordpress runs the real WordPress of Debian's packages for tests,
// with a database and a PHP server of its own, on loopback and in a folder that
// goes when the test ends. No system service is used or touched, nothing asks
// the Internet, no mail is sent.
package wordpress

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/process"
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
	folder := process.Folder(t, "wordpress", "www", "tmp")
	who := process.Unprivileged(t)

	site := &Site{
		folder:    folder,
		URL:       process.FreeAddress(t),
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
	process.GiveTo(t, folder, who)
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
		if _, err := process.LookPath(need.program); err != nil {
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
		if _, err := process.LookPath("php"); err != nil {
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
