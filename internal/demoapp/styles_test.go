package demoapp

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const caddyfiles = "../../testdata/styles"

func TestEveryStyleHasANameOfItsOwnAndIsFoundByIt(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Styles() {
		if seen[s.Name] || s.Description == "" || !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(s.Name) {
			t.Errorf("style %+v", s)
		}
		seen[s.Name] = true
		if got, ok := StyleNamed(s.Name); !ok || got.Description != s.Description {
			t.Errorf("%s is not found", s.Name)
		}
	}
	if _, ok := StyleNamed("nothing"); ok {
		t.Error("a style was found that there is none of")
	}
}

func TestEveryStyleHasACaddyfileThatTellsYesAndNo(t *testing.T) {
	var names []string
	for _, s := range Styles() {
		names = append(names, s.Name+".Caddyfile")
		text, err := os.ReadFile(filepath.Join(caddyfiles, s.Name+".Caddyfile"))
		if err != nil {
			t.Error(err)
			continue
		}
		words := []string{"http://localhost:{$PORT:8080} {", "reverse_proxy {$UPSTREAM:127.0.0.1:8081}", "two_factor {", "\tprotect *"}
		if s.Options.ByForm() {
			words = append(words, "\tlogin ", "\tyes ", "\tno ", "\tpublic "+s.Options.BasePath+"/assets/*")
		} else {
			words = append(words, entranceOf(t, s.Name).words...)
		}
		for _, word := range words {
			if !strings.Contains(string(text), word) {
				t.Errorf("%s.Caddyfile has no %q", s.Name, word)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(caddyfiles, "*.Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !slices.Contains(names, filepath.Base(f)) {
			t.Errorf("%s is the Caddyfile of no style", f)
		}
	}
}

func TestThePathsOfThePages(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		page Page
		want string
	}{
		{"plain", Options{}, PageExport, "/contacts/export"},
		{"in a folder", Options{BasePath: "/crm"}, PageStart, "/crm/"},
		{"in the query", Options{LoginAt: LoginFrontController}, PageMe, "/index.php?action=me"},
		{"in the query, start page", Options{LoginAt: LoginFrontController}, PageStart, "/index.php"},
		{"in the query and in a folder", Options{LoginAt: LoginFrontController, BasePath: "/crm"}, PageLogin, "/crm/index.php?action=login"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.o.Path(test.page); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// Any two switches work together; the ones below are set at once.
func TestTheSwitchesCombine(t *testing.T) {
	for _, style := range FormStyles() {
		o := style.Options
		o.LoginDelay = 0
		o.Remember, o.TwoPaths, o.DeleteAndSet, o.HashedName, o.BasePath = true, true, true, true, "/crm"
		for _, rotate := range []bool{false, true} {
			o.Rotate = rotate
			b := start(t, o)
			b.login(alice, "wrong")
			b.mustBe("")
			b.login(alice, alicePassword)
			b.mustBe(alice)
			b.page(PageContacts).mustSay(t, "Maria Anders")
			b.mustBe(alice)
			b.page(PageLogout)
			b.mustBe("")
		}
	}
}
