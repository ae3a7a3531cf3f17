package cookie

import (
	"math"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func set(t testing.TB, line string) SetCookie {
	t.Helper()
	c, ok := ParseSet(line)
	if !ok {
		t.Fatalf("%q was refused", line)
	}
	return c
}

func TestSetCookieIsReadAsBrowsersDo(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		want SetCookie
	}{
		"name and value":                         {"sid=1", SetCookie{Name: "sid", Value: "1"}},
		"blanks around are dropped":              {" sid\t = 1 ; Path=/ ", SetCookie{Name: "sid", Value: "1", Path: "/"}},
		"quotes belong to the value":             {`sid="a b"`, SetCookie{Name: "sid", Value: `"a b"`}},
		"the first equals sign divides":          {"sid=a=b", SetCookie{Name: "sid", Value: "a=b"}},
		"an empty value":                         {"sid=", SetCookie{Name: "sid"}},
		"an empty name":                          {"=1", SetCookie{Value: "1"}},
		"no equals sign":                         {"1", SetCookie{Value: "1"}},
		"an equals sign only in an attribute":    {"1; Path=/x", SetCookie{Value: "1", Path: "/x"}},
		"commas and high bytes":                  {"a,b=c,\xff", SetCookie{Name: "a,b", Value: "c,\xff"}},
		"names of attributes in any case":        {"a=1;PATH=/x;SECURE;HttpONLY;samesite=STRICT;partitioned;DOMAIN=.Example.COM", SetCookie{Name: "a", Value: "1", Path: "/x", Secure: true, HTTPOnly: true, SameSite: SameSiteStrict, Partitioned: true, Domain: "example.com"}},
		"flags with values":                      {"a=1; Secure=no; HttpOnly=false", SetCookie{Name: "a", Value: "1", Secure: true, HTTPOnly: true}},
		"of two paths the last":                  {"a=1; Path=/x; Path=/y", SetCookie{Name: "a", Value: "1", Path: "/y"}},
		"an empty path undoes the one before":    {"a=1; Path=/x; Path", SetCookie{Name: "a", Value: "1"}},
		"a path without a slash is none":         {"a=1; Path=x", SetCookie{Name: "a", Value: "1"}},
		"an empty domain undoes the one before":  {"a=1; Domain=x.test; Domain=", SetCookie{Name: "a", Value: "1"}},
		"SameSite none":                          {"a=1; SameSite=None", SetCookie{Name: "a", Value: "1", SameSite: SameSiteNone}},
		"of two SameSites the last":              {"a=1; SameSite=None; SameSite=Lax", SetCookie{Name: "a", Value: "1", SameSite: SameSiteLax}},
		"an unknown SameSite":                    {"a=1; SameSite=Lax; SameSite=x", SetCookie{Name: "a", Value: "1"}},
		"Max-Age":                                {"a=1; Max-Age=60", SetCookie{Name: "a", Value: "1", MaxAge: 60, HasMaxAge: true}},
		"a negative Max-Age":                     {"a=1; max-age=-1", SetCookie{Name: "a", Value: "1", MaxAge: -1, HasMaxAge: true}},
		"a Max-Age beyond all numbers":           {"a=1; Max-Age=99999999999999999999", SetCookie{Name: "a", Value: "1", MaxAge: math.MaxInt64, HasMaxAge: true}},
		"a Max-Age below all numbers":            {"a=1; Max-Age=-99999999999999999999", SetCookie{Name: "a", Value: "1", MaxAge: math.MinInt64, HasMaxAge: true}},
		"a Max-Age that is none does not count":  {"a=1; Max-Age=5; Max-Age=6s; Max-Age=; Max-Age=+7; Max-Age=-; Max-Age=\"8\"", SetCookie{Name: "a", Value: "1", MaxAge: 5, HasMaxAge: true}},
		"Expires":                                {"a=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT", SetCookie{Name: "a", Value: "1", Expires: time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)}},
		"an Expires that is none does not count": {"a=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Expires=never", SetCookie{Name: "a", Value: "1", Expires: time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)}},
		"an attribute too long does not count":   {"a=1; Path=/" + strings.Repeat("x", MaxAttributeSize), SetCookie{Name: "a", Value: "1"}},
		"a tab is no control character":          {"a=1\t2", SetCookie{Name: "a", Value: "1\t2"}},
	} {
		got := set(t, c.line)
		got.attributes = ""
		if got != c.want {
			t.Errorf("%s: %q is read as %+v, want %+v", name, c.line, got, c.want)
		}
	}
}

