package twofactor

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
)

// spellings are the forms in which bytes could be told.
func spellings(b []byte) []string {
	list := []string{hex.EncodeToString(b), base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b), challenge.FormatTOTPSecret(b)}
	if numbers, err := json.Marshal(slices.Collect(func(yield func(int) bool) {
		for _, x := range b {
			if !yield(int(x)) {
				return
			}
		}
	})); err == nil {
		list = append(list, strings.Trim(string(numbers), "[]"))
	}
	return list
}

// TestRule29NoCommandOfAnOperatorTellsWhatOpensAnything: whatever is asked of an
// account with every field set, neither the answers nor the audit log have a seed, a
// hash, a token or, but for the export, a whole number.
func TestRule29NoCommandOfAnOperatorTellsWhatOpensAnything(t *testing.T) {
	eachPlace(t, func(t *testing.T, o *operators) {
		const seed = "12345678901234567890"
		numbers := []string{"15123456789", "15198765432"}
		secrets := append([]string{seed, string([]byte("salt of the recovery codes"))}, spellings([]byte(seed))...)
		for _, b := range [][]byte{[]byte("salt of the recovery codes"), hash(1), hash(2), hash(9, 8, 7), hash(7, 8, 9)} {
			secrets = append(secrets, spellings(b)...)
		}
		day := time.Now().AddDate(0, 0, 3).Format(time.DateOnly)
		for _, args := range [][]string{
			{"accounts"}, {"accounts", "show", "anna"}, {"accounts", "search", "anna"}, {"accounts", "aliases", "anna", "--add", "x.y"},
			{"accounts", "set", "anna", "--language", "fr"}, {"demand", "anna"}, {"demand"}, {"allow-off", "anna"}, {"exempt", "anna", "--until", day, "--why", "x"},
			{"devices", "bob"}, {"sessions", "anna"}, {"export-data", "anna"}, {"unlock", "anna"}, {"suspend", "anna", "--why", "x"}, {"activate", "anna"},
			{"invite", "carla"}, {"reset", "anna", "--factor", "phone"}, {"reset", "anna"}, {"invite", "anna"}, {"erase", "anna", "--yes"},
		} {
			for _, more := range [][]string{nil, {"--json"}} {
				out, err := o.run(append(args, more...)...)
				if err != nil && more == nil {
					t.Errorf("%v: %v", args, err)
				}
				told := out
				if err != nil {
					told += err.Error()
				}
				for _, s := range secrets {
					if strings.Contains(told, s) {
						t.Errorf("%v %v tells %q", args, more, s)
					}
				}
				for _, n := range numbers {
					if strings.Contains(told, n) && args[0] != "export-data" {
						t.Errorf("%v %v tells the number %s", args, more, n)
					}
				}
			}
		}
		o.audited() // writes it
		log := string(readFile(t, filepath.Join(o.dir, auditName)))
		for _, s := range append(secrets, numbers...) {
			if strings.Contains(log, s) {
				t.Errorf("the audit log tells %q", s)
			}
		}
		if invitation.MatchString(log) {
			t.Error("the audit log tells the code of an invitation")
		}
	})
}

// hash is one of 32 bytes that begins with these.
func hash(begin ...byte) []byte { return append(begin, make([]byte, 32-len(begin))...) }

func TestTheAdminAPIDoesAnOperatorsActsForNobodyElse(t *testing.T) {
	ownDataDir(t)
	address := freePort(t)
	lease := mustLease(t, mustLoad(t, config(`{}`, address)))
	defer lease.Release()
	was := account.Account{Instance: defaultName, ID: "anna", Name: "anna", Factors: []account.Factor{{ID: "f", Kind: account.KindTOTP, Secret: []byte("x"), TOTP: &plainTOTP}}}
	if err := lease.Parts().Store.PutAccounts(t.Context(), []account.Account{was}); err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	const asJSON = "application/json"
	good := map[string]string{
		actSuspend: `{"user": "anna", "why": "x"}`, actSearch: `{"text": "anna"}`, actDemand: `{"user": "anna"}`, actSet: `{"user": "anna", "mail": "a@example.com"}`,
		actExempt: `{"user": "anna", "until": "2026-12-24T00:00:00Z", "why": "x"}`, actInvite: `{"user": "anna", "for": "1h"}`, actAdd: `{"user": "bob"}`,
	}
	for name := range acts() {
		body, ok := good[name]
		if !ok {
			body = `{"user": "anna"}`
		}
		for _, c := range []struct {
			name, method, query, kind, body, host string
			want                                  int
			says                                  string
		}{
			{"by GET", "GET", "", asJSON, body, "", 405, "by POST"},
			{"by DELETE", "DELETE", "", asJSON, body, "", 405, "by POST"},
			{"a form, which a web page can send", "POST", "", "application/x-www-form-urlencoded", body, "", 415, asJSON},
			{"plain text, which a web page can send", "POST", "", "text/plain", body, "", 415, asJSON},
			{"no type", "POST", "", "", body, "", 415, asJSON},
			{"by another name of this machine", "POST", "", asJSON, body, "evil.example", 403, "host not allowed"},
			{"no JSON", "POST", "", asJSON, "anna", "", 400, "want a JSON object"},
			{"a list", "POST", "", asJSON, `["anna"]`, "", 400, "want a JSON object"},
			{"another member", "POST", "", asJSON, strings.Replace(body, "{", `{"instance": "crm", `, 1), "", 400, "unknown field"},
			{"two objects", "POST", "", asJSON, body + body, "", 400, "nothing after it"},
			{"too much", "POST", "", asJSON, `{"user": "` + strings.Repeat("a", maxActBytes) + `"}`, "", 400, ""},
			{"no instance", "POST", "?instance=A%20B", asJSON, body, "", 400, "is not 1 to 32"},
		} {
			r, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+address+adminActsPath+name+c.query, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", c.kind)
			r.Host = c.host
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if err != nil || answer.StatusCode != c.want || !strings.Contains(string(text), c.says) {
				t.Errorf("%s %s: got %d %s, want %d with %q", name, c.name, answer.StatusCode, text, c.want, c.says)
			}
		}
	}
	is, err := lease.Parts().Store.Account(t.Context(), defaultName, "anna")
	if err != nil || !is.Updated.IsZero() || len(is.Factors) != 1 {
		t.Errorf("the account is %+v, %v", is, err)
	}
	if _, err := lease.Parts().Store.Account(t.Context(), defaultName, "bob"); err == nil {
		t.Error("an account was made")
	}
}

func TestEveryCommandHasAnExampleAndItsFlagsInItsUse(t *testing.T) {
	cmd := &cobra.Command{Use: "two-factor"}
	setUpCommand(cmd)
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			path := strings.TrimPrefix(sub.CommandPath(), "two-factor ")
			if !strings.Contains(sub.Example, "caddy two-factor "+path) {
				t.Errorf("%s has the example %q", path, sub.Example)
			}
			out, err := command(t, "", append(strings.Fields(path), "--help")...)
			if err != nil || !strings.Contains(out, "Examples:") || !strings.Contains(out, sub.Short) && sub.Long == "" {
				t.Errorf("%s --help: %v\n%s", path, err, out)
			}
			walk(sub)
		}
	}
	walk(cmd)
}
