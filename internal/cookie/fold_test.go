package cookie

import (
	"strings"
	"testing"
)

func TestRule31FoldNamesFieldsAsPHPDoes(t *testing.T) {
	for _, c := range phpFieldNames {
		if got := Fold(c.name); got != c.php {
			t.Errorf("Fold(%q) is %q, php says %q", c.name, got, c.php)
		}
	}
	for _, c := range phpNames {
		if got := string(appendFold(nil, c.name, false)); got != c.php {
			t.Errorf("without decoding, %q becomes %q, php says %q", c.name, got, c.php)
		}
	}
}

func TestFoldOfAPlainNameCostsNothing(t *testing.T) {
	name := strings.Repeat("PHPSESSID-", 3)
	if n := testing.AllocsPerRun(100, func() { Fold(name) }); n != 0 {
		t.Errorf("got %v allocations", n)
	}
}

func matcher(t testing.TB, patterns ...string) Matcher {
	t.Helper()
	m, err := NewMatcher(patterns...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRule31NoSpellingOfACredentialGetsPast(t *testing.T) {
	m := matcher(t, "adminer_sid", "remember_*")
	for _, name := range []string{
		"adminer_sid", "adminer.sid", "adminer sid", "adminer[sid", " adminer_sid", "adminer_sid[x]", "adminer_sid[]y",
		"adminer%5Fsid", "adminer%2esid", "adminer+sid", "adminer%20sid", "%20adminer_sid", "+adminer_sid", "adminer%5Bsid", "adminer_sid%00x", "adminer_sid%5bx%5d",
		"adminer_sid ", "adminer_sid\t", "\vadminer_sid", "adminer_sid\xc2\xa0", "\xa0adminer_sid", "\xe2\x80\x83adminer_sid", "adminer_sid\x85", "\xef\xbb\xbfadminer_sid",
		"ADMINER_SID", "Adminer.Sid", "adminer%5fSID", "adminer_s%u0069d",
		"remember_web", "remember.web_59ba", "remember[web", "remember_", "remember%5Fx", "Remember_me[1]", "remember.",
	} {
		if !m.FoldMatch(name) {
			t.Errorf("%q got past", name)
		}
	}
	for _, name := range []string{"", "adminer_si", "adminer_sidx", "xadminer_sid", "adminersid", "remember", "remembe", "adminer.sid[x", "[adminer_sid]", "adminer%255Fsid", "_adminer_sid"} {
		if m.FoldMatch(name) {
			t.Errorf("%q is no spelling of the credential", name)
		}
	}
}

func TestACredentialWithDotsAndBracketsIsFoundUnderEveryName(t *testing.T) {
	m := matcher(t, "ASP.NET_SessionId", "app[session]", "c%41p")
	for _, name := range []string{"ASP.NET_SessionId", "asp.net_sessionid", "ASP_NET_SessionId", "app[session]", "app", "app[other]", "c%41p", "cAp", "c%2541p"} {
		if !m.FoldMatch(name) {
			t.Errorf("%q got past", name)
		}
	}
}

func TestMatchIsExactToTheByte(t *testing.T) {
	m := matcher(t, "theme", "csrf*")
	for name, want := range map[string]bool{
		"theme": true, "Theme": false, "theme ": false, " theme": false, "themex": false, "them": false, "": false,
		"csrf": true, "csrf_token": true, "csr": false, "xcsrf": false, "t%68eme": false,
	} {
		if got := m.Match(name); got != want {
			t.Errorf("Match(%q) is %v", name, got)
		}
	}
	if (Matcher{}).Match("a") || (Matcher{}).FoldMatch("a") {
		t.Error("a matcher of nothing matches")
	}
}

func TestAPatternThatCannotBeUnderstoodIsRefused(t *testing.T) {
	for pattern, want := range map[string]string{
		"": "an empty cookie name", "*": "would mean every cookie", "a*b": "only at the end", "a**": "only at the end",
		"a b": "only letters", "a;b": "only letters", "a=b": "only letters", "ä": "only letters", "a\x00": "only letters",
	} {
		if _, err := NewMatcher("ok", pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error with %q", pattern, err, want)
		}
	}
}

func TestFoldMatchDoesNotAllocate(t *testing.T) {
	m := matcher(t, "adminer_sid", "remember_*")
	for _, name := range []string{"theme", "adminer.sid", "%61dminer_sid[x", " x\xa0y"} {
		if n := testing.AllocsPerRun(100, func() { m.FoldMatch(name) }); n != 0 {
			t.Errorf("%q: got %v allocations", name, n)
		}
	}
}
