package twofactor

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

func init() { caddy.RegisterModule(bodyMatcher{}) }

// bodyMatcher is a matcher of somebody else's that reads the body and puts it
// back, and holds another matcher.
type bodyMatcher struct {
	// Says is what it says.
	Says bool `json:"says,omitempty"`
	// MatcherRaw is asked too, and what it says is not heard.
	MatcherRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	matchers caddyhttp.MatcherSets
}

func (bodyMatcher) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.matchers.test_body", New: func() caddy.Module { return new(bodyMatcher) }}
}

func (m *bodyMatcher) Provision(ctx caddy.Context) error {
	v, err := ctx.LoadModule(m, "MatcherRaw")
	if err != nil || v == nil {
		return err
	}
	return m.matchers.FromInterface(v)
}

func (m *bodyMatcher) MatchWithError(r *http.Request) (bool, error) {
	if len(m.matchers) > 0 {
		if _, err := m.matchers.AnyMatchWithError(r); err != nil {
			return false, err
		}
		return m.Says, nil
	}
	raw, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(raw))
	return m.Says, err
}

func TestAMatcherThatReadsTheBodyOfACopyTakesNothingFromTheApp(t *testing.T) {
	for name, matcher := range map[string]string{
		"somebody else's":             `"test_body":{}`,
		"ours within somebody else's": `"test_body":{"match":[{"two_factor_field":{"fields":[{"name":"a"}]}}]}`,
		"ours beside somebody else's": `"test_body":{"says":true},"two_factor_field":{"fields":[{"name":"x"}]}`,
		"ours":                        `"two_factor_field":{"fields":[{"name":"x"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			l, upstream := newLedger(t)
			s := newSite(t)
			s.t.Setenv("UPSTREAM", upstream)
			adapted, err := adapt("{\n\tadmin off\n\tpersist_config off\n\tauto_https off\n\ttwo_factor {\n\t\tsms dev inbox {\n\t\t\tlisten " + s.inbox + "\n\t\t}\n\t}\n}\n" +
				ledgerConfig("block /the-rule"))
			if err != nil {
				t.Fatal(err)
			}
			config := strings.Replace(strings.Join(strings.Fields(adapted), ""), `"block":[{"path":["/the-rule"]}]`, `"block":[{`+matcher+`}]`, 1)
			if !strings.Contains(config, matcher) {
				t.Fatal("the rule is not there")
			}
			if err := caddy.Load([]byte(config), true); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = caddy.Stop() })
			for _, body := range []string{"a=1", "a=" + long64} {
				for _, path := range []string{"/open/up", "/open/up;x/", "/open//up/"} {
					l.reset()
					r := s.client().do(http.MethodPost, path, strings.NewReader(body), http.Header{"Content-Type": {formBody}, "X-Http-Method-Override": {"PUT"}})
					if seen := l.arrivals(); len(seen) != 1 || seen[0].Body != body {
						t.Errorf("%s: %d requests reached the app, answer %s", path, len(seen), words(r))
					}
				}
			}
		})
	}
}

// outside is a site without the gateway, whose routes ask for fields.
const outside = `http://localhost:{$PORT} {
	@export two_factor_field action export
	@other {
		path /only
		not two_factor_field action view
	}
	respond @export "no export" 403
	respond @other "only a view" 403
	reverse_proxy {$UPSTREAM}
}
`

func TestOutsideOfTheGatewayTheMatcherReadsForItself(t *testing.T) {
	app, upstream := serveDemo(t, demoapp.Options{})
	s := newSite(t)
	s.start(outside, upstream)
	c := s.client()
	for _, q := range []struct {
		why, target, contentType, body, answer string
	}{
		{"a form", "/x", formBody, "action=export", "no export"},
		{"a form, another value", "/x", formBody, "action=view", ""},
		{"the query", "/x?action=export", "", "", "no export"},
		{"the query behind ;", "/x?a;action=export", "", "", "no export"},
		{"JSON", "/x", jsonBody, `{"action":"export"}`, "no export"},
		{"JSON, another value", "/x", jsonBody, `{"action":"view"}`, ""},
		{"parts", "/x", partsBody, formPart(`name="action"`, "export") + partsEnd, "no export"},
		{"no type", "/x", "", "action=export", "no export"},
		{"a long form, by its begin", "/x", formBody, "action=export&a=" + long64, "no export"},
		{"a long form, which may have it at the end", "/x", formBody, "a=" + long64, "no export"},
		{"a long image", "/x", "image/png", "\x89PNG" + long64, ""},
		{"an image", "/x", "image/png", "\x89PNG&action=export", ""},
		{"a form with what must be there", "/only", formBody, "action=view", ""},
		{"a form with more than what must be there", "/only", formBody, "action=view&action=list", "only a view"},
		{"a form without what must be there", "/only", formBody, "action=list", "only a view"},
		{"an image where something must be there", "/only", "image/png", "\x89PNG" + long64, "only a view"},
		{"nothing where something must be there", "/only", "", "", "only a view"},
	} {
		app.Reset()
		header := http.Header{}
		if q.contentType != "" {
			header.Set("Content-Type", q.contentType)
		}
		r := c.do(http.MethodPost, q.target, io.MultiReader(strings.NewReader(q.body)), header)
		seen := byPeople(app)
		if q.answer != "" {
			if r.StatusCode != http.StatusForbidden || r.body != q.answer || len(seen) != 0 {
				t.Errorf("%s: %d %q, and %d requests reached the app", q.why, r.StatusCode, r.body, len(seen))
			}
			continue
		}
		// The app keeps 64 KiB of each.
		if len(seen) != 1 || string(seen[0].Body) != q.body[:min(len(q.body), 64<<10)] {
			t.Errorf("%s: %d requests reached the app, answer %s", q.why, len(seen), words(r))
		}
	}
}

func TestABodyThatCannotBeReadMatchesNothingAndIsAnError(t *testing.T) {
	m := &MatchField{Fields: []handler.AskedField{{Name: "action"}}}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := m.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	for want, body := range map[int]io.Reader{
		http.StatusBadRequest:            io.MultiReader(strings.NewReader("a=1"), &brokenReader{}),
		http.StatusRequestEntityTooLarge: http.MaxBytesReader(nil, io.NopCloser(strings.NewReader("a=1&b=2")), 4),
	} {
		r, err := http.NewRequest(http.MethodPost, "http://localhost/", body)
		if err != nil {
			t.Fatal(err)
		}
		matched, err := m.MatchWithError(r)
		var status caddyhttp.HandlerError
		if matched || !errors.As(err, &status) || status.StatusCode != want {
			t.Errorf("it says %v, %v", matched, err)
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the line is dead") }

func TestObservingNotesWhatARuleToldByAFieldWouldRefuseAndTakesNothingFromTheApp(t *testing.T) {
	s, l := ledgerStart(t, fieldRules, "mode observe")
	c := s.client()
	for _, body := range []string{"action=export", "action=export&a=" + long64, "a=" + long64 + "&action=export", "action=view"} {
		for _, path := range []string{"/contacts", "/contacts;x/"} {
			l.reset()
			r := c.do(http.MethodPost, path, strings.NewReader(body), urlencoded)
			if seen := l.arrivals(); len(seen) != 1 || seen[0].Body != body || r.StatusCode != http.StatusOK {
				t.Errorf("%s: %d requests reached the app, answer %s", path, len(seen), words(r))
			}
		}
	}
	if !strings.Contains(s.twoFactorLog(), "a request would be refused: block") {
		t.Error("the log does not say so")
	}
}

func TestABodyThatARuleCannotReadIsNoRefusalByTheRule(t *testing.T) {
	l, upstream := newLedger(t)
	config := strings.Replace(ledgerConfig(fieldRules), "\ttwo_factor ", "\trequest_body {\n\t\tmax_size 1KB\n\t}\n\ttwo_factor ", 1)
	config = strings.Replace(config, "{$PORT} {", "{$PORT} {\n\troute {", 1)
	config = strings.TrimSuffix(config, "}\n") + "}\n}\n"
	s := startSite(t, config, upstream)
	r := s.client().do(http.MethodPost, "/contacts", strings.NewReader("action=view&a="+long64), urlencoded)
	if r.StatusCode != http.StatusRequestEntityTooLarge || len(l.arrivals()) != 0 {
		t.Errorf("larger than the operator lets through: %s", words(r))
	}
	// The client goes before all of its body is there.
	gone := s.raw("POST /contacts HTTP/1.1\nHost: {host}\nContent-Type: application/x-www-form-urlencoded\nTransfer-Encoding: chunked\nConnection: close\n\nz")
	if gone.StatusCode != http.StatusBadRequest || len(l.arrivals()) != 0 {
		t.Errorf("a body that breaks off: %d", gone.StatusCode)
	}
	if log := s.twoFactorLog(); strings.Contains(log, "refused: ") || strings.Contains(log, `"event":"authz_fail"`) {
		t.Errorf("the log says that somebody was refused: %s", log)
	}
}
