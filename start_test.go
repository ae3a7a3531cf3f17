package twofactor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

func TestStartingWithoutAccountsWarnsAndNamesTheCommand(t *testing.T) {
	const refused = "every right password will be refused; write your users to a file and import them with: "
	_, upstream := newLedger(t)
	t.Run("enforcing", func(t *testing.T) {
		s := newSite(t)
		s.start(ledgerSite("crm", ""), upstream)
		if log := s.twoFactorLog(); !strings.Contains(log, refused+commandHere("import users.csv", "crm")) {
			t.Errorf("the log does not name the command:\n%s", log)
		}
		s.enrol(alice, account.KindTOTP) // in the instance named default
		s.turn(ledgerSite("default", ""))
		if n := strings.Count(s.twoFactorLog(), refused); n != 1 {
			t.Errorf("the log warns %d times, want once", n)
		}
	})
	t.Run("enforcing and letting everybody in", func(t *testing.T) {
		s := newSite(t)
		s.start(ledgerSite("", whoProof, "unknown_user allow"), upstream)
		if log := s.twoFactorLog(); !strings.Contains(log, "nobody will be asked for a second factor; write") {
			t.Errorf("the log does not warn:\n%s", log)
		}
	})
	t.Run("observing", func(t *testing.T) {
		s := newSite(t)
		s.start(observing(ledgerConfig()), upstream)
		log := s.twoFactorLog()
		if strings.Contains(log, refused) || !strings.Contains(log, "mode observe: this instance only watches") {
			t.Errorf("the log says:\n%s", log)
		}
	})
}

func TestTheCommandIsNamedAsItIsToBeTyped(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, folder, instance, want string
		started                      []string
	}{
		{"by Debian's service", other, "default", "/usr/bin/caddy two-factor import users.csv --config /etc/caddy/Caddyfile",
			[]string{"/usr/bin/caddy", "run", "--environ", "--config", "/etc/caddy/Caddyfile"}},
		{"in a folder with a Caddyfile", dir, "crm", "caddy two-factor import users.csv --instance crm --config " + dir + "/Caddyfile",
			[]string{"caddy", "run"}},
		{"by a relative program and config", dir, "crm", dir + "/bin/caddy two-factor import users.csv --instance crm --config " + dir + "/my.conf --adapter caddyfile",
			[]string{"bin/caddy", "run", "--config=my.conf", "--adapter", "caddyfile"}},
		{"with a blank in a name", dir, "default", "caddy two-factor import users.csv --config '" + dir + `/it'\''s mine'`,
			[]string{"caddy", "run", "-c", "it's mine"}},
		{"without a config", other, "default", "caddy two-factor import users.csv", []string{"caddy", "run"}},
		{"in another program", other, "default", "caddy two-factor import users.csv", []string{"/tmp/twofactor.test", "-test.v"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := commandLine(c.started, c.folder, "import users.csv", c.instance); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
