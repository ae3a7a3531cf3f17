package twofactor

import (
	"bytes"
	"encoding/json"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// builder is the JSON form of xcaddy's Builder, as far as xcaddy.json uses it.
type builder struct {
	CaddyVersion string `json:"caddy_version"`
	Plugins      []struct {
		ModulePath string `json:"module_path"`
		Version    string `json:"version"`
	} `json:"plugins"`
}

func readBuilder(t *testing.T) builder {
	t.Helper()
	data, err := os.ReadFile("xcaddy.json")
	if err != nil {
		t.Fatal(err)
	}
	var b builder
	in := json.NewDecoder(bytes.NewReader(data))
	in.DisallowUnknownFields()
	if err := in.Decode(&b); err != nil {
		t.Fatalf("xcaddy.json: %v", err)
	}
	return b
}

func TestXcaddyBuildsTheVersionsOfGoMod(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	b := readBuilder(t)
	caddy := regexp.MustCompile(`(?m)^\s*(?:require )?github\.com/caddyserver/caddy/v2 (\S+)`).FindSubmatch(mod)
	if caddy == nil {
		t.Fatal("go.mod does not require Caddy")
	}
	if got := string(caddy[1]); b.CaddyVersion != got {
		t.Errorf("xcaddy.json builds Caddy %s, go.mod has %s", b.CaddyVersion, got)
	}
	own := regexp.MustCompile(`(?m)^module (\S+)`).FindSubmatch(mod)
	if own == nil || b.Plugins[0].ModulePath != string(own[1]) {
		t.Errorf("the first plugin is %q, the module %s", b.Plugins[0].ModulePath, own[1])
	}
	for _, p := range b.Plugins[1:] {
		if !strings.Contains(string(mod), p.ModulePath+" "+p.Version) {
			t.Errorf("go.mod does not require %s %s", p.ModulePath, p.Version)
		}
	}
	if bytes.Contains(mod, []byte("\nreplace")) {
		t.Error("go.mod has a replace line, which a build of somebody else does not see")
	}
}

func TestTheCommandIsBuiltFromThePluginsOfXcaddy(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "cmd/caddy/main.go", nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range file.Imports {
		if i.Name != nil && i.Name.Name == "_" {
			got = append(got, strings.Trim(i.Path.Value, `"`))
		}
	}
	want := []string{"github.com/caddyserver/caddy/v2/modules/standard"}
	for _, p := range readBuilder(t).Plugins {
		want = append(want, p.ModulePath)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("cmd/caddy compiles in %v, xcaddy.json %v", got, want)
	}
}