func TestALineThatNoBrowserKeepsIsNoCookie(t *testing.T) {
	for name, line := range map[string]string{
		"nothing":                         "",
		"neither name nor value":          " = ; Path=/",
		"only attributes":                 "; Path=/",
		"a NUL in the value":              "sid=1\x00; Path=/",
		"a control character":             "sid=\x01",
		"a control character in the name": "s\x1fid=1",
		"a control character in the path": "sid=1; Path=/\x08",
		"DEL":                             "sid=1\x7f",
		"a line break":                    "sid=1\r\nSet-Cookie: a=b",
		"too long":                        "sid=" + strings.Repeat("x", MaxPairSize),
		"a nameless one that plays host":  "=__Host-sid=1",
		"the same without equals":         "__SECURE-sid",
	} {
		if c, ok := ParseSet(line); ok {
			t.Errorf("%s: %.40q is read as %+v", name, line, c)
		}
	}
	if _, ok := ParseSet("sid=" + strings.Repeat("x", MaxPairSize-3)); !ok {
		t.Error("a cookie of exactly the largest size is refused")
	}
}

func TestDatesAreReadByRFC6265(t *testing.T) {
	want := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	for _, s := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "6 november 1994 8:49:37",
		"08:49:37 6 NOV 94", "Sun, 06-Nov-1994 08:49:37", "08:49:37 6 nov 1994", "06th Nov 1994 08:49:37 PST", "08:49:37 6 Nov 1994x",
	} {
		if got, ok := parseDate(s); !ok || !got.Equal(want) {
			t.Errorf("%q is read as %v, %v", s, got, ok)
		}
	}
	for s, year := range map[string]int{"1 Jan 69 00:00:00": 2069, "1 Jan 70 00:00:00": 1970, "1 Jan 1601 00:00:00": 1601} {
		if got, ok := parseDate(s); !ok || got.Year() != year {
			t.Errorf("%q is read as %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{
		"", "0", "-1", "never", "Sun, 06 Nov 1994", "06 Nov 1994 24:00:00", "06 Nov 1994 08:60:00", "06 Nov 1994 08:49:60", "06 Nov 1994 08:49",
		"31 Feb 1994 08:49:37", "0 Nov 1994 08:49:37", "32 Nov 1994 08:49:37", "1 Jan 1600 00:00:00", "06 Nov 19945 08:49:37", "06 Nox 1994 08:49:37", "006 Nov 1994 08:49:37",
	} {
		if got, ok := parseDate(s); ok {
			t.Errorf("%q is read as %v", s, got)
		}
	}
}

func TestALineDeletesOrDoesNot(t *testing.T) {
	for line, want := range map[string]bool{
		"a=1":             false,
		"a=":              false,
		"a=1; Max-Age=0":  true,
		"a=1; Max-Age=-5": true,
		"a=1; Max-Age=1":  false,
		"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT":               true,
		"a=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT":               false,
		"a=1; Expires=Sun, 22 Nov 2026 12:00:00 GMT":               true,
		"a=1; Expires=Sun, 22 Nov 2026 12:00:01 GMT":               false,
		"a=1; Max-Age=5; Expires=Thu, 01 Jan 1970 00:00:00 GMT":    false,
		"a=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Max-Age=0":    true,
		"a=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/": true,
		"a=1; Max-Age=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT":    true,
	} {
		if got := set(t, line).Deletes(noon); got != want {
			t.Errorf("%q deletes: %v", line, got)
		}
	}
}

func TestExpiryIsNeverLaterThanBrowsersAllow(t *testing.T) {
	for line, want := range map[string]time.Time{
		"a=1":                               {},
		"a=1; Max-Age=60":                   noon.Add(time.Minute),
		"a=1; Max-Age=99999999999999999999": noon.Add(MaxLifetime),
		"a=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT": noon.Add(MaxLifetime),
		"a=1; Expires=Sun, 22 Nov 2026 13:00:00 GMT": noon.Add(time.Hour),
		"a=1; Max-Age=0": time.Unix(1, 0),
	} {
		if got := set(t, line).Expiry(noon); !got.Equal(want) {
			t.Errorf("%q expires at %v, want %v", line, got, want)
		}
	}
}

func TestTheEffectivePathIsThatOfTheRFC(t *testing.T) {
	for _, c := range []struct{ line, request, want string }{
		{"a=1; Path=/x", "/y/z", "/x"}, {"a=1; Path=/", "/y/z", "/"},
		{"a=1", "/", "/"}, {"a=1", "/y", "/"}, {"a=1", "/y/", "/y"}, {"a=1", "/y/z", "/y"}, {"a=1", "/a/b/c", "/a/b"},
		{"a=1", "", "/"}, {"a=1", "y/z", "/"}, {"a=1; Path=x", "/y/z", "/y"}, {"a=1", "/y%2fz", "/"}, {"a=1", "/y/z?q=/1", "/y"}, {"a=1", "//", "/"},
	} {
		if got := set(t, c.line).EffectivePath(c.request); got != c.want {
			t.Errorf("%q from %q has the path %q, want %q", c.line, c.request, got, c.want)
		}
	}
}

func TestALineIsWrittenBackWithAnotherValue(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"sid=1", "sid=SEALED; Path=/crm"},
		{"sid=1; path=/x; secure;HttpOnly ; Priority=High; SameSite=lax", "sid=SEALED; secure; HttpOnly; Priority=High; SameSite=lax; Path=/x"},
		{"sid=1; Path=/x; Path=/y;;", "sid=SEALED; Path=/y"},
		{"sid=1; Path=", "sid=SEALED; Path=/crm"},
		{"sid=1; Expires=Sun, 06 Nov 2094 08:49:37 GMT; Domain=.A.test", "sid=SEALED; Expires=Sun, 06 Nov 2094 08:49:37 GMT; Domain=.A.test; Path=/crm"},
		{"1", "=SEALED; Path=/crm"},
	} {
		sc := set(t, c.line)
		got := sc.Rewrite("SEALED", "/crm/login")
		if got != c.want {
			t.Errorf("%q is written as %q, want %q", c.line, got, c.want)
		}
		if sc.Value != "1" {
			t.Error("Rewrite changed the cookie that it was asked of")
		}
	}
	if got := set(t, "sid=1; Secure").String(); got != "sid=1; Secure" {
		t.Errorf("String without a path gives %q", got)
	}
}

