package twofactor

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// row makes a row of pairs of column and cell.
func row(line int, pairs ...string) importRow {
	r := importRow{line: line, cell: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		r.cell[pairs[i]] = pairs[i+1]
	}
	return r
}

// checkAll checks rows for nowhere.
func checkAll(rows []importRow) ([]importAccount, error) {
	var bad importError
	list := checkRows(rows, "", &bad)
	return list, bad.err()
}

func TestCheckRowsReadsAWholeRow(t *testing.T) {
	list, err := checkAll([]importRow{row(2,
		"user", " Anna ", "aliases", "anna@example.com; A.Smith\tanna ANNA@example.com",
		"phone", "+49 151 2345 6789", "mail", "Anna@example.com", "group", "sales",
		"totp_secret", "jbsw y3dp-ehpk 3pxp ====", "totp_algorithm", "sha-256", "totp_digits", "8", "totp_period", "60",
	)})
	if err != nil {
		t.Fatal(err)
	}
	a := list[0]
	if a.id != "anna" || a.name != "Anna" || *a.mail != "Anna@example.com" || *a.group != "sales" {
		t.Errorf("got %+v", a)
	}
	if want := []string{"anna@example.com", "a.smith"}; !slices.Equal(*a.aliases, want) {
		t.Errorf("aliases: got %q, want %q", *a.aliases, want)
	}
	if *a.phone != "+4915123456789" {
		t.Errorf("phone: got %s", *a.phone)
	}
	if p := a.totp.params; p.Algorithm != "SHA256" || p.Digits != 8 || p.Period != 60 || string(a.totp.secret) != "Hello!\xde\xad\xbe\xef" || !a.totp.weak {
		t.Errorf("authenticator: got %+v", a.totp)
	}
}

func TestCheckRowsLeavesColumnsThatAreNotThere(t *testing.T) {
	list, err := checkAll([]importRow{row(2, "user", "anna"), row(3, "user", "bob", "phone", "", "totp_secret", "", "aliases", "")})
	if err != nil {
		t.Fatal(err)
	}
	if a := list[0]; a.phone != nil || a.totp != nil || a.aliases != nil || a.mail != nil || a.group != nil {
		t.Errorf("a file without columns speaks of %+v", a)
	}
	if b := list[1]; b.phone == nil || *b.phone != "" || b.totp == nil || len(b.totp.secret) != 0 || b.aliases == nil || len(*b.aliases) != 0 {
		t.Errorf("empty cells are not taken as such: %+v", b)
	}
}

func TestCheckRowsNamesEveryBadCell(t *testing.T) {
	for _, c := range []struct {
		name string
		row  importRow
		want string
	}{
		{"no user", row(2, "user", " "), "line 2, column user: want a user name"},
		{"a control character in the user", row(2, "user", "an\x00na"), "column user"},
		{"a bad alias", row(2, "user", "a", "aliases", strings.Repeat("x", 300)), "column aliases: want names"},
		{"too many aliases", row(2, "user", "a", "aliases", "b c d e f g h i j k l m n o p q r s"), "column aliases: want at most 16"},
		{"no address", row(2, "user", "a", "mail", "anna"), "column mail: want one address"},
		{"an address with a name", row(2, "user", "a", "mail", "Anna <anna@example.com>"), "column mail"},
		{"a group with a line break", row(2, "user", "a", "group", "a\nb"), "column group"},
		{"another hash", row(2, "user", "a", "totp_secret", "JBSWY3DPEHPK3PXP", "totp_algorithm", "MD5"), "column totp_algorithm: want SHA1 or SHA256"},
		{"seven digits", row(2, "user", "a", "totp_secret", "JBSWY3DPEHPK3PXP", "totp_digits", "7"), "column totp_digits: want 6 or 8"},
		{"a period of 20 s", row(2, "user", "a", "totp_secret", "JBSWY3DPEHPK3PXP", "totp_period", "20"), "column totp_period: want 15, 30 or 60"},
		{"no base32", row(2, "user", "a", "totp_secret", "JBSWY3DPEHPK3PX1"), "column totp_secret"},
		{"a short secret", row(2, "user", "a", "totp_secret", "JBSWY3DP"), "column totp_secret"},
		{"digits without a secret", row(2, "user", "a", "totp_digits", "8"), "column totp_digits: is given without a totp_secret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := checkAll([]importRow{c.row})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "JBSWY3DP") {
				t.Error("the error shows the secret")
			}
		})
	}
}

