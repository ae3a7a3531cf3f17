package handler

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// byField is a matcher that asks for a field, as the module in the root is.
type byField struct{ asked *FieldMatcher }

func (m byField) FieldMatcher() *FieldMatcher                  { return m.asked }
func (m byField) MatchWithError(r *http.Request) (bool, error) { return m.asked.MatchWithError(r) }

func asksFor(name string, values ...string) byField {
	return byField{NewFieldMatcher([]AskedField{{Name: name, Values: values}}, 0)}
}

func TestWhatAsksForAFieldIsAskedLast(t *testing.T) {
	path, not, field := caddyhttp.MatchPath{"/x"}, &caddyhttp.MatchNot{}, asksFor("a")
	plainNot := &caddyhttp.MatchNot{MatcherSets: []caddyhttp.MatcherSet{{caddyhttp.MatchPath{"/y"}}}}
	not.MatcherSets = []caddyhttp.MatcherSet{{asksFor("b"), caddyhttp.MatchPath{"/z"}}}
	for _, set := range []caddyhttp.MatcherSet{
		{path, plainNot, not, field}, {field, not, path, plainNot}, {not, field, plainNot, path}, {field, path, not, plainNot},
	} {
		if !asksForFields(caddyhttp.MatcherSets{set}) {
			t.Fatal("it asks for a field")
		}
		if fieldRank(set[0]) != 0 || fieldRank(set[1]) != 0 || fieldRank(set[2]) != 1 || fieldRank(set[3]) != 2 {
			t.Errorf("the order is %v", set)
		}
	}
	if fieldRank(not.MatcherSets[0][0]) != 0 {
		t.Error("within not a field is asked for first")
	}
	if asksForFields(caddyhttp.MatcherSets{{path, plainNot}, {path}}) {
		t.Error("it asks for no field")
	}
}

// A set that asks for a field where something else does not match leaves the
// body alone, and so does a request without one.
func TestABodyIsReadOnlyWhereTheRestOfARuleMatches(t *testing.T) {
	g, r := verifiedRequest(t, func(c *Config) {
		c.Block = caddyhttp.MatcherSets{{asksFor("a"), caddyhttp.MatchPath{"/other"}}}
	})
	r.Method, r.Body, r.ContentLength = http.MethodPost, failingBody{t}, -1
	v := g.newVisit(&quiet{header: http.Header{}}, r, nil)
	v.readAddress()
	if blocked, err := v.matches(g.Block); blocked || err != nil {
		t.Errorf("it says %v, %v", blocked, err)
	}
}

type failingBody struct{ t *testing.T }

func (f failingBody) Read([]byte) (int, error) { f.t.Error("the body was read"); return 0, io.EOF }
func (failingBody) Close() error               { return nil }

// BenchmarkARuleToldByAField is what a request of a verified session costs where
// rules ask for fields, beside BenchmarkVerifiedRequest.
func BenchmarkARuleToldByAField(b *testing.B) {
	for _, rule := range []string{"none", "at another path", "at this path"} {
		for _, body := range []string{"", "csrf=0123456789abcdef&action=view&ids=1&ids=2&ids=3", "note=" + strings.Repeat("x", 60<<10)} {
			b.Run(fmt.Sprintf("%s, %d bytes", rule, len(body)), func(b *testing.B) {
				g, r := verifiedRequest(b, func(c *Config) {
					path := map[string]string{"at another path": "/other", "at this path": "/app/page"}[rule]
					if path != "" {
						c.Block = caddyhttp.MatcherSets{{caddyhttp.MatchPath{path}, asksFor("action", "export", "delete")}}
					}
				})
				w := &quiet{header: http.Header{}}
				next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
					_, err := io.Copy(io.Discard, r.Body)
					w.WriteHeader(http.StatusOK)
					return err
				})
				r.Body = http.NoBody
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				pairs := slices.Clone(r.Header["Cookie"])
				b.ReportAllocs()
				for b.Loop() {
					r.Header["Cookie"] = pairs
					if body != "" {
						r.Method, r.Body, r.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader(body)), int64(len(body))
					}
					if err := g.ServeHTTP(w, r, next); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
