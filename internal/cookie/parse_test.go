package cookie

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func parse(t testing.TB, lines ...string) []Pair {
	t.Helper()
	pairs, complete := Parse(nil, lines)
	if !complete {
		t.Fatal("Parse left pairs out")
	}
	return pairs
}

func TestParseKeepsEveryPairInOrder(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  []Pair
	}{
		"two pairs":                            {[]string{"a=1; b=2"}, []Pair{{"a=1", "a", "1", true}, {"b=2", "b", "2", true}}},
		"no blank after the semicolon":         {[]string{"a=1;b=2"}, []Pair{{"a=1", "a", "1", true}, {"b=2", "b", "2", true}}},
		"a name twice stays twice":             {[]string{"a=1; a=2"}, []Pair{{"a=1", "a", "1", true}, {"a=2", "a", "2", true}}},
		"several lines are read in turn":       {[]string{"a=1", "b=2"}, []Pair{{"a=1", "a", "1", true}, {"b=2", "b", "2", true}}},
		"no equals sign":                       {[]string{"a"}, []Pair{{"a", "a", "", false}}},
		"no name":                              {[]string{"=1"}, []Pair{{"=1", "", "1", true}}},
		"an equals sign in the value":          {[]string{"a==b="}, []Pair{{"a==b=", "a", "=b=", true}}},
		"a quote does not hide the semicolon":  {[]string{`a="x; b=2"`}, []Pair{{`a="x`, "a", `"x`, true}, {`b=2"`, "b", `2"`, true}}},
		"a comma is no separator":              {[]string{"a=1, b=2"}, []Pair{{"a=1, b=2", "a", "1, b=2", true}}},
		"blanks behind the name stay":          {[]string{"a =1"}, []Pair{{"a =1", "a ", "1", true}}},
		"blanks before the name go":            {[]string{"x=1; \t a=1"}, []Pair{{"x=1", "x", "1", true}, {"a=1", "a", "1", true}}},
		"blanks around the value stay":         {[]string{"a= 1 ;b=2"}, []Pair{{"a= 1 ", "a", " 1 ", true}, {"b=2", "b", "2", true}}},
		"bytes that no cookie may have stay":   {[]string{"a\xff\x01(=\xfe"}, []Pair{{"a\xff\x01(=\xfe", "a\xff\x01(", "\xfe", true}}},
		"empty pieces are none":                {[]string{";; a=1; ;", "", " "}, []Pair{{"a=1", "a", "1", true}}},
		"the attributes of RFC 2109 are pairs": {[]string{"$Version=1; a=2"}, []Pair{{"$Version=1", "$Version", "1", true}, {"a=2", "a", "2", true}}},
	} {
		if got := parse(t, c.lines...); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestParseStopsAtItsLimitAndSaysSo(t *testing.T) {
	pairs, complete := Parse(nil, []string{strings.Repeat("a=1;", MaxPairs)})
	if len(pairs) != MaxPairs || !complete {
		t.Errorf("%d pairs: got %d, complete %v", MaxPairs, len(pairs), complete)
	}
	pairs, complete = Parse(nil, []string{strings.Repeat("a=1;", MaxPairs), "sid=1"})
	if len(pairs) != MaxPairs || complete {
		t.Errorf("one more than the limit, on a second line: got %d, complete %v", len(pairs), complete)
	}
}

func TestAHeaderIsBuiltFromWhatIsAllowedOnly(t *testing.T) {
	pairs := parse(t, "a=1; sealed=x", "gone=2;b =3")
	var line []byte
	for _, p := range pairs {
		switch p.Name {
		case "sealed":
			var ok bool
			if line, ok = AppendValue(line, p.Name, `open "v", w`); !ok {
				t.Fatal("the value was refused")
			}
		case "gone":
		default:
			line = AppendKept(line, p)
		}
	}
	if got, want := string(line), `a=1; sealed=open "v", w; b =3`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAValueThatWouldEndThePairIsRefused(t *testing.T) {
	for _, c := range []struct{ name, value string }{
		{"a", "1; sid=2"}, {"a", "1\r\nX: y"}, {"a", "1\x00"}, {"a", "\x7f"}, {"a=1; sid", "2"}, {"a=b", "2"}, {"a\n", "2"},
	} {
		if got, ok := AppendValue([]byte("x=1"), c.name, c.value); ok || string(got) != "x=1" {
			t.Errorf("%q, %q: got %q, %v", c.name, c.value, got, ok)
		}
	}
}

func TestThePathOfACookieHeaderAllocatesOnlyItsResult(t *testing.T) {
	lines := []string{"__Host-x=0123456789; sess.x=1; csrftoken=abc; theme=dark"}
	readable, err := NewMatcher("csrf*", "theme")
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := NewMatcher("sess.x", "PHPSESSID")
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 0, 256)
	allocs := testing.AllocsPerRun(100, func() {
		var room [16]Pair
		pairs, _ := Parse(room[:0], lines)
		line = line[:0]
		for _, p := range pairs {
			if readable.Match(p.Name) && !credentials.FoldMatch(p.Name) && p.Safe() {
				line = AppendKept(line, p)
			}
			credentials.FoldMatch("se%73s[x" + ".y")
		}
	})
	if allocs != 0 {
		t.Errorf("got %v allocations, want none", allocs)
	}
	if string(line) != "csrftoken=abc; theme=dark" {
		t.Errorf("got %q", line)
	}
}

// modelPHP returns, sorted, the names that PHP of today finds in a line. It is
// written from PHP's behaviour and on purpose shares nothing with Fold.
func modelPHP(line string) []string {
	seen := map[string]bool{}
	line, _, _ = strings.Cut(line, "\x00")
	for _, piece := range strings.Split(line, ";") {
		piece = strings.TrimLeft(piece, " \t\n\v\f\r")
		name := strings.SplitN(piece, "=", 2)[0]
		if piece != "" {
			seen[modelName(name)] = true
		}
	}
	delete(seen, "")
	var names []string
	for n := range seen {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func modelName(name string) string {
	name = strings.TrimLeft(name, " ")
	underscores := strings.NewReplacer(" ", "_", ".", "_", "[", "_")
	at := strings.Index(name, "[")
	switch {
	case at == 0:
		return ""
	case at > 0 && strings.Contains(name[at:], "]"):
		return underscores.Replace(name[:at])
	}
	return underscores.Replace(name)
}

var lineSeeds = []string{
	"a=1; b=2", "sid=1; sid[x]=2; s.id=3; s%69d=4", " sid=1;\tsid=2;sid =3", `pref="x; sid=1; lang=y"`,
	"pref=x,sid=1", "pref=x sid=1", "pref=a, b; sid", ";;=;==;[=1;[sid]=2", "sid\x00x=1", "si%2564=1", "%73%69%64=2; s%u0069d=3",
	"sid\xc2\xa0=1;\xa0sid=1", "pref,sid=1", "$Version=1; pref=1; $Path=/", `pref="a\"; sid=1"`, "sid%5bx%5d=1", "pref= sid =1", "+sid=1",
}

func FuzzParseAndRebuild(f *testing.F) {
	for _, s := range lineSeeds {
		f.Add(s, "x=1")
	}
	credentials, err := NewMatcher("sid")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		pairs, complete := Parse(nil, []string{first, second})

		var whole []byte
		for _, p := range pairs {
			whole = AppendKept(whole, p)
		}
		again, _ := Parse(nil, []string{string(whole)})
		if complete && len(pairs)+len(again) > 0 && !reflect.DeepEqual(pairs, again) {
			t.Fatalf("kept whole, %q and %q became %q", first, second, whole)
		}

		var without, safe []byte
		for _, p := range pairs {
			if credentials.FoldMatch(p.Name) {
				continue
			}
			without = AppendKept(without, p)
			if p.Safe() {
				safe = AppendKept(safe, p)
			}
		}
		if slices.Contains(modelPHP(string(without)), "sid") {
			t.Fatalf("sid was taken off, but PHP finds it in %q", without)
		}
		for _, p := range parseAll(string(safe), ",; \t\x85\xa0") {
			if strings.EqualFold(p, "sid") {
				t.Fatalf("a parser that splits at comma or blank finds sid in %q", safe)
			}
		}
		if strings.Count(swallowed(string(safe)), "=") != strings.Count(string(safe), "=") {
			t.Fatalf("a parser that honours quotes swallows a cookie of %q", safe)
		}
	})
}

// parseAll returns the names of what begins behind any of the separators.
func parseAll(line, separators string) []string {
	var names []string
	start := 0
	for i := 0; i <= len(line); i++ {
		if i < len(line) && strings.IndexByte(separators, line[i]) < 0 {
			continue
		}
		if name, _, ok := strings.Cut(line[start:], "="); ok {
			names = append(names, strings.Trim(name, " \t"))
		}
		start = i + 1
	}
	return names
}

// swallowed returns line less the pairs that begin inside a quoted value.
func swallowed(line string) string {
	var out strings.Builder
	for i := 0; i < len(line); i++ {
		out.WriteByte(line[i])
		if line[i] != '=' {
			continue
		}
		j := i + 1
		for j < len(line) && isBlank(line[j]) {
			j++
		}
		if j == len(line) || line[j] != '"' {
			continue
		}
		end := j + 1
		for end < len(line) && line[end] != '"' {
			if line[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(line) || !strings.Contains(line[j:end], ";") {
			continue
		}
		i = end
	}
	return out.String()
}