// TestRule10RefusesNumbersThatTakeNoTexts asks about each type of number
// (security.md, rule 10). The numbers are libphonenumber's examples.
func TestRule10RefusesNumbersThatTakeNoTexts(t *testing.T) {
	for _, c := range []struct{ name, number, region, want, reason string }{
		{"German mobile", "+49 1512 3456789", "", "+4915123456789", ""},
		{"British mobile", "+447400123456", "", "+447400123456", ""},
		{"American, fixed or mobile", "+1 (201) 555-0123", "", "+12015550123", ""},
		{"Jamaican, by its region and not the text of its prefix", "+18762101234", "", "+18762101234", ""},
		{"national form with a region", "01512 3456789", "DE", "+4915123456789", ""},
		{"international form with another region", "+447400123456", "DE", "+447400123456", ""},
		{"none", "", "", "", ""},
		{"national form without a region", "01512 3456789", "", "", "international form"},
		{"two zeros without a region", "0049 1512 3456789", "", "", "international form"},
		{"German fixed line", "+49 30 123456", "", "", "fixed line"},
		{"British premium", "+449012345678", "", "", "premium"},
		{"American premium", "+19002345678", "", "", "premium"},
		{"German toll-free", "+498001234567890", "", "", "toll-free"},
		{"German shared cost", "+4918012345", "", "", "shared-cost"},
		{"German voice mailbox", "+49177991234567", "", "", "voice mailbox"},
		{"French universal", "+33806123456", "", "", "universal"},
		{"British pager", "+447640123456", "", "", "pager"},
		{"British personal", "+447012345678", "", "", "personal"},
		{"British internet telephony", "+445612345678", "", "", "internet telephony"},
		{"satellite, Inmarsat", "+870301234567", "", "", "satellite"},
		{"satellite, Iridium", "+881612345678", "", "", "satellite"},
		{"international premium", "+979123456789", "", "", "no country"},
		{"short number", "110", "DE", "", "no number that can be in use"},
		{"short number in international form", "+49110", "", "", "no number that can be in use"},
		{"a number with an extension", "+4915123456789 ext. 5", "", "", "extension"},
		{"no number", "call me", "DE", "", "no number that can be in use"},
		{"letters for digits", "+1 800 FLOWERS", "", "", "toll-free"},
		{"far too long", "+49" + strings.Repeat("1", 300), "", "", "no number that can be in use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, reason := checkPhone(c.number, c.region)
			if got != c.want || (c.reason == "") != (reason == "") || !strings.Contains(reason, c.reason) {
				t.Errorf("got %q, %q; want %q, %q", got, reason, c.want, c.reason)
			}
			if c.number != "" && strings.Contains(reason, c.number) {
				t.Error("the reason shows the number")
			}
		})
	}
}

func TestCheckRowsNamesNamesOfTwoRows(t *testing.T) {
	_, err := checkAll([]importRow{
		row(2, "user", "anna", "aliases", "a@x"),
		row(3, "user", "ANNA"),
		row(4, "user", "bob", "aliases", "A@X"),
		row(5, "user", "a@x"),
	})
	var bad *importError
	if !errors.As(err, &bad) || len(bad.problems) != 3 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []string{
		`line 3, column user: "anna" is in line 2 too`,
		`line 4, column aliases: "a@x" is in line 2 too`,
		`line 5, column user: "a@x" is in line 2 too`,
	} {
		if got := bad.problems[i].String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
