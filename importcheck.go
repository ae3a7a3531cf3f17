package twofactor

import (
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
)

// Limits of one imported account.
const (
	maxImportAliases = 16
	maxImportMail    = 254
	maxImportGroup   = 128
	maxLanguage      = 35 // of characters, RFC 5646, section 4.4.1
)

// importAccount is a row that was checked by itself. A nil field is one that
// the file does not speak of: what the account has stays.
type importAccount struct {
	line    int
	id      string
	name    string
	aliases *[]string
	phone   *string
	mail    *string
	group   *string
	team    *string
	owner   *bool
	// language is a BCP 47 tag in its usual form.
	language *string
	totp     *importTOTP
	// bad says that something is wrong with the row.
	bad bool
}

// importTOTP is an authenticator of an import; one without a secret means that
// the account shall have none.
type importTOTP struct {
	secret []byte
	weak   bool
	params account.TOTP
}

// checkRows checks every row by itself and all of them against each other, and
// notes what is wrong. Region is where numbers without a country code are read;
// empty for nowhere.
func checkRows(rows []importRow, region string, bad *importError) []importAccount {
	names := make(map[string]int, len(rows))
	list := make([]importAccount, 0, len(rows))
	for _, row := range rows {
		if bad.isFull() {
			break
		}
		before := len(bad.problems)
		a := checkRow(bad, row, region)
		if a.id != "" {
			checkNames(bad, names, a)
		}
		a.bad = len(bad.problems) > before
		list = append(list, a)
	}
	return list
}

func checkRow(bad *importError, row importRow, region string) importAccount {
	a := importAccount{line: row.line}
	fail := func(column, format string, args ...any) { bad.add(row.line, column, format, args...) }

	a.name, _ = row.get(columnUser)
	a.id = account.Fold(a.name)
	if a.id == "" {
		fail(columnUser, "want a user name of 1 to %d bytes without control characters", account.MaxName)
	}
	if v, ok := row.get(columnAliases); ok {
		a.aliases = checkAliases(fail, a.id, v)
	}
	if v, ok := row.get(columnPhone); ok {
		number, reason := checkPhone(v, region)
		if reason != "" {
			fail(columnPhone, "%s", reason)
		}
		a.phone = &number
	}
	if v, ok := row.get(columnMail); ok {
		if !isMail(v) {
			fail(columnMail, "want one address such as anna@example.com")
		}
		a.mail = &v
	}
	for column, field := range map[string]**string{columnGroup: &a.group, columnTeam: &a.team} {
		if v, ok := row.get(column); ok {
			if !isGroupName(v) {
				fail(column, "want at most %d bytes of text without control characters", maxImportGroup)
			}
			*field = &v
		}
	}
	checkMember(fail, &a, row)
	a.totp = checkTOTP(fail, row)
	return a
}

// isGroupName reports whether a group or a team may be called so.
func isGroupName(s string) bool {
	return len(s) <= maxImportGroup && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// checkMember reads whether the user is the owner of the team, and the language.
func checkMember(fail func(column, format string, args ...any), a *importAccount, row importRow) {
	if v, ok := row.get(columnOwner); ok {
		owner, known := ownerWords[strings.ToLower(v)]
		if !known {
			fail(columnOwner, "want yes or no")
		}
		a.owner = &owner
	}
	if v, ok := row.get(columnLanguage); ok {
		tag, err := language.Parse(v)
		if v != "" && (err != nil || len(v) > maxLanguage) {
			fail(columnLanguage, "want a language tag such as de or pt-BR")
		} else if v != "" {
			v = tag.String()
		}
		a.language = &v
	}
}

// ownerWords are what may stand in the column owner.
var ownerWords = map[string]bool{"yes": true, "true": true, "1": true, "no": false, "false": false, "0": false, "": false}

// checkNames notes a name that another row has too.
func checkNames(bad *importError, names map[string]int, a importAccount) {
	take := func(name, column string) {
		if line, taken := names[name]; taken {
			bad.add(a.line, column, "%s is in line %d too", clip(name), line)
			return
		}
		names[name] = a.line
	}
	take(a.id, columnUser)
	if a.aliases == nil {
		return
	}
	for _, alias := range *a.aliases {
		take(alias, columnAliases)
	}
}

func checkAliases(fail func(column, format string, args ...any), id, cell string) *[]string {
	aliases := []string{}
	for _, word := range strings.FieldsFunc(cell, func(r rune) bool { return r == ';' || unicode.IsSpace(r) }) {
		alias := account.Fold(word)
		switch {
		case alias == "":
			fail(columnAliases, "want names of 1 to %d bytes without control characters, separated by ; or a blank", account.MaxName)
		case alias == id || slices.Contains(aliases, alias):
			// Once is enough, and the name itself needs no alias.
		case len(aliases) == maxImportAliases:
			fail(columnAliases, "want at most %d", maxImportAliases)
			return &aliases
		default:
			aliases = append(aliases, alias)
		}
	}
	return &aliases
}

// checkPhone returns the number in E.164 form, empty for an empty cell, or the
// reason why no code can be sent there (security.md, rule 10).
func checkPhone(cell, region string) (number, reason string) {
	if cell == "" {
		return "", ""
	}
	if region == "" && !strings.HasPrefix(cell, "+") {
		return "", "want the international form, such as +4915123456789, or a region for numbers without it (--region DE)"
	}
	parsed, err := phonenumbers.Parse(cell, region)
	if err != nil || !phonenumbers.IsValidNumber(parsed) {
		return "", "is no number that can be in use: want one such as +4915123456789"
	}
	if parsed.GetExtension() != "" {
		return "", "has an extension: a text cannot be sent there"
	}
	// Satellite networks and other codes of no country: their numbers count as
	// mobile ones.
	if phonenumbers.GetRegionCodeForNumber(parsed) == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
		return "", "is a satellite phone's or belongs to no country: want a mobile number"
	}
	if refused, ok := refusedTypes[phonenumbers.GetNumberType(parsed)]; ok {
		return "", refused
	}
	return phonenumbers.Format(parsed, phonenumbers.E164), ""
}

