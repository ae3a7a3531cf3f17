package smtp

import (
	"strings"
	"testing"
	"time"
)

func TestASenderIsMadeOfSettingsThatAreAllRight(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"all right", func(*Config) {}, ""},
		{"a server by its address", func(c *Config) { c.Server = "192.0.2.1:587" }, ""},
		{"a server by its address of six", func(c *Config) { c.Server = "[2001:db8::1]:587" }, ""},
		{"a server with other letters", func(c *Config) { c.Server = "post.bücher.example:587" }, ""},
		{"no server", func(c *Config) { c.Server = "" }, "server must be a host and a port"},
		{"a server without a port", func(c *Config) { c.Server = "mail.example.com" }, "server must be a host and a port"},
		{"a port without a server", func(c *Config) { c.Server = ":587" }, "server must be a host and a port"},
		{"a port that is none", func(c *Config) { c.Server = "mail.example.com:smtp" }, "server must be a host and a port"},
		{"port 0", func(c *Config) { c.Server = "mail.example.com:0" }, "server must be a host and a port"},
		{"a web address", func(c *Config) { c.Server = "smtp://mail.example.com:587" }, "server must be a host and a port"},
		{"a server with blanks", func(c *Config) { c.Server = "mail example.com:587" }, "server must be a host and a port"},
		{"a server with a line break", func(c *Config) { c.Server = "mail.example.com\r\n:587" }, "server must be a host and a port"},
		{"implicit TLS", func(c *Config) { c.TLS = Implicit }, ""},
		{"a mode that is none", func(c *Config) { c.TLS = "ssl" }, "tls must be starttls, implicit or none"},
		{"the clear to another machine", func(c *Config) { c.TLS, c.Username, c.Password = None, "", "" }, "tls none is for a mail server on this machine"},
		{"the clear to an address that looks like this machine's", func(c *Config) {
			c.Server, c.TLS, c.Username, c.Password = "127.0.0.1.example.com:25", None, "", ""
		}, "tls none is for a mail server on this machine"},
		{"the clear to all addresses", func(c *Config) { c.Server, c.TLS, c.Username, c.Password = "0.0.0.0:25", None, "", "" }, "tls none is for"},
		{"the clear to this machine", func(c *Config) { c.Server, c.TLS, c.Username, c.Password = "127.0.0.1:25", None, "", "" }, ""},
		{"the clear to this machine by six", func(c *Config) { c.Server, c.TLS, c.Username, c.Password = "[::1]:25", None, "", "" }, ""},
		{"the clear to this machine by name", func(c *Config) { c.Server, c.TLS, c.Username, c.Password = "LocalHost:25", None, "", "" }, ""},
		{"a password in the clear", func(c *Config) { c.Server, c.TLS = "127.0.0.1:25", None }, "username and password are never sent in the clear"},
		{"nobody signs in", func(c *Config) { c.Username, c.Password = "", "" }, ""},
		{"a user without a password", func(c *Config) { c.Password = "" }, "password is empty; it goes with the username"},
		{"a password without a user", func(c *Config) { c.Username = "" }, "username is empty; it goes with the password"},
		{"a password with a line break", func(c *Config) { c.Password = "sesame\n" }, "password is not UTF-8, or has control characters"},
		{"a long password", func(c *Config) { c.Password = strings.Repeat("sesame", 1000) }, "password is longer than 1024 bytes"},
		{"no sender", func(c *Config) { c.From = "" }, "from must be one address"},
		{"two senders", func(c *Config) { c.From = "a@example.com, b@example.com" }, "from must be one address"},
		{"a sender without a domain", func(c *Config) { c.From = "crm" }, "from must be one address"},
		{"a sender with a field", func(c *Config) { c.From = "CRM\r\nBcc: eve@example.com <a@example.com>" }, "from must be one address"},
		{"a sender with an encoded line break", func(c *Config) { c.From = "=?utf-8?q?a=0D=0ABcc:_eve@example.com?= <a@example.com>" }, "from must be one address"},
		{"a sender with a comment", func(c *Config) { c.From = "a@example.com (CRM)" }, ""},
		{"a sender with a long name", func(c *Config) { c.From = strings.Repeat("x", 201) + " <a@example.com>" }, "from has a name of more than 200 bytes"},
		{"a sender with other letters", func(c *Config) { c.From = "jürgen@example.com" }, "from must have only ASCII letters before the at sign"},
		{"a sender at a domain with other letters", func(c *Config) { c.From = "a@bücher.example" }, ""},
		{"an address for answers", func(c *Config) { c.ReplyTo = "Help <help@example.com>" }, ""},
		{"an address for answers that is none", func(c *Config) { c.ReplyTo = "help" }, "reply_to must be one address"},
		{"certificates that are none", func(c *Config) { c.CA = []byte("x") }, "ca holds no certificate"},
		{"the shortest time-out", func(c *Config) { c.Timeout = time.Second }, ""},
		{"a shorter one", func(c *Config) { c.Timeout = time.Millisecond }, "timeout must be from 1s to 1m0s"},
		{"a longer one", func(c *Config) { c.Timeout = time.Hour }, "timeout must be from 1s to 1m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := Config{Server: "mail.example.com:587", Username: "crm", Password: "open sesame", From: "CRM <a@example.com>", Clock: fixed}
			c.change(&config)
			_, err := New(config)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("it is refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want an error with %q", err, c.want)
			case err != nil && strings.Contains(err.Error(), "sesame"):
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}
