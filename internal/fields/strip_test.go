package fields

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
)

func credentials(t testing.TB) func(string) bool {
	t.Helper()
	m, err := cookie.NewMatcher("sid", "api_key")
	if err != nil {
		t.Fatal(err)
	}
	return m.FoldMatch
}

func TestACredentialIsTakenOutOfAForm(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"a=1&sid=x&b=%32+&&c", "a=1&b=%32+&&c"},
		{"sid=x", ""},
		{"%73id=x&a=1", "a=1"},
		{"SID[]=x&a=1", "a=1"},
		{"api.key=x&a=1;sid=2", "a=1"},
		{"a=1;sid=x;b=2", "a=1;b=2"},
		{"a=sid&side=1", "a=sid&side=1"},
	} {
		r := vector{contentType: formType, body: c.body}.request(t)
		r.Header.Set("Content-Length", strconv.Itoa(len(c.body)))
		b := read(t, r)
		if err := b.Strip(r, credentials(t)); err != nil {
			t.Fatalf("%q: %v", c.body, err)
		}
		got, _ := io.ReadAll(r.Body)
		if string(got) != c.want || r.ContentLength != int64(len(c.want)) || r.Header.Get("Content-Length") != strconv.Itoa(len(c.want)) {
			t.Errorf("%q becomes %q, length %d, header %s; want %q", c.body, got, r.ContentLength, r.Header.Get("Content-Length"), c.want)
		}
	}
}

func TestAChunkedFormStaysChunkedWhenStripped(t *testing.T) {
	r := stream(formType, "", strings.NewReader("a=1&sid=x"))
	b := read(t, r)
	if err := b.Strip(r, credentials(t)); err != nil || r.ContentLength != -1 {
		t.Errorf("%v, length %d", err, r.ContentLength)
	}
	if got, _ := io.ReadAll(r.Body); string(got) != "a=1" {
		t.Errorf("the body is %q", got)
	}
}

func TestACredentialThatCannotBeTakenOutIsRefused(t *testing.T) {
	for _, c := range []struct {
		contentType, body string
		refused           bool
	}{
		{jsonType, `{"sid":"x"}`, true},
		{jsonType, `{"s\u0069d":"x"}`, true},
		{jsonType, `{"api":{"key":"x"}}`, true},
		{jsonType, `{"a":"sid"}`, false},
		{jsonType, `{"s\u0069d":"x"`, true},
		{jsonType, `{sid:"x"}`, true},
		{jsonType, `{"a":"x"`, false},
		{partsType, named("sid", "x") + theEnd, true},
		{partsType, named("api.key", "x") + theEnd, true},
		{partsType, named("a", "sid") + theEnd, false},
		{partsType, "x" + named("sid", "x") + theEnd, true},
		{partsType, "x" + named("a", "x") + theEnd, false},
		{formType, `{"sid":"x"}`, true},
		{formType + ";charset=ibm037", "a=1", true},
		{formType + ";charset=windows-1251", "sid=1", true},
		{formType + "\n" + formType, "sid=1", true},
		{"none", "sid=1", true},
		{"none", `{"sid":1}`, true},
		{"text/plain", "the sid is here", false},
		{"image/png", "sid=1", false},
	} {
		r := vector{contentType: c.contentType, body: c.body}.request(t)
		b := read(t, r)
		err := b.Strip(r, credentials(t))
		var e *Error
		if c.refused && (!errors.As(err, &e) || e.Reason != "ambiguous") || !c.refused && err != nil {
			t.Errorf("%s %q: %v, want refused %v", c.contentType, c.body, err, c.refused)
		}
		if got, _ := io.ReadAll(r.Body); string(got) != c.body {
			t.Errorf("%q becomes %q", c.body, got)
		}
	}
}

func TestACredentialBeyondTheCapCutsTheBodyOff(t *testing.T) {
	for _, c := range []struct {
		contentType, before, fill, after string
		met                              bool
	}{
		{formType, "a=1", "&b=1", "&sid=x", true},
		{formType, "a=1&sid=x", "&b=1", "", true},
		{formType, "a=1", "&b=1", "&c=sid", false},
		{jsonType, `{"a":["`, `x","`, `"],"sid":1}`, true},
		{jsonType, `{"a":["`, `sid","`, `"]}`, false},
		{jsonType, `{"a":["`, `sid","`, `"`, true},
		{partsType, filePart, "sid ", "\r\n" + named("sid", "x") + theEnd, true},
		{partsType, filePart, "sid ", "\r\n" + named("a", "x") + theEnd, false},
		{"image/png", "", "sid=1&", "", false},
	} {
		r := stream(c.contentType, "", strings.NewReader(c.before), filler(c.fill, 50000), strings.NewReader(c.after))
		b := read(t, r)
		if err := b.Strip(r, credentials(t)); err != nil {
			t.Fatal(err)
		}
		_, err := io.ReadAll(r.Body)
		if errors.Is(err, ErrMet) != c.met || b.Met() != c.met {
			t.Errorf("%s …%q: %v, met %v", c.contentType, c.after, err, b.Met())
		}
	}
}
