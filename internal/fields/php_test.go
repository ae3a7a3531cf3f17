package fields

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
)

// phpServer is PHP's own server with a script that says what it reads in a
// request as the fields email and password.
type phpServer struct{ address string }

// phpRead is what PHP reads, in hex; nil where there is no such field. An
// array is "array".
type phpRead struct {
	Email, Password *string
	// The same, for an app that reads its raw input as JSON.
	JSONEmail, JSONPassword *string
}

const phpScript = `<?php header('Content-Type: application/json');
function one($from, $name) {
  if (!is_array($from) || !array_key_exists($name, $from)) return null;
  return is_string($from[$name]) ? bin2hex($from[$name]) : 'array';
}
function either($name) { return one($_POST, $name) ?? (isset($_FILES[$name]) ? 'array' : null) ?? one($_GET, $name); }
$raw = json_decode(file_get_contents('php://input'), true);
echo json_encode(['Email' => either('email'), 'Password' => either('password'),
  'JSONEmail' => one($raw, 'email'), 'JSONPassword' => one($raw, 'password')]);`

func startPHP(t *testing.T) phpServer {
	t.Helper()
	php, err := exec.LookPath("php")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("php is missing: install php-cli")
		}
		t.Skip("php is missing: install php-cli")
	}
	script := filepath.Join(t.TempDir(), "fields.php")
	if err := os.WriteFile(script, []byte(phpScript), 0o600); err != nil {
		t.Fatal(err)
	}
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := probe.Addr().String()
	_ = probe.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, php, "-n", "-d", "display_errors=0", "-S", address, script)
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	for range 100 {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = c.Close()
			return phpServer{address}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("php's server did not start within 5 s")
	return phpServer{}
}

