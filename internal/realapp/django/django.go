// Package django runs the real Django of Debian's packages for tests: a small
// project with the admin, a second login form and a page for everybody, on
// loopback and in a folder that goes when the test ends. No system service is
// used or touched, nothing asks the Internet, mails go into a file.
package django

import (
	"crypto/rand"
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/process"
)

const (
	// python is Debian's own, the one that sees Debian's packages.
	python = "/usr/bin/python3"
	// jquery is what Django's package links to and does not bring.
	jquery = "/usr/share/javascript/jquery/jquery.min.js"
	// installTimeout is how long Django may take to make its tables and users.
	installTimeout = 60 * time.Second
	// startTimeout is how long its server may take to answer.
	startTimeout = 20 * time.Second
	// askTimeout is how long one such answer may take.
	askTimeout = 5 * time.Second
)

//go:embed project
var project embed.FS

// Site is one running Django. The admin stands at /admin/, the pages of
// django.contrib.auth at /accounts/, and / says who is logged in. The list of
// users has an action of its own, export_as_csv, which streams a file.
type Site struct {
	// URL is the address that Django answers at, host and port, for a
	// gateway's upstream. It serves the hosts localhost and 127.0.0.1.
	URL string

	// Admin is a superuser's name.
	Admin, AdminPassword string
	// Editor is the name of a user who may enter the admin and look at the
	// users. The admin shows the same first name for both.
	Editor, EditorPassword string
	// EditorMail is where a reset of the editor's password is sent.
	EditorMail string
	// Customer is the name of a user who may not enter the admin.
	Customer, CustomerPassword string

	folder string
}

// Start starts Django and ends all of it when the test does; it takes a few
// seconds. Where a program is missing the test is skipped, and fails if the
// environment variable CI is true.
func Start(t testing.TB) *Site {
	t.Helper()
	requirePrograms(t)
	who := process.Unprivileged(t)
	site := &Site{
		folder: process.Folder(t, "django", "tmp", "mail"),
		URL:    process.FreeAddress(t),
		Admin:  "admin", AdminPassword: "correct horse battery",
		Editor: "editor", EditorPassword: "staple gun paper 7", EditorMail: "editor@example.org",
		Customer: "customer", CustomerPassword: "blue door opens 3",
	}
	writeProject(t, site)
	process.GiveTo(t, site.folder, who)

	out := process.Run(t, command(site.folder, who, "install.py"), installTimeout)
	if strings.TrimSpace(out) != "installed" {
		t.Fatalf("django: installing did not end as it should:\n%s", out)
	}
	serve(t, site, who)
	return site
}

// requirePrograms ends the test where something is not installed.
func requirePrograms(t testing.TB) {
	t.Helper()
	var missing []string
	for _, need := range []struct{ module, pkg string }{
		{"django", "python3-django"},
		{"gunicorn", "python3-gunicorn"},
	} {
		if exec.Command(python, "-I", "-c", "import "+need.module).Run() != nil {
			missing = append(missing, need.pkg)
		}
	}
	if _, err := os.Stat(jquery); err != nil {
		missing = append(missing, "libjs-jquery")
	}
	if len(missing) == 0 {
		return
	}
	text := "django: not on this machine: Debian's packages " + strings.Join(missing, " ") + " (apt-get install them)"
	if os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// settings is what the files in project/ read.
type settings struct {
	Secret string `json:"secret"`
	Site   *Site  `json:"site"`
}

// writeProject puts the project and its settings in place.
func writeProject(t testing.TB, site *Site) {
	t.Helper()
	text, err := json.Marshal(settings{Secret: rand.Text() + rand.Text(), Site: site})
	if err != nil {
		t.Fatalf("django: %v", err)
	}
	files, err := fs.Sub(project, "project")
	if err != nil {
		t.Fatalf("django: %v", err)
	}
	if err := os.CopyFS(site.folder, files); err != nil {
		t.Fatalf("django: %v", err)
	}
	if err := os.WriteFile(filepath.Join(site.folder, "settings.json"), text, 0o644); err != nil {
		t.Fatalf("django: %v", err)
	}
}

// command prepares Debian's Python for the project, so that it reads no module
// of the machine's users and leaves none behind.
func command(folder string, who *syscall.Credential, args ...string) *exec.Cmd {
	return process.Command(folder, who, python, append([]string{"-s", "-B", "-W", "ignore"}, args...)...)
}

// serve serves the site with gunicorn, which most operators use, four requests
// at once.
func serve(t testing.TB, site *Site, who *syscall.Credential) {
	t.Helper()
	p := process.Start(t, command(site.folder, who, "-m", "gunicorn", "--bind", site.URL,
		"--worker-class", "gthread", "--threads", "4", "--worker-tmp-dir", "tmp", "--log-level", "warning", "wsgi"))
	client := http.Client{Timeout: askTimeout}
	defer client.CloseIdleConnections()
	p.Await(t, startTimeout, func() bool {
		res, err := client.Get("http://" + site.URL + "/")
		if err != nil {
			return false
		}
		return res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
}
