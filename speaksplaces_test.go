package twofactor

import (
	"net/http"
	"strings"
	"testing"
)

func TestTheLoginPageNamesNobodyElse(t *testing.T) {
	s, p := severalStart(t, "speaks_for query username")
	c := s.client()
	c.pass(alice)
	c.pass(carol)
	for _, path := range []string{"/login?username=" + alice, "/login?username=" + carol + "&username=" + alice, "/login?username[]=" + alice} {
		p.reset()
		r := c.get(path)
		for _, a := range p.arrivals() {
			if a.cookie("sid") != "" {
				t.Errorf("%s: the session's values reached the app: %d %s", path, r.StatusCode, r.body)
			}
		}
	}
	if c.get("/login?username=" + carol); p.last(t).cookie("sid") == "" {
		t.Error("her own name on the login page puts her session aside")
	}
	if c.get("/login"); p.last(t).cookie("sid") == "" {
		t.Error("the login page in nobody's name has lost the session")
	}
}

func TestInvariant03SpeaksForInEverySpelling(t *testing.T) {
	post := func(c *client, path, kind, body string) reply {
		h := http.Header{}
		if kind != "" {
			h["Content-Type"] = []string{kind}
		}
		return c.do(http.MethodPost, path, strings.NewReader(body), h)
	}
	q, form, js := "speaks_for query username", "speaks_for form username", "speaks_for json username"
	const urlenc, aj = "application/x-www-form-urlencoded", "application/json"
	for name, test := range map[string]struct {
		speaks string
		send   func(c *client) reply
	}{
		"qs brackets":          {q, func(c *client) reply { return c.get("/x?username=" + carol + "&[username]=" + alice) }},
		"rack bracket behind":  {q, func(c *client) reply { return c.get("/x?username=" + carol + "&username]=" + alice) }},
		"capitals":             {q, func(c *client) reply { return c.get("/x?username=" + carol + "&USERNAME=" + alice) }},
		"asp escape":           {q, func(c *client) reply { return c.get("/x?username=" + carol + "&%u0075sername=" + alice) }},
		"NUL":                  {q, func(c *client) reply { return c.get("/x?username=" + carol + "&username%00x=" + alice) }},
		"php bracket unclosed": {q, func(c *client) reply { return c.get("/x?username=" + carol + "&username[=" + alice) }},
		"deep":                 {q, func(c *client) reply { return c.get("/x?username=" + carol + "&username[a][b]=" + alice) }},
		"query of a rails json": {js, func(c *client) reply {
			return post(c, "/x?username="+alice, aj, `{"username":"`+carol+`"}`)
		}},
		"json in capitals": {js, func(c *client) reply {
			return post(c, "/x", aj, `{"username":"`+carol+`","UserName":"`+alice+`"}`)
		}},
		"json escaped key": {js, func(c *client) reply {
			return post(c, "/x", aj, `{"username":"`+carol+`","\u0075sername":"`+alice+`"}`)
		}},
		"json batch": {js, func(c *client) reply {
			return post(c, "/x", aj, `[{"username":"`+carol+`"},{"username":"`+alice+`"}]`)
		}},
		"json then more": {js, func(c *client) reply {
			return post(c, "/x", aj, `{"username":"`+carol+`"}{"username":"`+alice+`"}`)
		}},
		"json beside query": {q, func(c *client) reply {
			return post(c, "/x?username="+carol, aj, `{"username":"`+alice+`"}`)
		}},
		"json+ beside query": {q, func(c *client) reply {
			return post(c, "/x?username="+carol, "application/vnd.api+json", `{"username":"`+alice+`"}`)
		}},
		"image json": {q, func(c *client) reply {
			return post(c, "/x?username="+carol, "image/png", `{"username":"`+alice+`"}`)
		}},
		"x form": {q, func(c *client) reply {
			return post(c, "/x?username="+carol, "application/x-form", `username=`+alice)
		}},
		"multipart mixed": {q, func(c *client) reply {
			return post(c, "/x?username="+carol, "multipart/mixed; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\n"+alice+"\r\n--x--\r\n")
		}},
		"two types": {q, func(c *client) reply {
			return c.do(http.MethodPost, "/x?username="+carol, strings.NewReader("username="+alice), http.Header{"Content-Type": {"text/plain", urlenc}})
		}},
		"a GET with a form": {q, func(c *client) reply {
			return c.do(http.MethodGet, "/x?username="+carol, strings.NewReader("username="+alice), http.Header{"Content-Type": {urlenc}})
		}},
		"form in utf-7": {form, func(c *client) reply {
			return post(c, "/x", urlenc+"; charset=utf-7", "username="+carol+"&+AHUsername="+alice)
		}},
		"form charset ebcdic": {q, func(c *client) reply {
			return post(c, "/x?username="+carol, urlenc+"; charset=ibm037", "\xa4\xa2\x85\x99\x95\x81\x94\x85=x")
		}},
		"form, a large one": {form, func(c *client) reply {
			return post(c, "/x?username="+carol, urlenc, "username="+carol+"&a="+strings.Repeat("x", 80<<10)+"&username="+alice)
		}},
		"query or form both": {form, func(c *client) reply {
			return post(c, "/x?[username]="+alice, urlenc, "username="+carol)
		}},
		"json large": {js, func(c *client) reply {
			return post(c, "/x", aj, `{"username":"`+carol+`","a":"`+strings.Repeat("x", 80<<10)+`","username":"`+alice+`"}`)
		}},
		"a GET with json, as Laravel reads it": {q, func(c *client) reply {
			return c.do(http.MethodGet, "/x?username="+carol, strings.NewReader(`{"username":"`+alice+`"}`), http.Header{"Content-Type": {aj}})
		}},
		"large json beside query": {q, func(c *client) reply {
			return post(c, "/x?username="+carol, aj, `{"a":"`+strings.Repeat("x", 80<<10)+`","username":"`+alice+`"}`)
		}},
		"form beside json": {js, func(c *client) reply { return post(c, "/x", urlenc, "username="+alice) }},
		"json said form beside form": {form, func(c *client) reply {
			return post(c, "/x", "application/x-www-form-urlencoded+json", `{"username":"`+alice+`"}`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := severalStart(t, test.speaks)
			c := s.client()
			c.pass(carol)
			p.reset()
			r := test.send(c)
			for _, a := range p.arrivals() {
				if a.cookie("sid") != "" && strings.Contains(unescaped(a.URI)+unescaped(a.Body)+"\xa4", alice) {
					t.Errorf("the session's values reached the app with %s %q: %d %s", a.URI, a.Body[:min(len(a.Body), 200)], r.StatusCode, r.body)
				}
			}
		})
	}
}

func TestWhoIsNamedInSeveralPlacesMustAgree(t *testing.T) {
	s, p := severalStart(t, "speaks_for query username")
	c := s.client()
	c.pass(carol)
	for name, send := range map[string]func() reply{
		"JSON that agrees":       func() reply { return c.json("/x?username="+carol, `{"username":"`+carol+`"}`) },
		"JSON of something else": func() reply { return c.json("/x?username="+carol, `{"a":1}`) },
		"JSON, a large one":      func() reply { return c.json("/x?username="+carol, `{"a":"`+strings.Repeat("x", 80<<10)+`"}`) },
		"text": func() reply {
			return c.do(http.MethodPost, "/x?username="+carol, strings.NewReader("a note"), http.Header{"Content-Type": {"text/plain"}})
		},
		"lines of JSON": func() reply {
			return c.do(http.MethodPost, "/x?username="+carol, strings.NewReader("{}\n{}\n"), http.Header{"Content-Type": {"application/x-ndjson"}})
		},
		"a body without any bytes": func() reply {
			return c.do(http.MethodPost, "/x?username="+carol, nil, http.Header{"Content-Type": {"application/json"}})
		},
	} {
		p.reset()
		if r := send(); !isPageOf(r, carol) {
			t.Errorf("%s: %d to %q %s", name, r.StatusCode, r.location(), r.body)
		}
	}
}

func (c *client) json(path, body string) reply {
	c.t.Helper()
	return c.do(http.MethodPost, path, strings.NewReader(body), http.Header{"Content-Type": {"application/json"}})
}

func TestNoTrailerSaysForWhomARequestSpeaks(t *testing.T) {
	s, l := ledgerStart(t, "speaks_for header X-User")
	s.raw("POST /open/upload HTTP/1.1\nHost: {host}\nConnection: close\nTransfer-Encoding: chunked\nTrailer: X-User\n\n3\nabc\n0\nX-User: " + alice)
	if a := l.last(t); len(a.Trailer["X-User"]) > 0 {
		t.Errorf("the trailers %v reached the app", a.Trailer)
	}
	s.turn(ledgerConfig("identity {http.request.header.Remote-User}"))
	s.raw("POST /open/upload HTTP/1.1\nHost: {host}\nConnection: close\nTransfer-Encoding: chunked\nTrailer: Remote-User, X-Sum\n\n3\nabc\n0\nRemote-User: " + alice + "\nX-Sum: 1")
	if a := l.last(t); len(a.Trailer["Remote-User"]) > 0 || len(a.Trailer["X-Sum"]) == 0 {
		t.Errorf("the trailers %v reached the app, want X-Sum alone", a.Trailer)
	}
}