// read sends the very bytes of a vector.
func (s phpServer) read(t *testing.T, v vector) phpRead {
	t.Helper()
	c, err := net.DialTimeout("tcp", s.address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	var b strings.Builder
	fmt.Fprintf(&b, "POST /?%s HTTP/1.0\r\nHost: x\r\nContent-Length: %d\r\n", v.query, len(v.body))
	if v.contentType != "none" {
		for line := range strings.SplitSeq(v.contentType, "\n") {
			fmt.Fprintf(&b, "Content-Type: %s\r\n", line)
		}
	}
	if _, err := io.WriteString(c, b.String()+"\r\n"+v.body); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(io.LimitReader(c, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	var read phpRead
	if err := json.Unmarshal(body, &read); err != nil {
		t.Fatalf("php said %q: %v", answer, err)
	}
	return read
}

func TestRule18NoLoginThatPHPReadsPassesUnwatched(t *testing.T) {
	php := startPHP(t)
	logins := 0
	for _, v := range append(allVectors(), phpVectors()...) {
		read := php.read(t, v)
		form := read.Email != nil && read.Password != nil
		fromJSON := read.JSONEmail != nil && read.JSONPassword != nil
		if form || fromJSON {
			logins++
		}
		r := v.request(t)
		b, err := Read(r, cap64)
		if err != nil {
			t.Fatal(err)
		}
		found, err := Login(r, b, "email", "password")
		switch {
		case err != nil:
		case (form || fromJSON) && !found.Login:
			t.Errorf("%s: php reads a login in %q, %q; Login says that it is none", v.name, v.contentType, v.body)
		case found.Login && form && strings.TrimFunc(unhex(t, *read.Email), unicode.IsSpace) != found.User:
			t.Errorf("%s: php reads the user %q, Login %q", v.name, unhex(t, *read.Email), found.User)
		}
	}
	if logins < 80 {
		t.Errorf("php read only %d logins: the vectors do not reach it", logins)
	}
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	var b []byte
	if _, err := fmt.Sscanf(s, "%x", &b); err != nil && s != "" {
		return s
	}
	return string(b)
}

// phpVectors are spellings tried on PHP: each name in each place.
func phpVectors() []vector {
	names := []string{
		"email", "Email", " email", "\temail", "\vemail", "email ", "email\x00", "\x00email", "e\x00mail", "email[", "email]", "[email]", "email[]",
		"email[a]", "email[a", "email[[a]", "email[ ]", "email.", "email.x", "e.mail", "email\"", "\"email", "'email'", "email\\", "em\\ail", "email;", ";email", "email=", "%65mail", "email\r", "\nemail",
		"email[a]b", "email[]x", "email[\x00]", "[[email]]", "email\x00[]",
	}
	var vs []vector
	add := func(name, contentType, body string) {
		vs = append(vs, vector{name: name, contentType: contentType, body: body})
	}
	for _, n := range names {
		add("form, encoded "+n, formType, percent(n)+"=ann&password=pw")
		add("form, raw "+n, formType, strings.ReplaceAll(n, "&", "")+"=ann&password=pw")
		add("form, both "+n, formType, percent(n)+"=ann&email=bob&password=pw")
		add("form, both the other way "+n, formType, "email=bob&"+percent(n)+"=ann&password=pw")
		add("form, with ; "+n, formType, "x=1;"+n+"=ann&email=bob;x&password=pw")
		for _, header := range []string{
			`Content-Disposition: form-data; name="` + n + `"`,
			`Content-Disposition: form-data; name=` + n,
			`Content-Disposition: form-data; name='` + n + `'`,
			`content-disposition:form-data;name="` + n + `"`,
			`Content-Disposition: form-data; name="x"; name="` + n + `"`,
			`Content-Disposition: form-data; filename="a\"; name="` + n + `"`,
			`Content-Disposition: form-data; name="` + n + `"; filename=""`,
			`Content-Disposition: form-data; name="` + n + `"; filename="x"`,
			`Content-Disposition: form-data; name="` + n + `"; filename*=utf-8''x`,
			`Content-Disposition: name="` + n + `"`,
			"Content-Disposition: form-data;\r\n name=\"" + n + `"`,
			"X: y\r\nContent-Disposition: form-data; name=\"" + n + `"`,
			"Content-Disposition: form-data; name=\"" + n + "\"\r\nContent-Disposition: form-data; name=\"x\"",
		} {
			p := part(header, "ann") + named("password", "pw")
			add("part "+header, partsType, p+theEnd)
			add("part and field "+header, partsType, p+named("email", "bob")+theEnd)
			add("field and part "+header, partsType, named("email", "bob")+p+theEnd)
			add("no end "+header, partsType, p)
			add("line feeds "+header, partsType, strings.ReplaceAll(p+theEnd, "\r\n", "\n"))
			add("preamble "+header, partsType, "x\r\n"+p+theEnd)
		}
	}
	for _, ct := range []string{
		"multipart/form-data; boundary=AaB03x; boundary=b", "multipart/form-data; boundary=b; boundary=AaB03x", "multipart/form-data;boundary=AaB03x;charset=utf-8",
		"multipart/form-data; xboundary=AaB03x", "multipart/form-data; a=\"boundary=AaB03x\"; boundary=b", "multipart/form-data boundary=AaB03x", "multipart/form-data,boundary=AaB03x",
		"multipart/form-data; boundary=\"AaB03x\"x", "multipart/form-data; boundary=AaB03x,x", "multipart/form-data; boundary=AaB03x x", "multipart/form-data; boundary = AaB03x", "multipart/form-data; BOUNDARY=AaB03x",
		"multipart/form-data; boundary=\"AaB03x", "MULTIPART/FORM-DATA; boundary=AaB03x", "multipart/form-data;;boundary=AaB03x", "multipart/form-data; boundary=AaB03x;",
		"application/x-www-form-urlencoded, multipart/form-data; boundary=AaB03x", formType + "; boundary=AaB03x", "multipart/x; boundary=AaB03x",
	} {
		add("type "+ct, ct, both+theEnd)
		add("type, form "+ct, ct, "email=ann&password=pw")
	}
	return vs
}

func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}
