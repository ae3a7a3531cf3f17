package twofactor

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

var update = flag.Bool("update", false, "write what the adapter says into the golden files")

// goldenSeparator stands between a Caddyfile and what the adapter makes of it.
const goldenSeparator = "----------"

// adapt returns the JSON that the adapter makes of a Caddyfile, or its error.
func adapt(caddyfile string) (string, error) {
	raw, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		return "", err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, raw, "", "\t"); err != nil {
		return "", fmt.Errorf("reading the adapted config: %w", err)
	}
	return pretty.String(), nil
}

func TestCaddyfileAdaptsToGoldenFile(t *testing.T) {
	files, err := filepath.Glob("testdata/caddyfile/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no golden files: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".caddyfiletest")
		t.Run(name, func(t *testing.T) { goldenFile(t, file, strings.HasPrefix(name, "error_")) })
	}
}

func goldenFile(t *testing.T, file string, wantError bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	input, want, found := strings.Cut(string(data), goldenSeparator)
	if !found && !*update {
		t.Fatalf("%s has no line of dashes", file)
	}
	input, want = strings.TrimSpace(input)+"\n", strings.TrimSpace(want)

	got, err := adapt(input)
	if wantError != (err != nil) {
		t.Fatalf("a file named error_… is refused, any other adapts; this one gave the error %v and\n%s", err, got)
	}
	if err != nil {
		got = err.Error()
	}
	if *update {
		if err := os.WriteFile(file, []byte(input+goldenSeparator+"\n"+got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEveryErrorOfTheAdapterNamesFileAndLine(t *testing.T) {
	files, err := filepath.Glob("testdata/caddyfile/error_*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no golden files of errors: %v", err)
	}
	position := regexp.MustCompile(`at Caddyfile:(\d+)( import chain .*)?$`)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		input, _, _ := strings.Cut(string(data), goldenSeparator)
		_, err = adapt(strings.TrimSpace(input) + "\n")
		if err == nil || !position.MatchString(err.Error()) {
			t.Errorf("%s: got the error %v, want one that ends with file and line", file, err)
		}
	}
}

// caddyfiles are the Caddyfiles that operators are meant to start from.
func caddyfiles(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	isCaddyfile := regexp.MustCompile(`(?i)(^Caddyfile|\.Caddyfile$)`)
	for _, root := range []string{"testdata/styles", "recipes", "Caddyfile.example"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil || entry.IsDir() || !isCaddyfile.MatchString(entry.Name()) {
				return err
			}
			data, err := os.ReadFile(path)
			found[path] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func TestEveryCaddyfileOfTheProjectAdapts(t *testing.T) {
	for path, text := range caddyfiles(t) {
		t.Run(path, func(t *testing.T) {
			if _, err := adapt(text); err != nil {
				t.Error(err)
			}
		})
	}
}

// codeBlocks returns the Caddyfile blocks of a Markdown text, by the line on
// which they begin.
func codeBlocks(markdown string) map[int]string {
	blocks := map[int]string{}
	var block []string
	var indent string
	start := 0
	for i, line := range strings.Split(markdown, "\n") {
		plain := strings.TrimSpace(line)
		switch {
		case start == 0 && strings.EqualFold(plain, "```caddyfile"):
			start, block = i+1, nil
			indent = line[:strings.Index(line, "`")]
		case start > 0 && plain == "```":
			blocks[start] = strings.Join(block, "\n") + "\n"
			start = 0
		case start > 0:
			block = append(block, strings.TrimPrefix(line, indent))
		}
	}
	if start > 0 {
		blocks[start] = "a code block that never ends {"
	}
	return blocks
}

// adaptBlock adapts a code block of the docs: a whole Caddyfile, or what
// stands in a site, or what stands in a two_factor block.
func adaptBlock(block string) error {
	_, err := adapt(block)
	// A line without a block would be taken for the address of an empty site.
	if err == nil && strings.Contains(block, "{\n") {
		return nil
	}
	const login = "login /a-login-for-this-test {\nuser form a\nyes status 302\nno status 200\n}\n"
	for _, around := range [][2]string{
		{"example.com {\n", "}\n"},
		{"example.com {\ntwo_factor {\n", "}\n}\n"},
		{"example.com {\ntwo_factor {\n" + login, "}\n}\n"},
		{"{\ntwo_factor {\n", "}\n}\n"},
	} {
		if _, inner := adapt(around[0] + block + around[1]); inner == nil {
			return nil
		}
	}
	if err == nil {
		return errors.New("is neither a Caddyfile nor part of one")
	}
	return err
}

func TestEveryCaddyfileBlockOfTheDocsAdapts(t *testing.T) {
	docs, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	recipes, err := filepath.Glob("recipes/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(append(docs, recipes...), "README.md") {
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for line, block := range codeBlocks(string(data)) {
			t.Run(fmt.Sprintf("%s:%d", path, line), func(t *testing.T) {
				if err := adaptBlock(block); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestCodeBlocksAreFoundAndABrokenOneIsRefused(t *testing.T) {
	blocks := codeBlocks("text\n```caddyfile\nexample.com {\n}\n```\n\n   ```caddyfile\n   protect\n   ```\n```\nother\n```\n")
	if len(blocks) != 2 || blocks[2] != "example.com {\n}\n" || blocks[7] != "protect\n" {
		t.Fatalf("got the blocks %v", blocks)
	}
	if err := adaptBlock(blocks[2]); err != nil {
		t.Errorf("a whole Caddyfile is refused: %v", err)
	}
	if err := adaptBlock("protect *\npublic /assets/*\n"); err != nil {
		t.Errorf("what stands in a two_factor block is refused: %v", err)
	}
	if adaptBlock(blocks[7]) == nil {
		t.Error("a protect without a matcher is taken")
	}
	if adaptBlock(codeBlocks("```caddyfile\nexample.com {\n}\n")[1]) == nil {
		t.Error("a block without an end is taken")
	}
}

func TestModulesOfAnEmptyNamespaceAreNone(t *testing.T) {
	if got := compiledIn("two_factor.nothing"); got != "none" {
		t.Errorf("got %q, want none", got)
	}
}

// FuzzCaddyfile shows that no Caddyfile makes the parser panic, and that what
// it makes of one is always JSON.
func FuzzCaddyfile(f *testing.F) {
	files, err := filepath.Glob("testdata/caddyfile/*.caddyfiletest")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(data), goldenSeparator)
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, input string) {
		// An import would have the fuzzer read whatever files it can name.
		if len(input) > 4096 || strings.Contains(input, "import") {
			return
		}
		got, err := adapt(input)
		if err == nil && !json.Valid([]byte(got)) {
			t.Errorf("adapts to what is no JSON: %s", got)
		}
	})
}
