package cookie

import (
	"net/url"
	"strings"
	"testing"
)

func sessionNames(t testing.TB, more ...string) func(string) bool {
	t.Helper()
	return matcher(t, append(SessionNames(), more...)...).FoldMatch
}

func TestACredentialIsTakenOutOfTheQuery(t *testing.T) {
	is := sessionNames(t, "api_key")
	for _, c := range []struct{ query, want string }{
		{"PHPSESSID=x", ""},
		{"a=1&PHPSESSID=x&b=2", "a=1&b=2"},
		{"phpsessid=x&b=%32", "b=%32"},
		{"a=1&sid", "a=1"},
		{"sid=", ""},
		{"a=1;sid=x;b=2", "a=1;b=2"},
		{"a=1;b=2&sid=3&c", "a=1;b=2&c"},
		{"sid=x&sid=y&a=1&sid=z", "a=1"},
		{"a=1&&sid=x&b=+%zz", "a=1&&b=+%zz"},
		{"PHPSESSI%44=x", ""}, {"%50HPSESSID=x", ""}, {"PHPSESSID%00x=1", ""}, {"+PHPSESSID=1", ""}, {"%20sid=1", ""}, {"s%u0069d=1", ""},
		{"PHPSESSID[]=x", ""}, {"sid[a]=x", ""}, {"sid%5Ba%5D=x", ""}, {"sid[a=x", ""},
		// Express and Rack.
		{"[sid]=x", ""}, {"%5Bsid%5D=x", ""}, {"[[sid]]=x", ""}, {"]sid=x", ""}, {"sid]=x", ""}, {"[]sid=x", ""}, {"a=1&[sid][a]=x", "a=1"},
		{"api.key=x", ""}, {"api%20key=x", ""}, {"api+key=x", ""}, {"api%5Bkey=x", ""}, {"API_KEY=x", ""},
		{"asp.net_sessionid=x&a", "a"},
		{"sid=1;action=export", ""}, // else the value would become a field
		{"sid=1;action=export&a=1", "a=1"},
		{"a=1&;sid=2", "a=1&"},
	} {
		got, changed := StripQuery(c.query, is)
		if got != c.want || !changed {
			t.Errorf("%q becomes %q, %v, want %q", c.query, got, changed, c.want)
		}
	}
}

func TestAQueryWithoutACredentialStaysByteForByte(t *testing.T) {
	is := sessionNames(t)
	for _, query := range []string{"", "a=1", "a=sid", "a=1&b=PHPSESSID=2", "side=1", "xsid=1", "&&;;=&=1", "a=%zz+%20", "a[sid]=1", "PHPSESSIDx=1", "[a]sid=1", "[side]=1"} {
		if got, changed := StripQuery(query, is); got != query || changed {
			t.Errorf("%q becomes %q, %v", query, got, changed)
		}
	}
	if n := testing.AllocsPerRun(100, func() { StripQuery("page=2&sort=name&dir=asc", is) }); n != 0 {
		t.Errorf("a plain query costs %v allocations", n)
	}
}

func TestACredentialIsTakenOutOfThePath(t *testing.T) {
	is := sessionNames(t)
	for _, c := range []struct{ path, want string }{
		{"/a;jsessionid=x", "/a"},
		{"/a;JSESSIONID=x/b", "/a/b"},
		{"/a;v=1;jsessionid=x;w=2/b;jsessionid=y", "/a;v=1;w=2/b"},
		{"/;jsessionid=x", "/"},
		{"/a/;jsessionid=x/b", "/a//b"},
		{"/a;jsessionid", "/a"},
		{"/a;j%73essionid=x", "/a"},
		{"/a%3bjsessionid=x", "/a"}, {"/a%3Bjsessionid=x%2fy/b", "/a/b"},
		{"/a;sid[0]=x", "/a"},
		{"/(S(x))/page.aspx", "/page.aspx"},
		{"/app/(S(x))/page.aspx", "/app/page.aspx"},
		{"/app/(s(x))", "/app"},
		{"/(S(x))", "/"},
		{"/(S(x))/", "/"},
		{"/(A(a)F(f)S(s))/page", "/page"}, {"/(F(ticket))/page", "/page"},
		{"/(S(x))(S(y))/page", "/page"}, {"/(S(x))/(S(y))/page", "/page"},
		{"/%28S%28x%29%29/page", "/page"}, {"/(%53(x))/page", "/page"},
		{"/(S(x))admin", "/admin"},
		{"/(S(x));jsessionid=y/b", "/b"},
	} {
		got, changed := StripPathParams(c.path, is)
		if got != c.want || !changed {
			t.Errorf("%q becomes %q, %v, want %q", c.path, got, changed, c.want)
		}
	}
}

func TestAPathWithoutACredentialStaysByteForByte(t *testing.T) {
	is := sessionNames(t)
	for _, path := range []string{
		"", "/", "/a/b", "//a//", "/a;v=1", "/a;", "/a;;b", "/jsessionid=x", "/a=1;b=jsessionid", "/(x)/a", "/(S)/a", "/(S(x)/a", "/S(x))/a", "/(1(x))/a", "/()/a", "/a(S(x))", "/wiki/Go_(language)", "/a%3", "/a%3b", "/%zz", "*",
	} {
		if got, changed := StripPathParams(path, is); got != path || changed {
			t.Errorf("%q becomes %q, %v", path, got, changed)
		}
	}
	onlyJava := matcher(t, "JSESSIONID").FoldMatch
	if got, changed := StripPathParams("/(S(x))/a", onlyJava); changed {
		t.Errorf("where ASP.NET's session is no credential: got %q", got)
	}
}

func TestNoCredentialIsLeftInAnyFieldThatGoSees(t *testing.T) {
	is := sessionNames(t)
	for _, query := range []string{"sid=1&a=2", "a=1&s%69d=2", "a=1;sid=2", "x&sid&sid=&%73id=%26sid=1"} {
		got, _ := StripQuery(query, is)
		values, err := url.ParseQuery(strings.ReplaceAll(got, ";", "&"))
		if err != nil || values.Has("sid") {
			t.Errorf("%q becomes %q, in which %v stands (%v)", query, got, values, err)
		}
	}
}
