package twofactor

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

func TestRule29WhatPeopleAndOperatorsChangeIsWrittenDown(t *testing.T) {
	s := newSite(t)
	admin := freePort(t)
	s.global = "admin " + admin
	s.startEnrolling("required")
	w := &watched{s, "http://" + admin, []string{filepath.Join(dataDir(), auditName)}}
	s.change(alice, func(a *account.Account) error { a.Team, a.Owner = "north", true; return nil })
	code := s.invite(alice, time.Hour)
	c := s.client()
	c.password(alice, alicePassword)
	c.confirms("AAAA-BBBB-CCCC-DDDD")
	c.confirms(code)
	page := c.follow(c.get("/.two-factor/enrol/app"))
	c.submit(page, codeField, map[string]string{"code": "000000"})
	recovery := c.enrolsApp()
	secrets := append(recoveryCodes(recovery), code, secretOfPage.FindStringSubmatch(page.body)[1], "15123456789")
	c.submit(recovery, "two_factor_go_on", nil)
	c.addsPhone("/.two-factor/enrol/phone", "0151 23456789")
	secrets = append(secrets, s.textCode())
	remove := c.get("/.two-factor/factor/remove?factor=" + s.factorOf(alice, account.KindPhone).ID)
	c.submit(remove, `type="submit"`, nil)
	waitFor(t, "the number was told", func() bool {
		return slices.ContainsFunc(s.texts(), func(text string) bool { return !strings.Contains(text, "is your code") })
	})
	if r := c.submit(c.get("/.two-factor/team"), "team/demand", nil); r.StatusCode != http.StatusSeeOther {
		t.Fatalf("the demand gave %d:\n%s", r.StatusCode, r.body)
	}
	for _, value := range c.cookies("/") {
		secrets = append(secrets, value)
	}
	if r := c.submit(c.get("/.two-factor/not-me"), `type="submit"`, nil); r.StatusCode != http.StatusOK {
		t.Fatalf("'this was not me' gave %d:\n%s", r.StatusCode, r.body)
	}
	w.ask(http.MethodPost, "/two_factor/erase", "application/json", `{"user": "`+alice+`"}`)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	seen := map[handler.Kind][]handler.Result{}
	for _, e := range auditLines(t, w.files[0]) {
		seen[e.Event] = append(seen[e.Event], e.Result)
		if info := kindInfos[e.Event]; !slices.Contains(info.Results, e.Result) || e.Level != info.Severity {
			t.Errorf("the event %s has the result %q and the level %s, which are not documented", e.Event, e.Result, e.Level)
		}
	}
	for kind, want := range map[handler.Kind][]handler.Result{
		handler.FactorFailed: {handler.NotConfirmed, handler.WrongCode}, handler.FactorConfirmed: {handler.Right},
		handler.FactorChange: {handler.FactorAdded, handler.FactorAdded, handler.FactorRemoved},
		handler.NoticeSent:   {handler.SendTaken}, handler.DemandChanged: {handler.DemandOn}, handler.NotMeSaid: {handler.Done},
	} {
		if !slices.Equal(seen[kind], want) {
			t.Errorf("of %s there are %q, want %q", kind, seen[kind], want)
		}
	}
	if len(seen[handler.UserDeleted]) != 1 {
		t.Errorf("user_deleted: %q", seen[handler.UserDeleted])
	}
	log := string(readFile(t, w.files[0])) + s.logged()
	for _, secret := range secrets {
		if strings.Contains(log, secret) {
			t.Errorf("a log tells %.6s…", secret)
		}
	}
}
