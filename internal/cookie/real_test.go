package cookie

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"
)

// readByPHP sends the line to PHP's built-in server and returns what $_COOKIE
// holds, names and values, arrays as "{}".
type phpServer struct{ address string }

const phpScript = `<?php header('Content-Type: text/plain');
foreach ($_COOKIE as $k => $v) echo bin2hex((string)$k), ' ', is_array($v) ? '{}' : bin2hex($v), "\n";`

func startPHP(t *testing.T) phpServer {
	t.Helper()
	php, err := exec.LookPath("php")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("php is missing: install php-cli")
		}
		t.Skip("php is missing: install php-cli")
	}
	script := filepath.Join(t.TempDir(), "cookies.php")
	if err := os.WriteFile(script, []byte(phpScript), 0o600); err != nil {
		t.Fatal(err)
	}
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := probe.Addr().String()
	_ = probe.Close()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	cmd := exec.CommandContext(ctx, php, "-n", "-S", address, script)
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

func (s phpServer) read(t *testing.T, line string) [][2]string {
	t.Helper()
	c, err := net.DialTimeout("tcp", s.address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, "GET / HTTP/1.0\r\nHost: x\r\nCookie: "+line+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(io.LimitReader(c, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	var pairs [][2]string
	for row := range strings.Lines(string(body)) {
		k, v, _ := strings.Cut(strings.TrimSuffix(row, "\n"), " ")
		name, err := hex.DecodeString(k)
		if err != nil {
			t.Fatalf("php said %q", body)
		}
		value := []byte(v)
		if v != "{}" {
			value, _ = hex.DecodeString(v)
		}
		pairs = append(pairs, [2]string{string(name), string(value)})
	}
	return pairs
}

func TestRule31PHPReadsTheVectorsAsWritten(t *testing.T) {
	php := startPHP(t)
	for _, v := range vectors {
		var parts []string
		for _, p := range php.read(t, v.line) {
			if p[1] == "{}" {
				parts = append(parts, p[0]+"{}")
				continue
			}
			parts = append(parts, p[0]+"="+p[1])
		}
		if got := strings.Join(parts, "|"); got != v.php {
			t.Errorf("php reads %q as %q, the vector says %q", v.line, got, v.php)
		}
	}
	for _, n := range phpNames {
		pairs := php.read(t, n.name+"=1")
		got := ""
		if len(pairs) > 0 {
			got = pairs[0][0]
		}
		if got != n.php {
			t.Errorf("php names %q %q, the table says %q", n.name, got, n.php)
		}
	}
}

// Python is asked only where it is there: the vectors hold without it.
func TestRule31PythonReadsTheVectorsAsWritten(t *testing.T) {
	for i, got := range readByPython(t) {
		if want := asMap(vectors[i].python); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("python reads %q as %v, the vector says %v", vectors[i].line, got, want)
		}
	}
}

func TestRule31NoValueThatAParserSplitsIsReadable(t *testing.T) {
	for _, v := range vectors {
		value, ok := strings.CutPrefix(v.line, "pref=")
		if !ok || strings.Contains(value, ";") {
			continue
		}
		for _, reading := range []string{v.php, v.python, v.django, v.rack, v.oldRack, v.express} {
			if _, second := asMap(reading)["sid"]; second && SafeValue(value) {
				t.Errorf("a second cookie is read in %q, and SafeValue lets it pass", v.line)
			}
		}
	}
}

// readByPython returns Python's reading of every vector, none where there is no
// Python.
func readByPython(t *testing.T) []map[string]string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Log("python3 is missing: the vectors stand for it")
		return nil
	}
	const script = `import sys, json
from http.cookies import SimpleCookie, CookieError
def read(line):
    try:
        c = SimpleCookie(); c.load(bytes.fromhex(line).decode('latin-1'))
        return {k: m.value for k, m in c.items()}
    except CookieError:
        return {'!': ''}
json.dump([read(line) for line in sys.stdin.read().split()], sys.stdout)`
	var lines strings.Builder
	for _, v := range vectors {
		fmt.Fprintf(&lines, "%x\n", v.line)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c", script)
	cmd.Stdin = strings.NewReader(lines.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]string
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(vectors) {
		t.Fatalf("python said %q: %v", out, err)
	}
	return got
}

// asMap reads a vector's reading.
func asMap(reading string) map[string]string {
	m := map[string]string{}
	for part := range strings.SplitSeq(reading, "|") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		m[name] = value
	}
	return m
}

// The model of PHP's reading that the fuzz tests use is held against PHP.
func TestTheModelOfPHPAgreesWithPHP(t *testing.T) {
	php := startPHP(t)
	for _, n := range phpNames {
		for _, line := range []string{n.name + "=1", "x=2; " + n.name + "=1;sid", n.name} {
			var want []string
			for _, p := range php.read(t, line) {
				want = append(want, p[0])
			}
			got := modelPHP(line)
			sort.Strings(want)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("of %q the model reads %q, php %q", line, got, want)
			}
		}
	}
}
