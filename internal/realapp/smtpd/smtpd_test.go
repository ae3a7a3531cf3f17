package smtpd

import (
	"net/smtp"
	"testing"
)

const text = "Subject: =?utf-8?q?f=C3=BCr?=\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=20b\r\n" +
	"--b\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>a\r\n--b--\r\n"

func TestAMailIsKeptThroughACrashAndReadWhole(t *testing.T) {
	s := Start(t, Options{TLS: None})
	send := func() error {
		return smtp.SendMail(s.Address, nil, "crm@example.com", []string{"anna@example.com"}, []byte(text))
	}
	s.Answer(t, DATA, "451 later")
	if err := send(); err == nil {
		t.Error("a server that says no says yes")
	}
	s.Behave(t)
	if err := send(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := send(); err == nil {
		t.Error("a server that was killed answers")
	}
	s.Resume(t)
	mails := s.Await(t, 1)
	if len(mails) != 1 {
		t.Fatalf("%d mails, want 1", len(mails))
	}
	m := mails[0]
	if m.From != "crm@example.com" || m.To[0] != "anna@example.com" || m.Subject != "für" || m.Text != "a b" || m.HTML != "<p>a" || m.TLS {
		t.Errorf("the mail is %+v", m)
	}
}
