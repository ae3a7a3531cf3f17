package twofactor

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// smsSecret are 32 bytes in base64.
const smsSecret = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="

// docsReceiver runs the receiver of docs/webhook.md and returns its address and
// the texts that it was to send.
func docsReceiver(t *testing.T) (string, <-chan string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 is missing: install python3")
		}
		t.Skip("python3 is missing: install python3")
	}
	doc, err := os.ReadFile("docs/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, found := strings.Cut(string(doc), "```python\n")
	script, _, ended := strings.Cut(script, "```")
	if !found || !ended {
		t.Fatal("docs/webhook.md has no receiver")
	}
	file := filepath.Join(t.TempDir(), "receiver.py")
	write(t, file, script)

	address := freePort(t)
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.CommandContext(t.Context(), python, file)
	cmd.Env = append(os.Environ(), "PORT="+port, "SMS_SECRET="+smsSecret)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	texts := make(chan string, 16)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			texts <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, "the receiver listens", func() bool {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return address, texts
}

// webhookSite starts a site whose only sender posts to the receiver.
func webhookSite(t *testing.T, receiver, secret string) *site {
	t.Helper()
	_, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	t.Setenv("UPSTREAM", upstream)
	t.Setenv("SMS_SECRET_OF_THIS_TEST", secret)
	global := fmt.Sprintf("{\n\tadmin off\n\tgrace_period 2s\n\tpersist_config off\n\tauto_https off\n\tlog {\n\t\toutput file %s\n\t\tlevel DEBUG\n\t}\n"+
		"\ttwo_factor {\n\t\tsms prod webhook http://%s/send {\n\t\t\tsecret {env.SMS_SECRET_OF_THIS_TEST}\n\t\t\ttimeout 5s\n\t\t}\n\t}\n}\n", s.log, receiver)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(global+styleFile(t, "classic")), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping caddy: %v", err)
		}
	})
	s.enrol(bob, account.KindPhone)
	return s
}

func TestACodeReachesThePersonThroughTheReceiverOfTheDocs(t *testing.T) {
	address, texts := docsReceiver(t)
	s := webhookSite(t, address, smsSecret)
	c := s.client()
	if r := c.password(bob, bobPassword); r.location() != atChallenge {
		t.Fatalf("the right password gave %d to %q", r.StatusCode, r.location())
	}
	var text struct{ To, Text string }
	select {
	case line := <-texts:
		if err := json.Unmarshal([]byte(line), &text); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("no text came to the receiver; the log:\n%s", s.logged())
	}
	code := codeInText.FindStringSubmatch(text.Text)
	if text.To != "+4915112345642" || code == nil {
		t.Fatalf("the receiver was to send %+v", text)
	}
	if r := c.enter(code[1]); r.location() != "/dashboard" {
		t.Fatalf("the code gave %d to %q", r.StatusCode, r.location())
	}
	for _, secret := range []string{code[1], "15112345642", smsSecret} {
		if strings.Contains(s.logged(), secret) {
			t.Errorf("the log tells %q", secret)
		}
	}
}

func TestAReceiverThatSaysNoIsToldToThePersonAndTheOperator(t *testing.T) {
	address, texts := docsReceiver(t)
	s := webhookSite(t, address, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("other"), 8)))
	c := s.client()
	r := c.follow(c.password(bob, bobPassword))
	mustSay(t, r, 200, "No text message could be sent")
	if len(texts) != 0 {
		t.Errorf("the receiver was to send %s", <-texts)
	}
	eventually(t, "the log says why", func() bool {
		return strings.Contains(s.logged(), "answered 401: it must know the same secret")
	})
	if strings.Contains(s.logged(), "15112345642") {
		t.Error("the log tells the number")
	}
}

func TestTheReceiverOfTheDocsRefusesWhatTheGatewayDidNotSend(t *testing.T) {
	address, texts := docsReceiver(t)
	key, err := base64.StdEncoding.DecodeString(smsSecret)
	if err != nil {
		t.Fatal(err)
	}
	post := func(id string, at time.Time, signed, sent string) int {
		t.Helper()
		seconds := strconv.FormatInt(at.Unix(), 10)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + seconds + "." + signed))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address, strings.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("webhook-id", id)
		req.Header.Set("webhook-timestamp", seconds)
		req.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	const body = `{"id": "one", "to": "+4915112345642", "text": "a text"}`
	for _, c := range []struct {
		name         string
		id           string
		at           time.Time
		signed, sent string
		want         int
	}{
		{"the gateway's", "one", time.Now(), body, body, 204},
		{"the same again", "one", time.Now(), body, body, 204},
		{"another body", "two", time.Now(), body, strings.Replace(body, "42", "43", 1), 401},
		{"one of long ago", "three", time.Now().Add(-6 * time.Minute), body, body, 401},
	} {
		if got := post(c.id, c.at, c.signed, c.sent); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	if line := <-texts; !strings.Contains(line, "a text") {
		t.Errorf("got %q", line)
	}
	if len(texts) != 0 {
		t.Errorf("it was to send another one: %s", <-texts)
	}
}

func TestAWebhookWithoutItsSecretDoesNotStart(t *testing.T) {
	t.Setenv("EMPTY_SECRET", "")
	sms := func(settings string) string {
		return `{"sms": [{"name": "prod", "provider": {"provider": "webhook", ` + settings + `}}]}`
	}
	const address = `"url": "https://sms.example.com/t0ken"`
	for _, c := range []struct{ name, app, want string }{
		{"no secret", sms(address), "the secret is empty; `openssl rand -base64 32` makes one"},
		{"a variable that is not set", sms(address + `, "secret": "{env.NOT_SET_SECRET}"`), "sms webhook: secret: a placeholder in its value stands for nothing"},
		{"an empty variable", sms(address + `, "secret": "{env.EMPTY_SECRET}"`), "sms webhook: secret: a placeholder in its value stands for nothing"},
		{"a file that is not there", sms(address + `, "secret": "{file./no/such/secret}"`), "sms webhook: secret: a placeholder in its value stands for nothing"},
		{"a short secret", sms(address + `, "secret": "c2VjcmV0c2VjcmV0"`), "the secret has 12 bytes"},
		{"no address", sms(`"secret": "` + smsSecret + `"`), "the address is no web address"},
		{"an address for everybody to read", sms(`"url": "http://sms.example.com/t0ken", "secret": "` + smsSecret + `"`), "the address is http"},
		{"an address that is not set", sms(`"url": "{env.NOT_SET_URL}", "secret": "` + smsSecret + `"`), "the address: a placeholder"},
		{"a long time-out", sms(address + `, "secret": "` + smsSecret + `", "timeout": "1m"`), "the timeout must be from 1s to 10s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ownDataDir(t)
			err := validate(t, config(c.app, ""))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			for _, secret := range []string{"c2VjcmV0", smsSecret, "t0ken"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows %q: %v", secret, err)
				}
			}
		})
	}
}

func TestAWebhookTakesItsSecretFromAFileWithALineBreak(t *testing.T) {
	ownDataDir(t)
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, "whsec_"+smsSecret+"\n")
	cfg := `{"sms": [{"name": "prod", "provider": {"provider": "webhook", "url": "https://sms.example.com/", "secret": "{file.` + file + `}"}}]}`
	if err := validate(t, config(cfg, "")); err != nil {
		t.Error(err)
	}
}
