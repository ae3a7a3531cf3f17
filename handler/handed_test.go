package handler

import (
	"strings"
	"testing"
)

func TestANameThatCannotStandInAHeaderIsNotHandedOn(t *testing.T) {
	for _, name := range []string{
		"", "a\r\nX-Admin: 1", "a\nb", "a\rb", "a\x00b", "a\tb", "a\x7fb", "a\u0085b", "a\xffb", "\xc3", strings.Repeat("a", maxHanded+1),
	} {
		if got, ok := headerText(name); ok {
			t.Errorf("%q is handed on as %q", name, got)
		}
	}
	for name, want := range map[string]string{
		" a": "%20a", "a ": "a%20", " ": "%20", "a b": "a b", strings.Repeat("a", maxHanded): strings.Repeat("a", maxHanded),
	} {
		if got, ok := headerText(name); !ok || got != want {
			t.Errorf("%q is handed on as %q, %v; want %q", name, got, ok, want)
		}
	}
}

func TestRule27AHeaderIsTheGatewaysInEverySpelling(t *testing.T) {
	list, err := newHanded([]IdentityHeader{{Name: "X-User-Id", Value: HandUser}})
	if err != nil {
		t.Fatal(err)
	}
	g := &Gate{handed: list}
	for name, want := range map[string]bool{
		"X-User-Id": true, "x-user-id": true, "X_USER_ID": true, "X.User-Id": true, "X-User_Id": true, "X User Id": true, "X~User|Id": true,
		"X[User]Id": true, "X-User-I": false, "X-User-Id2": false, "XX-User-Id": false, "XUserId": false, "X-User-Ib": false, "": false,
	} {
		if g.isHanded(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestAnIdentityHeaderThatCannotBeOneIsRefused(t *testing.T) {
	for _, name := range []string{
		"", "X_User", "X.User", "X User", "X-User:", "X-Üser", "-X", "2FA", "X-User*", strings.Repeat("X", 65),
		"Connection", "connection", "TE", "Upgrade", "Transfer-Encoding", "Trailer", "Proxy-Authorization", "Cookie", "Authorization", "Host",
		"Forwarded", "Via", "X-Forwarded-For", "X-Real-Ip", "X-Original-URL", "X-HTTP-Method", "Accept", "Accept-Encoding", "Content-Length",
		"Content-Type", "If-None-Match", "Range", "Sec-Fetch-Site", "Sec-WebSocket-Key", "User-Agent", "Origin", "Referer", "Expect", "Set-Cookie",
	} {
		if CheckIdentityHeader(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
	for _, name := range []string{"X-User", "Remote-User", "X-Forwarded-User", "X-2FA", "user"} {
		if err := CheckIdentityHeader(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, list := range [][]IdentityHeader{
		{{"X-User", "name"}}, {{"X-User", ""}}, {{"X_User", HandUser}}, {{"X-User", HandUser}, {"x-user", HandAccount}},
	} {
		if _, err := newHanded(list); err == nil {
			t.Errorf("%v is taken", list)
		}
	}
}
