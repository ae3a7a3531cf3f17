package twofactor

import (
	"errors"
	"strings"
	"testing"
)

// readText reads a file's text.
func readText(text string) ([]importRow, error) {
	var bad importError
	rows, err := readRows(strings.NewReader(text), &bad)
	if err == nil {
		err = bad.err()
	}
	return rows, err
}

func TestReadRows(t *testing.T) {
	for _, c := range []struct {
		name, file string
		want       []string // line user|phone|aliases, "-" for a cell that is not there
	}{
		{"CSV with a header", "user,phone\nanna,+49151\nbob,\n", []string{"2 anna|+49151|-", "3 bob||-"}},
		{"CSV with a byte order mark, blanks and capitals in the header", "\xef\xbb\xbfUser, Aliases \r\nanna,\"a@x;b\"\r\n", []string{"2 anna|-|a@x;b"}},
		{"CSV with semicolons, as spreadsheets write it in Europe", "\xef\xbb\xbfuser;phone;aliases\r\nanna;+49;\"a@x;b\"\r\n", []string{"2 anna|+49|a@x;b"}},
		{"CSV with tabs, of which some lead an empty cell", "user\tphone\taliases\nanna\t\tb\n", []string{"2 anna||b"}},
		{"CSV with commas and aliases with semicolons", "user,aliases\nanna,a;b;c\n", []string{"2 anna|-|a;b;c"}},
		{"CSV with one column and aliases that look like more", "user\nanna;b\n", []string{"2 anna;b|-|-"}},
		{"CSV with a cell of two lines", "user,aliases\nanna,\"a\nb\"\nbob,c\n", []string{"2 anna|-|a\nb", "4 bob|-|c"}},
		{"JSON list", "[\n {\"user\":\"anna\",\"phone\":\"+49\"},\n\n {\"user\":\"bob\",\"aliases\":[\"b\",\"c\"],\"phone\":null}\n]", []string{"2 anna|+49|-", "4 bob|-|b;c"}},
		{"JSON list without accounts", "[]", nil},
		{"CSV with a header only", "user\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := readText(c.file)
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != len(c.want) {
				t.Fatalf("got %d rows, want %d", len(rows), len(c.want))
			}
			for i, row := range rows {
				if got := rowText(row); got != c.want[i] {
					t.Errorf("row %d: got %q, want %q", i, got, c.want[i])
				}
			}
		})
	}
}

func rowText(r importRow) string {
	cell := func(column string) string {
		if v, ok := r.get(column); ok {
			return v
		}
		return "-"
	}
	return string(rune('0'+r.line)) + " " + cell(columnUser) + "|" + cell(columnPhone) + "|" + cell(columnAliases)
}

func TestReadRowsNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"nothing in it", " \n", "is empty"},
		{"one JSON object", `{"user":"anna"}`, "want a list of objects"},
		{"UTF-16", "\xff\xfeu\x00s\x00", "is UTF-16: save it as UTF-8"},
		{"Latin-1", "user\nanna\nj\xfcrgen\n", "not UTF-8 in line 3: save it as UTF-8"},
		{"a misspelt column", "user,telephon\n", "line 1: column 2 of the header row is unknown: the columns are user, aliases"},
		{"a column by another word", "user,E-Mail\n", "column 2 of the header row is unknown, did you mean mail?"},
		{"a column with a letter wrong", "user,phnoe\n", "did you mean phone?"},
		{"a column with a blank", "user,totp secret\n", "did you mean totp_secret?"},
		{"a misspelt name in JSON", `[{"usr":"anna"}]`, `unknown name "usr", did you mean user?`},
		{"no header row", "anna,+4915112345678\n", "line 1: column 1 of the header row is unknown"},
		{"a column twice", "user,phone,phone\n", "line 1, column phone: is there twice"},
		{"no user column", "phone\n+49\n", "line 1, column user: is missing"},
		{"too few cells", "user,phone\nanna\n", "line 2: 1 columns, but the header has 2"},
		{"a quote without end", "user\n\"anna\n", "not CSV"},
		{"an unknown name in JSON", "[\n{\"user\":\"a\",\"fone\":\"1\"}]", `line 2: unknown name "fone"`},
		{"a text where an object is due", "[\n\"anna\"]", "line 2: want an object"},
		{"a broken object", "[{\"user\":]", "line 1: not JSON"},
		{"a list without end", "[{\"user\":\"a\"}", "the list has no end"},
		{"something after the list", "[]\n[]", "something follows the list"},
		{"a fraction", `[{"user":"a","totp_digits":6.5}]`, "whole number"},
		{"a name twice in JSON", `[{"user":"a","phone":"","phone":"+4915112345678"}]`, `line 1: the name "phone" is there twice`},
		{"a list of numbers", `[{"user":"a","aliases":[1]}]`, "texts only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readText(c.file)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			if strings.Contains(err.Error(), "+4915112345678") {
				t.Error("the error shows a cell")
			}
		})
	}
}

func TestReadRowsHasLimits(t *testing.T) {
	long := "user\n" + strings.Repeat("a", maxImportBytes)
	if _, err := readText(long); err == nil || !strings.Contains(err.Error(), "longer than 16 MiB") {
		t.Errorf("a long file: got %v", err)
	}
	many := "user\n" + strings.Repeat("a\n", maxImportRows+1)
	if _, err := readText(many); err == nil || !strings.Contains(err.Error(), "more than 100000 rows") {
		t.Errorf("many rows: got %v", err)
	}
	list := "[" + strings.Repeat(`{"user":"a"},`, maxImportRows) + `{"user":"a"}]`
	if _, err := readText(list); err == nil || !strings.Contains(err.Error(), "more than 100000 rows") {
		t.Errorf("many objects: got %v", err)
	}
}

func TestImportNamesAllProblemsUpToAThousand(t *testing.T) {
	_, err := readText("user,phone\n" + strings.Repeat("anna\n", 2000))
	var bad *importError
	if !errors.As(err, &bad) {
		t.Fatalf("got %v", err)
	}
	if len(bad.problems) != maxImportProblems || !bad.more {
		t.Fatalf("got %d problems, more %v", len(bad.problems), bad.more)
	}
	if !strings.Contains(err.Error(), "line 1001:") || strings.Contains(err.Error(), "line 1002:") || !strings.HasSuffix(err.Error(), "… and more") {
		t.Errorf("the first problems are not those that are named: %.200v", err)
	}
}
