package django

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// resetLink is the path of a link that resets a password.
var resetLink = regexp.MustCompile(`/accounts/reset/[\w-]+/[\w-]+/`)

// Mail returns the newest mail that Django has sent, and ends the test if there
// is none.
func (s *Site) Mail(t testing.TB) string {
	t.Helper()
	// The files are named by the time at which they were sent.
	files, err := filepath.Glob(filepath.Join(s.folder, "mail", "*.log"))
	if err != nil || len(files) == 0 {
		t.Fatalf("django: no mail was sent: %v", err)
	}
	text, err := os.ReadFile(files[len(files)-1])
	if err != nil {
		t.Fatalf("django: %v", err)
	}
	return string(text)
}

// ResetPath returns where the link in a mail leads that resets a password, and
// ends the test if there is none.
func ResetPath(t testing.TB, mail string) string {
	t.Helper()
	path := resetLink.FindString(mail)
	if path == "" {
		t.Fatalf("django: no link in the mail:\n%s", mail)
	}
	return path
}