func TestOnlyTheLastOfANamePathAndDomainCounts(t *testing.T) {
	var sets []SetCookie
	for _, line := range []string{
		"sid=first", "theme=x", "sid=deleted; Max-Age=0; Path=/crm", "sid=other; Path=/", "sid=domain; Domain=example.test",
		"sid=last; path=/crm", "SID=another", "sid=apart; Path=/crm; Partitioned; Secure", "sid=domain2; domain=.EXAMPLE.test",
	} {
		sets = append(sets, set(t, line))
	}
	var got []string
	for _, c := range Last(sets, "/crm/login", "Example.test:8080") {
		got = append(got, c.Value)
	}
	if want := "x other last another apart domain2"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(sets) != 9 || sets[0].Value != "first" {
		t.Error("Last changed what it was given")
	}
	a, b := set(t, "sid=1"), set(t, "sid=2; Domain=127.0.0.1")
	if got := Last([]SetCookie{a, b}, "/", "127.0.0.1:80"); len(got) != 1 || got[0].Value != "2" {
		t.Errorf("of an address's own cookie and its domain's: got %+v", got)
	}
}

func TestAttributesComeBackAsTheyWere(t *testing.T) {
	for _, line := range []string{
		"a=1", "a=1; Path=/; Secure; HttpOnly", "a=1; Path=/x; Domain=example.test; SameSite=None; Secure; Partitioned", "a=1; Max-Age=60; SameSite=Strict",
		"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax", "a=1; Max-Age=-99999999999999999999", "a=1; Expires=1 Jan 1601 00:00:00",
	} {
		want := set(t, line).AttributesAt("/crm/login", noon)
		b := want.Append([]byte("head"))[4:]
		got, err := ParseAttributes(b)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", line, got, err, want)
		}
		for n := range b {
			if _, err := ParseAttributes(b[:n]); err == nil {
				t.Errorf("%q: %d of %d bytes are read", line, n, len(b))
			}
		}
		if _, err := ParseAttributes(append(b, 0)); err == nil {
			t.Errorf("%q: a byte too many is read", line)
		}
	}
	if n := len(Attributes{Path: "/", Secure: true, HTTPOnly: true}.Append(nil)); n != 3 {
		t.Errorf("the usual attributes take %d bytes", n)
	}
}

func TestAttributesThatCouldBreakALineAreRefused(t *testing.T) {
	for _, a := range []Attributes{{Path: "/; Domain=evil.test"}, {Path: "/\r\nX: y"}, {Path: "x"}, {}, {Path: "/", Domain: "a;b"}} {
		if got, err := ParseAttributes(a.Append(nil)); err == nil {
			t.Errorf("%+v is read as %+v", a, got)
		}
	}
	for _, b := range [][]byte{{0x80, 1, '/'}, {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, '/'}, {bitExpires, 1, '/', 0}, {bitDomain, 1, '/', 0}} {
		if got, err := ParseAttributes(b); err == nil {
			t.Errorf("%v is read as %+v", b, got)
		}
	}
}

