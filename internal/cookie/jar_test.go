package cookie

import (
	"testing"
	"time"
)

func TestAJarSendsWhatABrowserWould(t *testing.T) {
	for name, c := range map[string]struct {
		sent    string
		answer  []string
		request string
		target  string
		want    string
	}{
		"nothing at all":                                       {"", nil, "/", "/", ""},
		"what was sent goes on as it was":                      {"a=1;b; =c;a=2", nil, "/", "/x", "a=1; b; =c; a=2"},
		"the answer's value takes the place of what was sent":  {"sid=old; t=1", []string{"sid=new"}, "/login", "/profile", "t=1; sid=new"},
		"and of all of its name":                               {"sid=a; sid=b", []string{"sid=new; Path=/"}, "/login", "/profile", "sid=new"},
		"but not where its path does not match":                {"sid=old", []string{"sid=new; Path=/app"}, "/login", "/profile", "sid=old"},
		"a path matches whole segments only":                   {"sid=old", []string{"sid=new; Path=/app"}, "/", "/application", "sid=old"},
		"a path matches itself":                                {"sid=old", []string{"sid=new; Path=/app"}, "/", "/app", "sid=new"},
		"a path that ends with a slash does not match without": {"sid=old", []string{"sid=new; Path=/app/"}, "/", "/app", "sid=old"},
		"without a Path the answer's folder counts":            {"sid=old", []string{"sid=new"}, "/app/login", "/profile", "sid=old"},
		"of two paths the longer comes first":                  {"", []string{"sid=root; Path=/", "sid=app; Path=/app"}, "/", "/app/x", "sid=app; sid=root"},
		"a deletion removes what was sent":                     {"sid=old; t=1", []string{"sid=x; Max-Age=0; Path=/"}, "/", "/x", "t=1"},
		"a deletion elsewhere does not":                        {"sid=old", []string{"sid=x; Max-Age=0; Path=/app"}, "/", "/x", "sid=old"},
		"deleted and set again in one answer":                  {"sid=old", []string{"sid=x; Max-Age=0; Path=/", "sid=new; Path=/"}, "/", "/x", "sid=new"},
		"set and deleted in one answer":                        {"sid=old", []string{"sid=new; Path=/", "sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/"}, "/", "/x", ""},
		"deleted at one path and set at another":               {"sid=old", []string{"sid=; Max-Age=0; Path=/", "sid=new; Path=/app"}, "/", "/app", "sid=new"},
		"a cookie of the parent domain is taken":               {"", []string{"sid=new; Domain=example.test"}, "/", "/", "sid=new"},
		"one of a foreign domain is not":                       {"sid=old", []string{"sid=new; Domain=evil.test"}, "/", "/", "sid=old"},
		"nor one of a domain that only ends alike":             {"sid=old", []string{"sid=new; Domain=xample.test"}, "/", "/", "sid=old"},
		"nor one of a whole top-level domain":                  {"sid=old", []string{"sid=new; Domain=test"}, "/", "/", "sid=old"},
		"a __Host- cookie needs Secure":                        {"", []string{"__Host-a=1; Path=/"}, "/", "/", ""},
		"and the path /":                                       {"", []string{"__Host-a=1; Path=/x; Secure"}, "/", "/x", ""},
		"then it is taken":                                     {"", []string{"__Host-a=1; Path=/; Secure"}, "/", "/x", "__Host-a=1"},
		"a __Secure- cookie needs Secure":                      {"", []string{"__Secure-a=1"}, "/", "/", ""},
		"names differ by case":                                 {"SID=old", []string{"sid=new"}, "/", "/", "SID=old; sid=new"},
		"no path at all is the root":                           {"", []string{"sid=new; Path=/"}, "/", "", "sid=new"},
	} {
		j := NewJar("crm.Example.test:443")
		if c.sent != "" {
			j.FromRequest(parse(t, c.sent))
		}
		var sets []SetCookie
		for _, line := range c.answer {
			sets = append(sets, set(t, line))
		}
		j.Overlay(sets, c.request, noon)
		if got := j.Header(c.target); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestAJarKnowsThePathsOfOpenedCookies(t *testing.T) {
	j := NewJar("[::1]:8080")
	j.Add("sid", "app", Attributes{Path: "/app"}, noon)
	j.Add("sid", "root", Attributes{Path: "/"}, noon)
	j.Add("gone", "1", Attributes{Path: "/", Expires: noon.Add(-time.Second).Unix()}, noon)
	j.Overlay([]SetCookie{set(t, "sid=new; Path=/")}, "/login", noon)
	if got := j.Header("/app/x"); got != "sid=app; sid=new" {
		t.Errorf("below the narrow path: got %q", got)
	}
	if got := j.Header("/x"); got != "sid=new" {
		t.Errorf("elsewhere: got %q", got)
	}
	j.Overlay([]SetCookie{set(t, "sid=; Path=/app; Max-Age=0")}, "/login", noon)
	if got := j.Header("/app/x"); got != "sid=new" {
		t.Errorf("after its deletion: got %q", got)
	}
}

func TestHostsAreComparedWithoutPortCaseAndDot(t *testing.T) {
	for host, want := range map[string]string{
		"A.test": "a.test", "a.test:80": "a.test", "a.test.": "a.test", "[::1]:80": "[::1]", "[::1]": "[::1]", "::1": "::1", "127.0.0.1:1": "127.0.0.1", "": "",
	} {
		if got := hostOnly(host); got != want {
			t.Errorf("hostOnly(%q) is %q", host, got)
		}
	}
}
