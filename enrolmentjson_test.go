package twofactor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func TestABadEnrolmentInJSONIsRefused(t *testing.T) {
	const login = `{"match": [{"path": ["/a"]}], "user": {"from": "form", "name": "email"}, "yes": [[{"status": ["302"]}]], "no": [[{"status": ["200"]}]]}`
	for _, c := range []struct{ name, enrolment, more, want string }{
		{"an empty one", `{}`, "", ""},
		{"a good one", `{"mode": "offered", "rules": [{"group": "sales", "mode": "required"}, {"user": "sales", "mode": "off"}], "from": "2027-01-31T00:00:00Z", "again": "3d", "grace": "14d", "confirm": "open", "period": "15s"}`, "", ""},
		{"an unknown mode", `{"mode": "always"}`, "", "enrolment: the mode is required, offered or off, not \"always\""},
		{"a rule of an unknown mode", `{"rules": [{"user": "a", "mode": "x"}]}`, "", "enrolment: the mode is required, offered or off, not \"x\""},
		{"a rule for nobody", `{"rules": [{"mode": "off"}]}`, "", "enrolment: a rule is for a group or for a user"},
		{"a rule for a blank user", `{"rules": [{"user": " ", "mode": "off"}]}`, "", "enrolment: a rule is for a group or for a user"},
		{"a rule for both", `{"rules": [{"user": "a", "group": "b", "mode": "off"}]}`, "", "enrolment: a rule is for a group or for a user"},
		{"two rules for one user", `{"rules": [{"user": "A", "mode": "off"}, {"user": "a ", "mode": "required"}]}`, "", "enrolment: there are two rules for \"user a\""},
		{"two rules for one group", `{"rules": [{"group": "A", "mode": "off"}, {"group": "a", "mode": "required"}]}`, "", "enrolment: there are two rules for \"group a\""},
		{"from where nothing is required", `{"mode": "offered", "from": "2027-01-31T00:00:00Z"}`, "", "enrolment: from is when required begins"},
		{"a day that is no time", `{"mode": "required", "from": "2027-01-31"}`, "", "cannot parse"},
		{"grace where nothing is offered", `{"mode": "required", "grace": "1d"}`, "", "enrolment: grace is for offered"},
		{"a grace below none", `{"mode": "offered", "grace": "-1d"}`, "", "enrolment: again and grace are at most 366 days"},
		{"again beyond a year", `{"mode": "offered", "again": "367d"}`, "", "enrolment: again and grace are at most 366 days"},
		{"again below a minute", `{"mode": "offered", "again": "59s"}`, "", "enrolment: again is at least a minute"},
		{"an unknown confirm", `{"confirm": "sms"}`, "", "enrolment: confirm cannot be \"sms\""},
		{"an unknown switch_off", `{"switch_off": "never"}`, "", "enrolment: switch_off cannot be \"never\""},
		{"an unknown not_me", `{"not_me": "x"}`, "", "enrolment: not_me cannot be \"x\""},
		{"a period that no app knows", `{"period": "45s"}`, "", "enrolment: period is 15s, 30s or 60s, not 45s"},
		{"an issuer with a colon", `{"issuer": "a:b"}`, "", "enrolment: the issuer must have no colon"},
		{"an issuer of two lines", `{"issuer": "a\nb"}`, "", "enrolment: the issuer must be UTF-8 text without line breaks"},
		{"a blank issuer", `{"issuer": " "}`, "", "enrolment: the issuer must not be blank"},
		{"a long issuer", `{"issuer": "` + strings.Repeat("x", 61) + `"}`, "", "enrolment: the issuer has more than 60 bytes"},
		{"a setting that there is not", `{"required": true}`, "", `unknown field "required"`},
		{"unknown users that nobody asks", `{"mode": "off"}`, `, "unknown_user": "enrol"`, "unknown_user enrol asks unknown users to add a factor"},
		{"unknown users by whatever name", `{"mode": "required"}`, `, "unknown_user": "enrol"`, "unknown_user enrol needs to know whom the app has logged in"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ownDataDir(t)
			raw := fmt.Appendf(nil, `{"admin": {"disabled": true, "config": {"persist": false}}, "logging": {"logs": {"default": {"writer": {"output": "discard"}}}}, "apps": {"http": {"servers": {"s": {
				"listen": ["127.0.0.1:0"], "routes": [{"match": [{"host": ["localhost"]}], "handle": [{"handler": "two_factor", "logins": [%s], "protect": [{"path": ["*"]}], "enrolment": %s%s}]}]}}}}}`, login, c.enrolment, c.more)
			var config *caddy.Config
			err := caddy.StrictUnmarshalJSON(raw, &config)
			if err == nil {
				err = caddy.Validate(config)
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want an error with %q", err, c.want)
			}
		})
	}
}
