package twofactor

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// accountsReport is what `caddy two-factor accounts` shows: the accounts, and
// what `mode observe` has seen.
type accountsReport struct {
	Accounts []accountView `json:"accounts"`
	// Without are users who were seen logging in and have no account.
	Without []seenUser   `json:"seen_without_account"`
	Cookies []seenCookie `json:"cookies_to_be_sealed"`
	// Logins are those that were not recognised.
	Logins []seenLogin `json:"logins_not_recognised"`
	// Full are the lists that have no room left, by instance.
	Full []string `json:"full,omitempty"`
}

// seenTimes is how often something was seen, and when.
type seenTimes struct {
	Count int64     `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

type seenUser struct {
	Instance string `json:"instance"`
	User     string `json:"user"`
	seenTimes
}

// seenCookie is a cookie of the app that enforcing would seal, or take off.
type seenCookie struct {
	Instance string `json:"instance"`
	Name     string `json:"name"`
	// HTTPOnly says that no script can read it.
	HTTPOnly bool `json:"http_only"`
	// SetByApp is false for one that browsers have sent and the app was not
	// seen to set.
	SetByApp bool `json:"set_by_app"`
	// OnlyAtLogin says that only answers to right passwords have set it.
	OnlyAtLogin bool      `json:"only_at_login"`
	Last        time.Time `json:"last"`
}

// candidate says what the cookie may have to be declared as.
func (c *seenCookie) candidate() string {
	switch {
	case c.OnlyAtLogin && c.HTTPOnly:
		return "credential cookie"
	case c.OnlyAtLogin:
		return "credential cookie, or readable"
	case !c.SetByApp:
		return "readable, if a script sets it"
	case !c.HTTPOnly:
		return "readable, if a script reads it"
	}
	return "-"
}

type seenLogin struct {
	Instance string `json:"instance"`
	// Login is method, path and status.
	Login string `json:"login"`
	Why   string `json:"why"`
	seenTimes
}

// newReport puts accounts and what was seen together.
func newReport(accounts []accountView, seen []store.Seen) accountsReport {
	r := accountsReport{Accounts: accounts, Without: []seenUser{}, Cookies: []seenCookie{}, Logins: []seenLogin{}}
	owner := make(map[[2]string]int, len(accounts))
	for i, a := range accounts {
		owner[[2]string{a.Instance, account.Fold(a.User)}] = i
		for _, alias := range a.Aliases {
			owner[[2]string{a.Instance, alias}] = i
		}
	}
	setByApp := make(map[[2]string]bool)
	counts := make(map[[2]string]int)
	for _, s := range seen {
		counts[[2]string{s.Instance, string(s.Kind)}]++
		if counts[[2]string{s.Instance, string(s.Kind)}] == s.Kind.Max() {
			r.Full = append(r.Full, fmt.Sprintf("%s: %s", s.Instance, fullWords[s.Kind]))
		}
		if s.Kind == store.SeenCookie {
			setByApp[[2]string{s.Instance, s.Key}] = true
		}
	}
	for _, s := range seen {
		times := seenTimes{Count: s.Count, First: s.First.UTC(), Last: s.Last.UTC()}
		switch s.Kind {
		case store.SeenUser:
			if i, ok := owner[[2]string{s.Instance, s.Key}]; ok {
				accounts[i].addSeen(times)
				continue
			}
			r.Without = append(r.Without, seenUser{s.Instance, s.Detail, times})
		case store.SeenCookie:
			r.Cookies = append(r.Cookies, seenCookie{
				Instance: s.Instance, Name: s.Key, SetByApp: true, Last: times.Last,
				HTTPOnly:    s.Marks&store.SeenOpen == 0,
				OnlyAtLogin: s.Marks&store.SeenAtYes != 0 && s.Marks&store.SeenElsewhere == 0,
			})
		case store.SeenSent:
			if !setByApp[[2]string{s.Instance, s.Key}] {
				r.Cookies = append(r.Cookies, seenCookie{Instance: s.Instance, Name: s.Key, Last: times.Last})
			}
		case store.SeenUnrecognised:
			r.Logins = append(r.Logins, seenLogin{s.Instance, s.Key, s.Detail, times})
		}
	}
	slices.Sort(r.Full)
	return r
}

// addSeen adds what was seen of one of the account's names.
func (v *accountView) addSeen(t seenTimes) {
	if v.Seen == nil {
		v.Seen = &t
		return
	}
	v.Seen.Count += t.Count
	if t.First.Before(v.Seen.First) {
		v.Seen.First = t.First
	}
	if t.Last.After(v.Seen.Last) {
		v.Seen.Last = t.Last
	}
}

// fullWords say which list is full.
var fullWords = map[store.SeenKind]string{
	store.SeenUser:         "the names of users",
	store.SeenCookie:       "the cookies of the app",
	store.SeenSent:         "the cookies that browsers sent",
	store.SeenUnrecognised: "the logins that were not recognised",
}

// write writes tables for people.
func (r *accountsReport) write(w io.Writer) error {
	if err := writeAccounts(w, r.Accounts); err != nil {
		return err
	}
	without := make([][]string, 0, len(r.Without))
	for _, u := range r.Without {
		without = append(without, []string{u.Instance, u.User, u.words()})
	}
	cookies := make([][]string, 0, len(r.Cookies))
	for _, c := range r.Cookies {
		by, scripts, login := "the app", yesNo(!c.HTTPOnly), yesNo(c.OnlyAtLogin)
		if !c.SetByApp {
			by, scripts, login = "-", "-", "-"
		}
		cookies = append(cookies, []string{c.Instance, c.Name, by, scripts, login, c.candidate()})
	}
	logins := make([][]string, 0, len(r.Logins))
	for _, l := range r.Logins {
		logins = append(logins, []string{l.Instance, l.Login, l.words(), l.Why})
	}
	for _, section := range []struct {
		title string
		head  []string
		rows  [][]string
	}{
		{"Seen logging in without an account:", []string{"INSTANCE", "USER", "SEEN"}, without},
		{"Cookies that would be sealed:", []string{"INSTANCE", "COOKIE", "SET BY", "FOR SCRIPTS", "ONLY AT LOGIN", "CANDIDATE FOR"}, cookies},
		{"Logins that were not recognised:", []string{"INSTANCE", "LOGIN", "SEEN", "WHY"}, logins},
	} {
		if err := writeSection(w, section.title, section.head, section.rows); err != nil {
			return err
		}
	}
	for _, full := range r.Full {
		if _, err := fmt.Fprintf(w, "\nNo more room in instance %s; what came later is left out.\n", plain(full)); err != nil {
			return err
		}
	}
	return nil
}

func writeSection(w io.Writer, title string, head []string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(w, "\n%s\n", title); err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(head, "\t"))
	for _, row := range rows {
		for i := range row {
			row[i] = plain(row[i])
		}
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

// words say how often and when last.
func (t *seenTimes) words() string {
	if t == nil {
		return "-"
	}
	return fmt.Sprintf("%d, last %s", t.Count, t.Last.Format(time.RFC3339))
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
