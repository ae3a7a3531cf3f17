package handler

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

func TestEveryMemberOfALargeTeamIsOnOnePageOfIt(t *testing.T) {
	all := make([]account.Account, 2*page.MaxMembers+1)
	for i := range all {
		all[i].Name = fmt.Sprintf("member %d", i)
	}
	for _, tt := range []struct {
		query          string
		first, members int
		earlier, later string
	}{
		{"", 0, page.MaxMembers, "", "/2/team?page=1"},
		{"page=1", page.MaxMembers, page.MaxMembers, "/2/team?page=0", "/2/team?page=2"},
		{"page=2", 2 * page.MaxMembers, 1, "/2/team?page=1", ""},
		{"page=3", 0, page.MaxMembers, "", "/2/team?page=1"},
		{"page=-1", 0, page.MaxMembers, "", "/2/team?page=1"},
		{"page=9223372036854775807", 0, page.MaxMembers, "", "/2/team?page=1"},
		{"page=99999999999999999999", 0, page.MaxMembers, "", "/2/team?page=1"},
	} {
		p := &person{visit: &visit{g: &Gate{Config: Config{Prefix: "/2/"}}, orig: &url.URL{Path: "/2/team", RawQuery: tt.query}}}
		var v page.TeamPage
		p.listMembers(&v, all)
		if len(v.Members) != tt.members || v.Members[0].Name != all[tt.first].Name || v.Earlier != tt.earlier || v.Later != tt.later {
			t.Errorf("%q: %d members from %q, earlier %q, later %q", tt.query, len(v.Members), v.Members[0].Name, v.Earlier, v.Later)
		}
		p.listMembers(&page.TeamPage{}, nil)
	}
}
