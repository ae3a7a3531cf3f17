package twofactor

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// remembersDevices puts remembered browsers of an account into the store, with
// these numbers in their IDs.
func remembersDevices(t *testing.T, s store.Store, instance, acc string, numbers ...byte) {
	t.Helper()
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for i, n := range numbers {
		ids := beginsPending(t, s, instance, acc)
		d := account.Device{
			ID: account.DeviceID{n, 1, 2, 3, 4}, Instance: instance, Account: acc, Token: account.TokenHash{n, 1},
			Created: now, LastUsed: now.Add(time.Duration(i) * time.Hour), Expires: time.Now().Add(24 * time.Hour).UTC().Truncate(time.Hour),
			ClientIP: "203.0.113.9", UserAgent: "Firefox\x1b[2J",
		}
		ids.Device = &d
		if _, err := s.PassChallenge(t.Context(), ids, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
}

// beginsPending is the right answer to a challenge of an account that has an
// authenticator.
func beginsPending(t *testing.T, s store.Store, instance, acc string) store.Pass {
	t.Helper()
	now := time.Now()
	a, err := s.Account(t.Context(), instance, acc)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(a.Factors, func(f account.Factor) bool { return f.Kind == account.KindTOTP })
	next := account.Session{
		Instance: instance, State: account.StateVerified, Account: acc, User: acc, Created: now, LastSeen: now, IdleFor: time.Hour, Expires: now.Add(time.Hour),
	}
	step := a.Factors[at].LastStep + 1
	next.ID, next.Standing = account.SessionID{1, byte(step), acc[0]}, account.StandingID{1, byte(step), acc[0]}
	pending := next
	pending.ID, pending.Standing, pending.State = account.SessionID{2, byte(step), acc[0]}, account.StandingID{2, byte(step), acc[0]}, account.StatePending
	pending.Challenge = "c" + acc + string(rune('a'+step))
	if err := s.BeginSession(t.Context(), store.Begin{
		Session: pending,
		Challenge: &account.Challenge{
			ID: pending.Challenge, Instance: instance, Account: acc, Purpose: account.PurposeLogin, State: account.ChallengeOpen,
			Session: pending.ID, Factors: []string{a.Factors[at].ID}, Created: now, Expires: now.Add(time.Hour),
		},
		Hold: &account.Hold{Challenge: pending.Challenge, Instance: instance, Sealed: []byte("x"), Expires: now.Add(time.Hour)},
	}, now); err != nil {
		t.Fatal(err)
	}
	return store.Pass{Challenge: pending.Challenge, Session: pending.ID, Factor: a.Factors[at].ID, Step: step, Next: next}
}

// devicesAccounts puts two users with authenticators into a store.
func devicesAccounts(t *testing.T, s store.Store) {
	t.Helper()
	var all []account.Account
	for _, id := range []string{"anna", "bob"} {
		all = append(all, account.Account{Instance: "crm", ID: id, Name: strings.ToUpper(id[:1]) + id[1:], Aliases: []string{id + "@example.com"}, Factors: []account.Factor{
			{ID: "f", Kind: account.KindTOTP, Secret: []byte("x"), TOTP: &plainTOTP},
		}})
	}
	if err := s.PutAccounts(t.Context(), all); err != nil {
		t.Fatal(err)
	}
}

// devicesSay runs the command, which must say what is wanted.
func devicesSay(t *testing.T, wantErr, want string, args ...string) {
	t.Helper()
	out, err := command(t, "", append([]string{"devices"}, args...)...)
	switch {
	case wantErr != "":
		if err == nil || !strings.Contains(err.Error(), wantErr) {
			t.Errorf("devices %v: %v, want an error with %q", args, err, wantErr)
		}
	case err != nil:
		t.Errorf("devices %v: %v", args, err)
	case !strings.Contains(out, want):
		t.Errorf("devices %v says\n%s\nwant\n%s", args, out, want)
	}
}

func TestDevicesAreListedAndForgottenByTheAdminAPI(t *testing.T) {
	dir, address := ownDataDir(t), freePort(t)
	lease := mustLease(t, mustLoad(t, config(`{}`, address)))
	defer lease.Release()
	s := lease.Parts().Store
	devicesAccounts(t, s)
	devicesSay(t, "", "Anna in instance crm: no browser is remembered\n", "anna", "-i", "crm", "--address", address)
	remembersDevices(t, s, "crm", "anna", 0xa1, 0xa2, 0xa3)
	remembersDevices(t, s, "crm", "bob", 0xb1)

	out, err := command(t, "", "devices", "Anna@example.com", "-i", "crm", "--address", address)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err != nil || len(lines) != 4 || !strings.HasPrefix(lines[0], "ID") || !strings.HasPrefix(lines[1], "a3010203  2026-05-04 09:00Z  2026-05-04 11:00Z  ") ||
		!strings.HasSuffix(lines[1], "203.0.113.9  Firefox?[2J") || !strings.HasPrefix(lines[3], "a1010203") {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err = command(t, "", "devices", "anna", "-i", "crm", "--json", "--address", address)
	var list deviceList
	if err != nil || json.Unmarshal([]byte(out), &list) != nil || list.User != "Anna" || len(list.Devices) != 3 || list.Devices[0].ID != "a3010203" ||
		strings.Contains(out, strings.Repeat("0", 20)) {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, args := range [][]string{
		{"anna", "-i", "crm", "--forget", "a1010203,b1010203"}, {"anna", "-i", "crm", "--forget", "a1"},
	} {
		devicesSay(t, "no browser was forgotten", "", append(args, "--address", address)...)
	}
	devicesSay(t, "want the IDs", "", "anna", "-i", "crm", "--forget", "", "--address", address)
	devicesSay(t, "there is no account", "", "dora", "-i", "crm", "--address", address)
	devicesSay(t, "there is no account", "", "anna", "--address", address)
	devicesSay(t, "were all set", "", "anna", "-i", "crm", "--forget", "a1010203", "--forget-all", "--address", address)
	devicesSay(t, "", "Anna in instance crm: 2 remembered browsers forgotten\n", "anna", "-i", "crm", "--forget", "a1010203", "--forget", "A2010203", "--address", address)
	devicesSay(t, "", "Anna in instance crm: 1 remembered browser forgotten\n", "anna", "-i", "crm", "--forget-all", "--address", address)
	devicesSay(t, "", "Anna in instance crm: no browser was remembered\n", "anna", "-i", "crm", "--forget-all", "--address", address)
	if list, err := s.Devices(t.Context(), "crm", "bob", time.Now()); err != nil || len(list) != 1 {
		t.Errorf("bob has %v, %v", list, err)
	}

	if err := activeApp(t).shared.events.flush(auditPatience); err != nil {
		t.Fatal(err)
	}
	var acts, gone []string
	for _, e := range auditLines(t, filepath.Join(dir, auditName)) {
		switch e.Event {
		case handler.OperatorActed:
			acts = append(acts, strings.Join([]string{string(e.Result), e.Instance, e.User, e.ClientIP, e.Detail}, " "))
		case handler.TokenRevoked:
			gone = append(gone, e.Instance+" "+e.Account+" "+e.Detail)
		}
	}
	if want := []string{
		"devices_listed crm Anna 127.0.0.1 admin API", "devices_listed crm Anna 127.0.0.1 admin API", "devices_listed crm Anna 127.0.0.1 admin API",
		"devices_forgotten crm Anna 127.0.0.1 admin API: 2 forgotten", "devices_forgotten crm Anna 127.0.0.1 admin API: 1 forgotten", "devices_forgotten crm Anna 127.0.0.1 admin API: 0 forgotten",
	}; !slices.Equal(acts, want) {
		t.Errorf("the audit log tells of %q, want %q", acts, want)
	}
	if want := []string{"crm anna a2010203", "crm anna a1010203", "crm anna a3010203"}; !slices.Equal(gone, want) {
		t.Errorf("the audit log tells of the devices %q, want %q", gone, want)
	}
}

func TestDevicesAndRevokeWorkOnTheStoreOfAStoppedCaddy(t *testing.T) {
	dir := ownDataDir(t)
	lease := mustLease(t, mustLoad(t, config(`{}`, "")))
	devicesAccounts(t, lease.Parts().Store)
	remembersDevices(t, lease.Parts().Store, "crm", "anna", 0xa1, 0xa2)
	lease.Release()
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "store.db")
	devicesSay(t, "", "a2010203  2026-05-04", "anna", "-i", "crm", "--store", file)
	devicesSay(t, "no browser was forgotten", "", "anna", "-i", "crm", "--forget", "ffffffff", "--store", file)
	devicesSay(t, "", "Anna in instance crm: 1 remembered browser forgotten\n", "anna", "-i", "crm", "--forget", "a2010203", "--store", file)
	out, err := command(t, "", "revoke", "anna", "bob", "-i", "crm", "--store", file)
	if want := "Anna in instance crm: 2 sessions ended, 1 remembered browser forgotten\nBob in instance crm: there was no session\n"; err != nil || out != want {
		t.Fatalf("%v, %q, want %q", err, out, want)
	}
	var told []string
	for _, e := range auditLines(t, filepath.Join(dir, auditName)) {
		if e.Event == handler.TokenRevoked || e.Event == handler.OperatorActed {
			told = append(told, string(e.Event)+" "+e.Detail)
		}
	}
	want := []string{
		"authz_admin command", "authz_admin command: 1 forgotten", "authn_token_revoked a2010203",
		"authz_admin command: 2 ended, 1 remembered browser forgotten", "authn_token_revoked a1010203", "authz_admin command: 0 ended",
	}
	if !slices.Equal(told, want) {
		t.Errorf("the audit log tells of %q, want %q", told, want)
	}
	devicesSay(t, "", "no browser is remembered", "anna", "-i", "crm", "--store", file)
}

func TestTheAdminAPIForgetsDevicesForNobodyButTheOperator(t *testing.T) {
	ownDataDir(t)
	address := freePort(t)
	lease := mustLease(t, mustLoad(t, config(`{}`, address)))
	defer lease.Release()
	s := lease.Parts().Store
	devicesAccounts(t, s)
	remembersDevices(t, s, "crm", "anna", 0xa1)
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	const asJSON, all = "application/json", `{"user": "anna", "all": true}`
	for _, c := range []struct {
		name, method, query, kind, body string
		host                            string
		want                            int
		says                            string
	}{
		{"another method", "DELETE", "", asJSON, all, "", 405, "by GET"},
		{"a form, which a web page can send", "POST", "", "application/x-www-form-urlencoded", all, "", 415, "application/json"},
		{"plain text, which a web page can send", "POST", "", "text/plain", all, "", 415, "application/json"},
		{"by another name of this machine", "POST", "", asJSON, all, "evil.example", 403, "host not allowed"},
		{"no JSON", "POST", "", asJSON, "anna", "", 400, "want a JSON object"},
		{"another member", "POST", "", asJSON, `{"user": "anna", "all": true, "instance": "x"}`, "", 400, "unknown field"},
		{"two objects", "POST", "", asJSON, all + all, "", 400, "nothing after it"},
		{"too much", "POST", "", asJSON, `{"user": "` + strings.Repeat("a", maxDevicesBytes) + `"}`, "", 400, "16 KiB"},
		{"neither IDs nor all", "POST", "", asJSON, `{"user": "anna"}`, "", 400, "want the IDs"},
		{"both", "POST", "", asJSON, `{"user": "anna", "forget": ["a1010203"], "all": true}`, "", 400, "want the IDs"},
		{"too many", "POST", "", asJSON, `{"user": "anna", "forget": [` + strings.Repeat(`"a1010203",`, 20) + `"a1010203"]}`, "", 400, "1 to 20"},
		{"nobody", "POST", "", asJSON, `{"all": true}`, "", 400, "cannot be the name"},
		{"a list of nobody", "GET", "", "", "", "", 400, "cannot be the name"},
		{"no instance", "GET", "?instance=A%20B&user=anna", "", "", "", 400, "is not 1 to 32"},
		{"another instance", "GET", "?instance=shop&user=anna", "", "", "", 404, "in instance shop"},
		{"a stranger", "POST", "?instance=crm", asJSON, `{"user": "dora", "all": true}`, "", 404, "no account"},
		{"another device", "POST", "?instance=crm", asJSON, `{"user": "anna", "forget": ["a1010203", "a2010203"]}`, "", 404, "no browser was forgotten"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+address+adminDevices+c.query, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", c.kind)
			r.Host = c.host
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			text, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != c.want || !strings.Contains(string(text), c.says) {
				t.Errorf("got %d %s, want %d with %q", answer.StatusCode, text, c.want, c.says)
			}
		})
	}
	if list, err := s.Devices(t.Context(), "crm", "anna", time.Now()); err != nil || len(list) != 1 {
		t.Errorf("the devices are %v, %v", list, err)
	}
}

func TestInvariant09AStoreThatFailsForDevicesIsToldToTheOperator(t *testing.T) {
	ownDataDir(t)
	lease := mustLease(t, mustLoad(t, config(`{}`, "")))
	s := lease.Parts().Store
	devicesAccounts(t, s)
	lease.Release()
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	k := deviceKeeper{store: s, instance: "crm", now: time.Now()}
	if _, err := k.list(t.Context(), "anna"); err == nil || !strings.Contains(err.Error(), "looking for the browsers") {
		t.Errorf("listing gave %v", err)
	}
	if _, err := k.forget(t.Context(), devicesRequest{User: "anna", All: true}); err == nil {
		t.Error("forgetting gave no error")
	}
}
