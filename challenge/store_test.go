package challenge

import (
	"path/filepath"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/store"
	"github.com/caddy-twofactor/caddy-twofactor/store/file"
)

// openStore returns the embedded engine with an empty file.
func openStore(t *testing.T, _ *testClock) store.Store {
	t.Helper()
	s, err := file.Open(filepath.Join(t.TempDir(), "store.db"), file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}
