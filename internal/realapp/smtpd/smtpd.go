// Package smtpd runs a real mail server for tests, the aiosmtpd of Debian's
// packages: on a loopback address, with TLS by a certificate made for it, in a
// folder that goes when the test ends. It keeps what it is sent for the test to
// read and sends nothing on. A test may have it answer no, slowly or not at
// all, end it and start it again.
package smtpd

import (
	_ "embed"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/process"
)

const (
	// python is Debian's own, the one that sees Debian's packages.
	python = "/usr/bin/python3"
	// startTimeout is how long the server may take to listen.
	startTimeout = 20 * time.Second
)

// What TLS a server speaks.
const (
	STARTTLS = "starttls"
	Implicit = "implicit"
	None     = "none"
)

//go:embed server.py
var script []byte

// Options are what a server is like.
type Options struct {
	// TLS is [STARTTLS] (the default), [Implicit] or [None].
	TLS string
	// Username and Password are asked for if they are not empty.
	Username, Password string
	// Mechanisms are the ways to sign in that the server offers, of
	// SCRAM-SHA-256, PLAIN and LOGIN. Default: PLAIN and LOGIN.
	Mechanisms []string
	// ASCII makes the server one that takes no addresses beyond ASCII.
	ASCII bool
	// Names are the names and addresses that the certificate is for. Default:
	// localhost and 127.0.0.1.
	Names []string
}

// Server is one running mail server.
type Server struct {
	// Address is the host and port that it listens at.
	Address string
	// CA is a file with the certificate that signed the server's own, in PEM,
	// readable for everybody.
	CA string

	folder  string
	who     *syscall.Credential
	process *process.Server
}

// Start starts a server that ends with the test. Where aiosmtpd is missing the
// test is skipped, and fails if the environment variable CI is true.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	requireProgram(t)
	if o.TLS == "" {
		o.TLS = STARTTLS
	}
	if o.Mechanisms == nil {
		o.Mechanisms = []string{"PLAIN", "LOGIN"}
	}
	if o.Names == nil {
		o.Names = []string{"localhost", "127.0.0.1"}
	}
	s := &Server{
		Address: process.FreeAddress(t),
		folder:  process.Folder(t, "smtpd", "tmp", "mail"),
		who:     process.Unprivileged(t),
	}
	s.CA = s.write(t, "ca.pem", makeCertificates(t, filepath.Join(s.folder, "server.pem"), o.Names))
	s.write(t, "server.py", script)
	s.write(t, "settings.json", marshal(t, map[string]any{
		"address": s.Address, "tls": o.TLS, "utf8": !o.ASCII,
		"username": o.Username, "password": o.Password, "mechanisms": o.Mechanisms,
	}))
	s.Resume(t)
	return s
}

// requireProgram ends the test where aiosmtpd is not installed.
func requireProgram(t testing.TB) {
	t.Helper()
	if exec.Command(python, "-I", "-c", "import aiosmtpd").Run() == nil {
		return
	}
	const text = "smtpd: not on this machine: Debian's package python3-aiosmtpd (apt-get install it)"
	if os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// Kill ends the server at once, as a crash would. Its mails stay.
func (s *Server) Kill() { s.process.Kill() }

// Resume starts the server again, at the same address.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	process.GiveTo(t, s.folder, s.who)
	s.process = process.Start(t, process.Command(s.folder, s.who, python, "-s", "-B", "-W", "ignore", "server.py"))
	s.process.Await(t, startTimeout, func() bool { return process.Listens("tcp", s.Address) })
}

// Port is the port that the server listens at.
func (s *Server) Port() string {
	_, port, _ := net.SplitHostPort(s.Address)
	return port
}

// The stages at which a server can be told to behave otherwise: what it answers
// to these commands, and to the end of the mail for DATA.
const (
	EHLO = "EHLO"
	AUTH = "AUTH"
	MAIL = "MAIL"
	RCPT = "RCPT"
	DATA = "DATA"
	QUIT = "QUIT"
)

// behaviour is what the file behave.json says.
type behaviour struct {
	Stage  string  `json:"stage"`
	Answer string  `json:"answer"`
	Slow   float64 `json:"slow"`
	Hang   bool    `json:"hang"`
}

// Answer makes the server give this answer at a stage from now on, for example
// "450 4.2.0 later". What is not yes is not kept.
func (s *Server) Answer(t testing.TB, stage, answer string) {
	t.Helper()
	s.behave(t, behaviour{Stage: stage, Answer: answer})
}

// Slow makes the server wait at a stage from now on.
func (s *Server) Slow(t testing.TB, stage string, wait time.Duration) {
	t.Helper()
	s.behave(t, behaviour{Stage: stage, Slow: wait.Seconds()})
}

// Hang makes the server never answer at a stage from now on.
func (s *Server) Hang(t testing.TB, stage string) {
	t.Helper()
	s.behave(t, behaviour{Stage: stage, Hang: true})
}

// AwaitHang waits until the server has come to where it hangs.
func (s *Server) AwaitHang(t testing.TB) {
	t.Helper()
	s.process.Await(t, patience, func() bool {
		_, err := os.Stat(filepath.Join(s.folder, "hangs"))
		return err == nil
	})
}

// Behave makes the server take every mail again.
func (s *Server) Behave(t testing.TB) {
	t.Helper()
	s.behave(t, behaviour{})
}

// behave puts the file in place as a whole, since the server may be reading it.
func (s *Server) behave(t testing.TB, b behaviour) {
	t.Helper()
	part := s.write(t, "behave.json.part", marshal(t, b))
	if err := os.Rename(part, filepath.Join(s.folder, "behave.json")); err != nil {
		t.Fatalf("smtpd: %v", err)
	}
}

func (s *Server) write(t testing.TB, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(s.folder, name)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatalf("smtpd: %v", err)
	}
	return path
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("smtpd: %v", err)
	}
	return text
}
