package twofactor

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/caddy-twofactor/caddy-twofactor/"

// rooms says what of ours the folders may import. Every folder may import what
// lies below itself, and what lies below a folder that is named.
var rooms = map[string][]string{
	"account":   nil,
	"policy":    nil,
	"page":      nil,
	"sms":       nil,
	"mail":      nil,
	"geo":       nil,
	"report":    {"policy"},
	"store":     {"account", "internal/seal"},
	"challenge": {"account", "store", "sms", "internal/seal"},
	"handler":   {"policy", "challenge", "account", "store", "page", "internal"},
	"cmd":       {""},
	"internal":  {"internal"},
}

// knowNoCaddy are the folders that know nothing of Caddy, so that their tests
// take milliseconds.
var knowNoCaddy = []string{"account", "policy", "store", "challenge", "page", "geo", "report"}

func TestEveryRoomImportsOnlyWhatItMay(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		room, _, inside := strings.Cut(filepath.ToSlash(path), "/")
		if !inside {
			return nil
		}
		may, known := rooms[room]
		if !known {
			t.Errorf("%s is in no room", path)
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range file.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if strings.HasPrefix(name, "github.com/caddyserver/caddy") && slices.Contains(knowNoCaddy, room) {
				t.Errorf("%s imports %s, but %s knows no Caddy", path, name, room)
			}
			ours, is := strings.CutPrefix(name+"/", modulePath)
			if !is || strings.HasPrefix(ours, room+"/") {
				continue
			}
			if !slices.ContainsFunc(may, func(m string) bool { return m == "" && ours == "" || m != "" && strings.HasPrefix(ours, m+"/") }) {
				t.Errorf("%s imports %s, which the room %s may not", path, name, room)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
