package fields

import (
	"compress/gzip"
	"strings"
	"testing"
)

// railsVectors are requests for the fields user[email] and user[password].
var railsVectors = []vector{
	{"a plain login", "", formType, "user[email]=ann&user[password]=pw", "ann"},
	{"encoded brackets", "", formType, "user%5Bemail%5D=ann&user%5Bpassword%5D=pw", "ann"},
	{"text behind the bracket, for PHP", "", formType, "user[email]x=ann&user[password][y=pw", "!ambiguous"},
	{"a blank in the bracket", "", formType, "user[ email]=ann&user[password]=pw", "ann"},
	{"dots", "", formType, "user.email=ann&user.password=pw", "ann"},
	{"in capitals", "", formType, "User[Email]=ann&user[PASSWORD]=pw", "ann"},
	{"two spellings", "", formType, "user[email]=ann&user.email=bob&user[password]=pw", "!twice"},
	{"an array", "", formType, "user[email][]=ann&user[password]=pw", "!ambiguous"},
	{"overwritten by its parent", "", formType, "user[email]=ann&user[password]=pw&user=x", "!ambiguous"},
	{"siblings", "", formType, "user[email]=ann&user[password]=pw&user[remember]=1&user[x][y]=2", "ann"},
	{"another parent", "", formType, "admin[email]=ann&admin[password]=pw", "-"},
	{"only the parent", "", formType, "user=ann&x=pw", "-"},
	{"only the inner names", "", formType, "email=ann&password=pw", "-"},
	{"multipart", "", partsType, named("user[email]", "ann") + named("user[password]", "pw") + theEnd, "ann"},
	{"nested JSON", "", jsonType, `{"user":{"email":"ann","password":"pw"}}`, "ann"},
	{"a dotted key", "", jsonType, `{"user.email":"ann","user.password":"pw"}`, "ann"},
	{"a bracketed key", "", jsonType, `{"user[email]":"ann","user[password]":"pw"}`, "ann"},
	{"nested and dotted", "", jsonType, `{"user":{"email":"ann","password":"pw"},"user.email":"bob"}`, "!json"},
	{"a parent twice", "", jsonType, `{"user":{"email":"ann"},"user":{"password":"pw"}}`, "!json"},
	{"a parent twice, in capitals", "", jsonType, `{"user":{"email":"ann","password":"pw"},"USER":{}}`, "!json"},
	{"without its parent, as Rails wraps it", "", jsonType, `{"email":"ann","password":"pw"}`, "ann"},
	{"an array of users", "", jsonType, `{"user":[{"email":"ann","password":"pw"}]}`, "-"},
	{"broken JSON with both", "", jsonType, `{"user":{"email":"ann","password":"pw"}`, "!json"},
	{"query and JSON", "user[password]=pw", jsonType, `{"user":{"email":"ann"}}`, "ann"},
}

func TestRule18ANestedNameIsReadInEverySyntax(t *testing.T) {
	for _, v := range railsVectors {
		r := v.request(t)
		if got := said(Login(r, read(t, r), "user[email]", "user[password]")); got != v.want {
			t.Errorf("%s: Login says %q, want %q", v.name, got, v.want)
		}
	}
	for _, v := range []vector{
		{"literal", "", formType, "Input.Email=ann&Input.Password=pw", "ann"},
		{"as PHP files it", "", formType, "Input_Email=ann&Input_Password=pw", "ann"},
		{"brackets", "", formType, "Input[Email]=ann&Input[Password]=pw", "ann"},
		{"nested JSON", "", jsonType, `{"input":{"email":"ann","password":"pw"}}`, "ann"},
	} {
		r := v.request(t)
		if got := said(Login(r, read(t, r), "Input.Email", "Input.Password")); got != v.want {
			t.Errorf("dotted, %s: Login says %q, want %q", v.name, got, v.want)
		}
	}
}

func TestWhereThePasswordStandsIsTold(t *testing.T) {
	for _, c := range []struct {
		query, body string
		want        bool
	}{
		{"email=ann&password=pw", "", true},
		{"password=pw", "email=ann", true},
		{"email=ann", "password=pw", false},
		{"", "email=ann&password=pw", false},
	} {
		r := vector{query: c.query, contentType: formType, body: c.body}.request(t)
		if found, err := Login(r, read(t, r), "email", "password"); err != nil || !found.Login || found.InQuery != c.want {
			t.Errorf("%q, %q: %+v, %v", c.query, c.body, found, err)
		}
	}
}

func TestACompressedBodyOfAnOpaqueTypeIsLookedInto(t *testing.T) {
	for _, c := range []struct{ contentType, body, want string }{
		{"application/x-git-upload-pack-request", zipped(t, "0011want email password"), "-"},
		{"application/x-protobuf", zipped(t, "\x0a\x05email"), "-"},
		{"application/x-protobuf", zipped(t, "") + zipped(t, "\x0a\x05email"), "-"},
		{"application/x-protobuf", zipped(t, `{"email":"ann","password":"pw"}`), "!content_type"},
		{"application/x-protobuf", zipped(t, "") + zipped(t, ` {"email":"ann","password":"pw"}`), "!content_type"},
		{"application/x-protobuf", zipped(t, strings.Repeat(" ", 10000)+`{"email":"ann","password":"pw"}`), "!content_type"},
		{"application/x-protobuf", "no gzip", "!content_type"},
		{formType, zipped(t, "a=1"), "!content_type"},
	} {
		r := vector{contentType: c.contentType, body: c.body}.request(t)
		r.Header.Set("Content-Encoding", "gzip")
		if got := said(Login(r, read(t, r), "email", "password")); got != c.want {
			t.Errorf("%s: Login says %q, want %q", c.contentType, got, c.want)
		}
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestACodedBodyIsNotRead(t *testing.T) {
	for _, c := range []struct{ coding, contentType, body, want string }{
		{"gzip", formType, "\x1f\x8b", "!content_type"},
		{"gzip", jsonType, "\x1f\x8b", "!content_type"},
		{"GZIP", "none", "\x1f\x8b", "!content_type"},
		{"br", "image/png", "\x1f\x8b", "!content_type"},
		{"aws-chunked", "application/octet-stream", "x", "-"},
		{"identity", formType, "email=ann&password=pw", "ann"},
		{"gzip", formType, "", "-"},
		{"x-odd", formType, "a=1", "!content_type"},
	} {
		r := vector{contentType: c.contentType, body: c.body}.request(t)
		r.Header.Set("Content-Encoding", c.coding)
		if got := said(Login(r, read(t, r), "email", "password")); got != c.want {
			t.Errorf("%s, %s: Login says %q, want %q", c.coding, c.contentType, got, c.want)
		}
	}
}