// isRegion reports whether numbers can be read as those of this region.
func isRegion(region string) bool {
	return phonenumbers.GetSupportedRegions()[region]
}

// refusedTypes are the types of numbers that take no texts, or at whose cost
// somebody earns. Mobile numbers are left, and those of countries where fixed
// and mobile ones look the same.
var refusedTypes = map[phonenumbers.PhoneNumberType]string{
	phonenumbers.FIXED_LINE:      "is a fixed line: want a mobile number",
	phonenumbers.TOLL_FREE:       "is a toll-free number: want a mobile number",
	phonenumbers.PREMIUM_RATE:    "is a premium number: want a mobile number",
	phonenumbers.SHARED_COST:     "is a shared-cost number: want a mobile number",
	phonenumbers.VOIP:            "is an internet telephony number: want a mobile number",
	phonenumbers.PERSONAL_NUMBER: "is a personal number that leads elsewhere: want a mobile number",
	phonenumbers.PAGER:           "is a pager: want a mobile number",
	phonenumbers.UAN:             "is a company's universal number: want a mobile number",
	phonenumbers.VOICEMAIL:       "is a voice mailbox: want a mobile number",
	phonenumbers.UNKNOWN:         "is of an unknown type: want a mobile number",
}

func isMail(s string) bool {
	if s == "" {
		return true
	}
	if len(s) > maxImportMail {
		return false
	}
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s && address.Name == ""
}

// checkTOTP reads the columns of an authenticator; nil if the file has none.
func checkTOTP(fail func(column, format string, args ...any), row importRow) *importTOTP {
	cell, ok := row.get(columnSecret)
	t := &importTOTP{params: account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30}}
	if v, _ := row.get(columnAlgorithm); v != "" {
		v = strings.ReplaceAll(strings.ToUpper(v), "-", "")
		if v != "SHA1" && v != "SHA256" {
			fail(columnAlgorithm, "want SHA1 or SHA256")
		}
		t.params.Algorithm = v
	}
	if v, _ := row.get(columnDigits); v != "" {
		n, _ := strconv.Atoi(v)
		if n != 6 && n != 8 {
			fail(columnDigits, "want 6 or 8")
		}
		t.params.Digits = n
	}
	if v, _ := row.get(columnPeriod); v != "" {
		n, _ := strconv.Atoi(v)
		if n != 15 && n != 30 && n != 60 {
			fail(columnPeriod, "want 15, 30 or 60 seconds")
		}
		t.params.Period = n
	}
	if !ok || cell == "" {
		for _, column := range []string{columnAlgorithm, columnDigits, columnPeriod} {
			if v, _ := row.get(column); v != "" {
				fail(column, "is given without a totp_secret")
			}
		}
	}
	if !ok {
		return nil
	}
	if cell == "" {
		return t
	}
	var err error
	if t.secret, t.weak, err = challenge.ParseTOTPSecret(cell); err != nil {
		fail(columnSecret, "%v", err)
	}
	return t
}