func TestACookieIsSetAnewWithItsAttributes(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"sid=1", "sid=V; Path=/crm"},
		{"sid=1; Path=/; Secure; HttpOnly; SameSite=Lax", "sid=V; Path=/; Secure; HttpOnly; SameSite=Lax"},
		{"sid=1; Max-Age=3600; Domain=.Example.test; SameSite=None; Secure; Partitioned", "sid=V; Path=/crm; Domain=example.test; Max-Age=3540; Secure; SameSite=None; Partitioned"},
		{"sid=1; Max-Age=60", "sid=; Path=/crm; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"},
	} {
		sc := set(t, c.line)
		got, ok := sc.AttributesAt("/crm/login", noon).Set(sc.Name, "V", noon.Add(time.Minute))
		if !ok || got != c.want {
			t.Errorf("%q is set anew by %q, want %q", c.line, got, c.want)
		}
	}
	if got, ok := (Attributes{Path: "/"}).Set("sid", "1; Domain=evil.test", noon); ok {
		t.Errorf("a value that breaks the line is written as %q", got)
	}
}

func TestACookieIsDeletedExactly(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"sid=1; Path=/x; Domain=a.test", "sid=; Path=/x; Domain=a.test; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"},
		{"__Host-sid=1; Path=/; Secure; HttpOnly", "__Host-sid=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; HttpOnly"},
		{"__secure-sid=1; Path=/x", "__secure-sid=; Path=/x; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure"},
		{"sid=1; Path=/; Partitioned; SameSite=None", "sid=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; SameSite=None; Partitioned"},
		{"__Http-sid=1; Path=/x", "__Http-sid=; Path=/x; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; HttpOnly"},
	} {
		sc := set(t, c.line)
		got, ok := sc.AttributesAt("/", noon).Delete(sc.Name)
		if !ok || got != c.want {
			t.Errorf("%q is deleted by %q, want %q", c.line, got, c.want)
		}
		back := set(t, got)
		if !back.Deletes(noon) || back.identity("/elsewhere/x", "a.test") != sc.identity("/", "a.test") {
			t.Errorf("%q deletes another cookie than %q", got, c.line)
		}
	}
}

func FuzzParseSet(f *testing.F) {
	for _, s := range []string{
		"sid=1; Path=/; Secure; HttpOnly; SameSite=Lax", "=1", "1", "a=1;;Path=/x;path", "a=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=-0",
		"a = b = c ; Domain=.X.test;Partitioned", "a=1; Expires=1 2 3 4:5:6 jan 70", "__Host-a=1; Path=/", "a=\xff,; Path=/\xa0 ",
	} {
		f.Add(s, "/crm/login")
	}
	f.Fuzz(func(t *testing.T, line, requestPath string) {
		c, ok := ParseSet(line)
		if !ok {
			return
		}
		if strings.ContainsAny(c.Name+c.Value+c.Path+c.Domain, ";\r\n\x00") || strings.Contains(c.Name, "=") {
			t.Fatalf("%q is read as %+v", line, c)
		}
		path := c.EffectivePath(requestPath)
		if !strings.HasPrefix(path, "/") {
			t.Fatalf("%q from %q has the path %q", line, requestPath, path)
		}
		if strings.ContainsAny(requestPath, "; \t\x7f") || strings.IndexFunc(requestPath, func(r rune) bool { return r < ' ' }) >= 0 || len(path) > MaxAttributeSize {
			return // no path of an address
		}
		back, ok := ParseSet(c.Rewrite("sealed", requestPath))
		if !ok {
			t.Fatalf("%q is written as %q, which is no cookie", line, c.Rewrite("sealed", requestPath))
		}
		want := c
		want.Value, want.Path, want.attributes, back.attributes = "sealed", path, "", ""
		if back != want {
			t.Fatalf("%q comes back as %+v, want %+v", line, back, want)
		}
		a := c.AttributesAt(requestPath, noon)
		if got, err := ParseAttributes(a.Append(nil)); err != nil || got != a {
			t.Fatalf("%q: attributes %+v come back as %+v, %v", line, a, got, err)
		}
		gone, ok := a.Delete(c.Name)
		if !ok {
			t.Fatalf("%q cannot be deleted", line)
		}
		deleted, ok := ParseSet(gone)
		if c.Name != "" && (!ok || !deleted.Deletes(noon)) {
			t.Fatalf("%q does not delete", gone)
		}
	})
}
