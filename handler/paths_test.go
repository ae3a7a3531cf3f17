package handler

import (
	"net/url"
	"slices"
	"testing"
)

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.ParseRequestURI(raw)
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return u
}

func TestRule23EveryReadingOfAPathIsAsked(t *testing.T) {
	for _, tc := range []struct{ name, raw, want string }{
		{"a plain path reads as it stands", "/export", "/export"},
		{"a letter percent-encoded", "/%65xport", "/export"},
		{"a doubled slash", "//export", "/export"},
		{"an encoded slash in front", "/%2fexport", "/export"},
		{"a path encoded twice", "/%2565xport", "/export"},
		{"a path parameter", "/export;x=1", "/export"},
		{"a path parameter in the middle", "/a;x=1/export", "/a/export"},
		{"an encoded semicolon", "/export%3bx=1", "/export"},
		{"what follows a semicolon and a slash", "/login/;x", "/login"},
		{"a trailing slash", "/export/", "/export"},
		{"a trailing dot", "/export.", "/export"},
		{"a trailing blank", "/export%20", "/export"},
		{"a trailing tab", "/export%09", "/export"},
		{"what ends a path in an address, encoded", "/export%3fx", "/export"},
		{"what ends an address, encoded", "/export%23x", "/export"},
		{"an overlong slash", "/x%c0%afexport", "/x/export"},
		{"an overlong slash in capitals", "/x%C0%AFexport", "/x/export"},
		{"an overlong letter", "/%c1%a5xport", "/export"},
		{"an overlong letter of three bytes", "/%e0%81%a5xport", "/export"},
		{"an overlong letter of four bytes", "/%f0%80%81%a5xport", "/export"},
		{"an overlong letter encoded twice", "/%25c1%25a5xport", "/export"},
		{"a backslash", "/x%5cexport", "/x/export"},
		{"dots behind a backslash", "/x%5c..%5cexport", "/export"},
		{"an encoded backslash encoded twice", "/x%255cexport", "/x/export"},
		{"a NUL", "/export%00/../x", "/export"},
		{"a NUL behind a backslash", "/x%5c..%5cexport%00/../../y", "/export"},
		{"all of them", "//%65xport;x=1/", "/export"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all, _ := readings(nil, mustParse(t, tc.raw))
			if !slices.Contains(all, tc.want) {
				t.Errorf("readings of %q are %q, want %q among them", tc.raw, all, tc.want)
			}
			for _, p := range all {
				if p == "" {
					t.Errorf("a reading of %q is empty", tc.raw)
				}
			}
		})
	}
}

func TestAPlainPathHasOneReading(t *testing.T) {
	for _, raw := range []string{"/", "/contacts", "/wp-admin/index.php", "/a.b/c", "/Ünïcode"} {
		if all, strict := readings(nil, &url.URL{Path: raw}); len(all) != 1 || strict != 1 {
			t.Errorf("readings of %q are %q (%d strict), want one", raw, all, strict)
		}
	}
}

func TestRule23MaliciousSpellingsAreTold(t *testing.T) {
	for _, tc := range []struct {
		raw  string
		want bool
	}{
		{"/export", false}, {"/.well-known/x", false}, {"/a..b/c", false}, {"/...", false}, {"/a%20b", false}, {"/x;y=1", false}, {"/a%2fb", false},
		{"/a/../b", true}, {"/a/./b", true}, {"/a/%2e%2e/b", true}, {"/a/.%2e/b", true}, {"/a/%252e%252e/b", true},
		{"/a%2f..%2fb", true}, {"/..;/b", true}, {"/a/..;x=1/b", true}, {"/a\\b", true}, {"/a%5cb", true}, {"/a%255cb", true},
		{"/%E0%20x", false}, {"/caf%E9", false}, {"/caf%C3%A9", false}, {"/%E0%A4%95", false},
		{"/a/%c0%ae%c0%ae/b", true}, {"/a/%e0%80%ae./b", true}, {"/a%c1%9cb", true}, {"/a%e0%81%9cb", true}, {"/a%c0%80", true},
		{"/a%00b", true}, {"/a%2500", true}, {"/a/..", true}, {"/a/.", true},
		{"/a%25252525252e", true},
	} {
		if got := isMalicious(tc.raw, mustParse(t, tc.raw)); got != tc.want {
			t.Errorf("isMalicious(%q) = %v, want %v", tc.raw, got, tc.want)
		}
	}
	if !isMalicious("/a#b", &url.URL{Path: "/a#b"}) {
		t.Error("a raw # is not told")
	}
}

func TestAQueryThatGoCannotParseIsMadeReadable(t *testing.T) {
	for raw, field := range map[string]string{
		"action=login&x=;": "action", "a=%zz&action=login": "action", "x;action=login": "action",
	} {
		q, err := url.ParseQuery(readableQuery(raw))
		if err != nil || q.Get(field) != "login" {
			t.Errorf("readableQuery(%q) = %q: %v %v", raw, readableQuery(raw), q, err)
		}
	}
	if got := readableQuery("a=1&b=%20"); got != "a=1&b=%20" {
		t.Errorf("a good query was changed to %q", got)
	}
}

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, s string
		want       bool
	}{
		{"/dashboard*", "/dashboard", true}, {"/dashboard*", "/dashboard/x", true}, {"/dashboard*", "/x/dashboard", false},
		{"/a*c", "/abc", true}, {"/a*c", "/ac", true}, {"/a*c", "/acd", false}, {"*", "", true}, {"/a", "/a", true}, {"/a", "/ab", false},
		{"/a*b*c", "/aXbYc", true}, {"/a*b*c", "/aXcYb", false}, {"ab*ba", "aba", false}, {"*x*x*", "x", false},
	} {
		if got := globMatch(tc.pattern, tc.s); got != tc.want {
			t.Errorf("globMatch(%q, %q) = %v", tc.pattern, tc.s, got)
		}
	}
}
