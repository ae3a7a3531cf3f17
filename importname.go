package twofactor

import "strings"

// otherWords are what the columns of an import are called elsewhere.
var otherWords = map[string]string{
	"username": columnUser, "user_name": columnUser, "login": columnUser, "name": columnUser, "account": columnUser, "benutzer": columnUser,
	"alias": columnAliases, "names": columnAliases,
	"telephone": columnPhone, "tel": columnPhone, "mobile": columnPhone, "cell": columnPhone, "number": columnPhone, "telefon": columnPhone, "handy": columnPhone,
	"email": columnMail, "e-mail": columnMail, "e_mail": columnMail, "mail_address": columnMail,
	"department": columnGroup, "role": columnGroup, "gruppe": columnGroup,
	"company": columnTeam, "customer": columnTeam, "tenant": columnTeam, "organisation": columnTeam, "organization": columnTeam, "firma": columnTeam,
	"lang": columnLanguage, "locale": columnLanguage, "sprache": columnLanguage,
	"totp": columnSecret, "secret": columnSecret, "seed": columnSecret, "otp_secret": columnSecret,
	"algorithm": columnAlgorithm, "digits": columnDigits, "period": columnPeriod,
}

// didYouMean says which column an unknown name is likely to be, without
// repeating it; empty if it is like none.
func didYouMean(name string) string {
	name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "_")
	if column, ok := otherWords[name]; ok {
		return ", did you mean " + column + "?"
	}
	nearest, least := "", 3
	for _, column := range importColumns {
		// A short name is like every other.
		if d := distance(name, column); d < least && 2*d < len(column) {
			nearest, least = column, d
		}
	}
	if nearest == "" {
		return ""
	}
	return ", did you mean " + nearest + "?"
}

// distance is how many letters must be put in, taken out or changed to make one
// word the other (Levenshtein); words of more than 40 bytes are far from all.
func distance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
