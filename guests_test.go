package twofactor

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func TestGuestsReadTheirPartOfTheCaddyfile(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		into             caddyfile.Unmarshaler
	}{
		{"a file at its default place", "file", `{}`, new(FileStore)},
		{"a file elsewhere", "file /srv/store.db", `{"path":"/srv/store.db"}`, new(FileStore)},
		{"an inbox at its default place", "inbox", `{}`, new(InboxSender)},
		{"an inbox elsewhere", "inbox {\n\tlisten 127.0.0.1:9000\n}", `{"listen":"127.0.0.1:9000"}`, new(InboxSender)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.into.UnmarshalCaddyfile(caddyfile.NewTestDispenser(c.text)); err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(c.into)
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}

func TestGuestsRefuseWhatTheyDoNotKnow(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		into             caddyfile.Unmarshaler
	}{
		{"two files", "file a b", "wrong argument count", new(FileStore)},
		{"a block of a file", "file a {\n\tsize 3\n}", "unrecognized subdirective of store file: size", new(FileStore)},
		{"an argument of an inbox", "inbox 127.0.0.1:9000", "wrong argument count", new(InboxSender)},
		{"an unknown word of an inbox", "inbox {\n\tport 9000\n}", "unrecognized subdirective of sms inbox: port", new(InboxSender)},
		{"two addresses", "inbox {\n\tlisten 127.0.0.1:1\n\tlisten 127.0.0.1:2\n}", "listen: already specified", new(InboxSender)},
		{"no address", "inbox {\n\tlisten\n}", "wrong argument count", new(InboxSender)},
		{"two addresses in one line", "inbox {\n\tlisten a b\n}", "wrong argument count", new(InboxSender)},
		{"a block of an address", "inbox {\n\tlisten a {\n\t\tb\n\t}\n}", "unrecognized subdirective", new(InboxSender)},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.into.UnmarshalCaddyfile(caddyfile.NewTestDispenser(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
