package fields

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	formType  = "application/x-www-form-urlencoded"
	jsonType  = "application/json"
	partsType = "multipart/form-data; boundary=AaB03x"
)

// vector is a request and what Login must say of it for the fields email and
// password: the user, "-" for no login, or "!" and the reason of the refusal.
type vector struct {
	name        string
	query       string
	contentType string // "none" for none, "\n" between several
	body        string
	want        string
}

// part is one part of a multipart body.
func part(header, value string) string { return "--AaB03x\r\n" + header + "\r\n\r\n" + value + "\r\n" }

func named(name, value string) string {
	return part(`Content-Disposition: form-data; name="`+name+`"`, value)
}

const theEnd = "--AaB03x--\r\n"

var both = named("email", "ann@x.org") + named("password", "pw")

var formVectors = []vector{
	{"a plain login", "", formType, "email=ann%40x.org&password=pw", "ann@x.org"},
	{"with other fields around", "", formType, "csrf=1&email=ann%40x.org&password=pw&go=", "ann@x.org"},
	{"with blanks around the name", "", formType, "email=+ann%40x.org%20&password=pw", "ann@x.org"},
	{"charset utf-8", "", formType + "; charset=UTF-8", "email=%C3%A4nn&password=pw", "änn"},
	{"only the user", "", formType, "email=ann", "-"},
	{"only the password", "", formType, "password=ann", "-"},
	{"other names", "", formType, "mail=ann&pass=x&emails=1&passwords=2&xemail=1&email2=3&email_=1", "-"},
	{"names as values", "", formType, "a=email&b=password", "-"},
	{"empty", "", formType, "", "-"},

	{"both in the query", "email=ann&password=pw", "none", "", "ann"},
	{"password in the query, user in the body", "password=pw", formType, "email=ann", "ann"},
	{"user in the query, password in the body", "email=ann", formType, "password=pw", "ann"},
	{"user in query and body", "email=bob", formType, "email=ann&password=pw", "!twice"},
	{"password in query and body", "password=x", formType, "email=ann&password=pw", "!twice"},
	{"user twice", "", formType, "email=ann&email=bob&password=pw", "!twice"},
	{"the same user twice", "", formType, "email=ann&email=ann&password=pw", "!twice"},
	{"password twice", "", formType, "email=ann&password=x&password=pw", "!twice"},
	{"user in two cases", "", formType, "email=ann&EMAIL=bob&password=pw", "!twice"},

	{"in capitals, for ASP.NET", "", formType, "Email=ann&PASSWORD=pw", "ann"},
	{"one letter encoded", "", formType, "%65mail=ann&passwor%64=pw", "ann"},
	{"wide escapes, for ASP.NET", "", formType, "%u0065mail=ann&password=pw", "ann"},
	{"full-width letters", "", formType, "%EF%BD%85mail=ann&password=pw", "ann"},
	{"Kelvin and long s fold to ASCII", "", formType, "email=ann&pa%C5%BFsword=pw", "ann"},
	{"a blank before the name, for PHP", "", formType, "+email=ann&%20password=pw", "ann"},
	{"a tab before the name", "", formType, "%09email=ann&password=pw", "ann"},
	{"a blank after the name", "", formType, "email+=ann&password=pw", "ann"},
	{"cut at NUL, for PHP", "", formType, "email%00x=ann&password%00=pw", "ann"},
	{"a NUL within", "", formType, "ema%00il=ann&password=pw", "ann"},
	{"a bad escape in another field", "", formType, "x=%zz&email=ann&password=pw", "ann"},
	{"a bad escape in the user", "", formType, "email=%zzann&password=pw", "!ambiguous"},
	{"a wide escape in the user", "", formType, "email=%u0061nn&password=pw", "!ambiguous"},
	{"a bad escape in the password", "", formType, "email=ann&password=%zz", "ann"},
	{"a name without =", "", formType, "email=ann&password", "ann"},
	{"an array", "", formType, "email[]=ann&password=pw", "!ambiguous"},
	{"an array with an index", "", formType, "email[x]=ann&password=pw", "!ambiguous"},
	{"an encoded array", "", formType, "email%5b%5d=ann&password=pw", "!ambiguous"},
	{"an array of the password", "", formType, "email=ann&password[]=pw", "!ambiguous"},
	{"user and array", "", formType, "email=ann&email[]=bob&password=pw", "!ambiguous"},
	{"an array if the NUL is dropped", "", formType, "email[%00]=ann&password=pw", "!ambiguous"},
	{"brackets around, for qs and old Rack", "", formType, "a=1&[email]=ann&[password]=pw", "ann"},
	{"a bracket that could open a JSON array", "", formType, "[email]=ann&[password]=pw", "!content_type"},
	{"an open bracket", "", formType, "email]=ann&password=pw", "ann"},

	{"split at ;", "", formType, "a=1;email=ann;password=pw", "!ambiguous"},
	{"password behind ;", "", formType, "email=ann&a=1;password=pw", "!ambiguous"},
	{"a second user behind ;", "", formType, "email=ann&password=pw;email=bob", "!ambiguous"},
	{"user cut by ;", "", formType, "email=ann;x&password=pw", "!ambiguous"},
	{"password cut by ;", "", formType, "email=ann&password=pw;x", "ann"},
	{"; in the query", "a=1;password=pw", formType, "email=ann", "!ambiguous"},
	{"a # in the query", "email=ann#x&password=pw", "none", "", "!ambiguous"},

	{"a control character", "", formType, "email=ann%0d%0abob&password=pw", "!ambiguous"},
	{"a NUL in the user", "", formType, "email=ann%00bob&password=pw", "!ambiguous"},
	{"not UTF-8", "", formType, "email=%e4nn&password=pw", "!charset"},
	{"an empty user", "", formType, "email=&password=pw", "!missing"},
	{"a long user", "", formType, "email=" + strings.Repeat("a", 257) + "&password=pw", "!ambiguous"},
	{"a very long user", "", formType, "email=" + strings.Repeat("a", 9000) + "&password=pw", "!ambiguous"},
	{"the longest user", "", formType, "email=" + strings.Repeat("a", 256) + "&password=pw", strings.Repeat("a", 256)},
	{"a value that holds =", "", formType, "email=a=b&password==", "a=b"},

	{"latin1, ASCII", "", formType + "; charset=ISO-8859-1", "email=ann&password=%e4", "ann"},
	{"latin1, not ASCII", "", formType + "; charset=iso-8859-1", "email=%c3%a4nn&password=pw", "!charset"},
	{"windows-1251", "", formType + "; charset=windows-1251", "email=ann&password=pw", "!charset"},
	{"windows-1251, no login", "", formType + "; charset=windows-1251", "note=ann", "-"},
	{"ibm037 hides the names", "", formType + "; charset=ibm037", "%85%94%81%89%93=%81&%97%81%A2%A2%A6%96%99%84=1", "!charset"},
	{"utf-16", "", formType + "; charset=utf-16", "%00e%00m=1", "!charset"},
	{"utf-7", "", formType + "; charset=utf-7", "a=1", "!charset"},
	{"_charset_ utf-8", "", formType, "_charset_=UTF-8&email=ann&password=pw", "ann"},
	{"_charset_ ibm037", "", formType, "_charset_=ibm037&%85%94%81%89%93=%81", "!charset"},
	{"_charset_ windows-1251, no login", "", formType, "_charset_=windows-1251&a=1", "-"},
	{"_charset_ windows-1251, login", "", formType, "_charset_=windows-1251&email=ann&password=pw", "!charset"},

	{"the type in capitals", "", "Application/X-WWW-Form-URLencoded", "email=ann&password=pw", "ann"},
	{"a last semicolon in the type", "", formType + ";", "email=ann&password=pw", "ann"},
	{"two types", "", formType + "\napplication/json", "email=ann&password=pw", "!content_type"},
	{"one type twice", "", formType + "\n" + formType, "email=ann&password=pw", "!content_type"},
	{"two types, no login", "", formType + "\napplication/json", "a=1", "-"},
	{"types with a comma", "", formType + ",text/plain", "email=ann&password=pw", "!content_type"},
	{"charset twice", "", formType + "; charset=utf-8; charset=ibm037", "email=ann&password=pw", "!content_type"},
	{"rubbish behind the type", "", formType + " x", "email=ann&password=pw", "!content_type"},
	{"no type", "", "none", "email=ann&password=pw", "!content_type"},
	{"an empty type", "", "", "email=ann&password=pw", "!content_type"},
	{"no type, no login", "", "none", "hello email password", "-"},
	{"text/plain", "", "text/plain", "email=ann&password=pw", "!content_type"},
	{"text/plain, half in the query", "password=pw", "text/plain", "email=ann", "!content_type"},
	{"text/plain, no login", "", "text/plain", "email and password: x=1&y=2", "-"},
	{"XML with escaped quotes", "", "text/xml", "<a>&quot;email&quot;:&quot;password&quot;</a>", "-"},
	{"an unknown type", "", "application/x-foo", "email=ann&password=pw", "!content_type"},
	{"query login, an image behind it", "email=ann&password=pw", "image/png", "\x89PNG", "ann"},
	{"an image", "", "image/png", "email=ann&password=pw", "-"},
}

var jsonVectors = []vector{
	{"plain", "", jsonType, `{"email":"ann","password":"pw"}`, "ann"},
	{"with charset", "", jsonType + "; charset=utf-8", ` {"email": "ann", "password": "pw"} ` + "\n", "ann"},
	{"problem json", "", "application/vnd.api+json", `{"email":"ann","password":"pw"}`, "ann"},
	{"text/json", "", "text/json", `{"email":"ann","password":"pw"}`, "ann"},
	{"escaped", "", jsonType, `{"\u0065mail":"\u0061nn","passwor\u0064":"pw"}`, "ann"},
	{"a pair of surrogates", "", jsonType, `{"email":"\ud83d\ude00","password":"pw"}`, "😀"},
	{"only the user", "", jsonType, `{"email":"ann"}`, "-"},
	{"deeper", "", jsonType, `{"a":{"email":"ann","password":"pw"}}`, "-"},
	{"in an array", "", jsonType, `[{"email":"ann","password":"pw"}]`, "-"},
	{"as values", "", jsonType, `["email","password"]`, "-"},
	{"a word", "", jsonType, `null`, "-"},
	{"user repeated", "", jsonType, `{"email":"ann","password":"pw","email":"bob"}`, "!json"},
	{"user repeated in capitals, for Go", "", jsonType, `{"email":"ann","password":"pw","Email":"bob"}`, "!json"},
	{"password repeated", "", jsonType, `{"email":"ann","password":"pw","password":"x"}`, "!json"},
	{"user in the query too", "email=bob", jsonType, `{"email":"ann","password":"pw"}`, "!twice"},
	{"password in the query", "password=pw", jsonType, `{"email":"ann"}`, "ann"},
	{"a number as user", "", jsonType, `{"email":1,"password":"pw"}`, "!ambiguous"},
	{"null as user", "", jsonType, `{"email":null,"password":"pw"}`, "!ambiguous"},
	{"an object as user", "", jsonType, `{"email":{"a":"ann"},"password":"pw"}`, "!ambiguous"},
	{"an array as user", "", jsonType, `{"email":["ann"],"password":"pw"}`, "!ambiguous"},
	{"any password", "", jsonType, `{"email":"ann","password":[1,{"a":true}]}`, "ann"},
	{"a lone surrogate", "", jsonType, `{"email":"ann\ud800","password":"pw"}`, "!ambiguous"},
	{"a lone second half", "", jsonType, `{"email":"\udc00ann","password":"pw"}`, "!ambiguous"},
	{"a lone surrogate elsewhere", "", jsonType, `{"x":"\ud800","email":"ann","password":"pw"}`, "ann"},
	{"a lone surrogate in a key", "", jsonType, `{"email\ud800":"ann","password":"pw"}`, "!json"},
	{"a NUL in a key", "", jsonType, `{"email\u0000x":"ann","password":"pw"}`, "ann"},
	{"a control character in the user", "", jsonType, `{"email":"ann\n","password":"pw"}`, "ann"},
	{"a control character within the user", "", jsonType, `{"email":"a\nnn","password":"pw"}`, "!ambiguous"},
	{"trailing rubbish", "", jsonType, `{"email":"ann","password":"pw"}x`, "!json"},
	{"two values", "", jsonType, `{"email":"ann","password":"pw"}{"email":"bob"}`, "!json"},
	{"a comment", "", jsonType, `{"email":"ann",/* */"password":"pw"}`, "!json"},
	{"single quotes", "", jsonType, `{'email':'ann','password':'pw'}`, "!json"},
	{"no quotes", "", jsonType, `{email:"ann",password:"pw"}`, "!json"},
	{"a comma too many", "", jsonType, `{"email":"ann","password":"pw",}`, "!json"},
	{"NaN", "", jsonType, `{"a":NaN,"email":"ann","password":"pw"}`, "!json"},
	{"a leading zero", "", jsonType, `{"a":01,"email":"ann","password":"pw"}`, "!json"},
	{"a mark of byte order", "", jsonType, "\ufeff" + `{"email":"ann","password":"pw"}`, "!json"},
	{"utf-16", "", jsonType, utf16(`{"email":"ann","password":"pw"}`), "!json"},
	{"utf-16 by charset", "", jsonType + "; charset=utf-16le", utf16(`{"a":1}`), "!charset"},
	{"invalid UTF-8", "", jsonType, "{\"email\":\"ann\xff\",\"password\":\"pw\"}", "!json"},
	{"overlong UTF-8", "", jsonType, "{\"\xc1\xa5mail\":\"ann\",\"email\":\"\",\"password\":\"pw\"}", "!json"},
	{"a raw line end", "", jsonType, "{\"email\":\"ann\n\",\"password\":\"pw\"}", "!json"},
	{"cut off", "", jsonType, `{"email":"ann","password":"pw"`, "!json"},
	{"broken, escaped names", "", jsonType, `{"\u0065mail":"ann","passwor\u0064":"pw"`, "!json"},
	{"broken, backslashes", "", jsonType, `{"em\ail":"ann","password":"pw"}`, "!json"},
	{"broken, half in the query", "email=ann", jsonType, `{"password":"pw"`, "!json"},
	{"broken, none of the names", "", jsonType, `{"a":1`, "-"},
	{"too deep", "", jsonType, `{"email":"ann","password":"pw","x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, "!json"},
	{"deep", "", jsonType, `{"email":"ann","password":"pw","x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`, "ann"},
	{"brackets that do not match", "", jsonType, `{"email":"ann","password":["pw"}}`, "!json"},
	{"a form said to be JSON", "", jsonType, "email=ann&password=pw", "!json"},

	{"JSON said to be a form", "", formType, `{"email":"ann","password":"pw"}`, "!content_type"},
	{"JSON with = and & said to be a form", "", formType, `{"a":"=&","email":"ann","password":"pw"}`, "!content_type"},
	{"JSON without a type", "", "none", `{"email":"ann","password":"pw"}`, "!content_type"},
	{"JSON as text", "", "text/plain;charset=UTF-8", ` {"email":"ann","password":"pw"}`, "!content_type"},
	{"JSON as an image", "", "image/png", `{"email":"ann","password":"pw"}`, "!content_type"},
	{"JSON as bytes", "", "application/octet-stream", `{"email":"ann","password":"pw"}`, "!content_type"},
	{"JSON as multipart", "", partsType, `{"email":"ann","password":"pw"}`, "!multipart"},
	{"JSON as text, no login", "", "text/plain", `{"event":"x"}`, "-"},
}

var partVectors = []vector{
	{"plain", "", partsType, both + theEnd, "ann@x.org"},
	{"no line end behind", "", partsType, both + "--AaB03x--", "ann@x.org"},
	{"quoted boundary", "", `multipart/form-data; boundary="AaB03x"`, both + theEnd, "ann@x.org"},
	{"with a file", "", partsType, part("Content-Disposition: form-data; name=\"f\"; filename=\"C:\\a.png\"\r\nContent-Type: image/png", "\x89PNG\r\n\x00") + both + theEnd, "ann@x.org"},
	{"fetch's form with a type", "", partsType, part("Content-Disposition: form-data; name=\"email\"\r\nContent-Type: text/plain; charset=utf-8", "ann") + named("password", "pw") + theEnd, "ann"},
	{"no parts", "", partsType, "--AaB03x--\r\n", "-"},
	{"only the user", "", partsType, named("email", "ann") + theEnd, "-"},
	{"names as values", "", partsType, named("a", "name=\"email\"") + named("b", "name=\"password\"") + theEnd, "-"},
	{"password in the query", "password=pw", partsType, named("email", "ann") + theEnd, "ann"},
	{"twice", "", partsType, both + named("email", "bob") + theEnd, "!twice"},
	{"twice in capitals", "", partsType, both + named("EMAIL", "bob") + theEnd, "!twice"},
	{"an array", "", partsType, named("email[]", "ann") + named("password", "pw") + theEnd, "!ambiguous"},
	{"an escaped name", "", partsType, named("%65mail", "ann") + named("password", "pw") + theEnd, "ann"},
	{"the user as a file", "", partsType, part(`Content-Disposition: form-data; name="email"; filename="x"`, "ann") + named("password", "pw") + theEnd, "!ambiguous"},
	{"the user as a file of RFC 5987", "", partsType, part(`Content-Disposition: form-data; name="email"; filename*=UTF-8''x`, "ann") + named("password", "pw") + theEnd, "!ambiguous"},
	{"a file of RFC 5987 beside", "", partsType, part(`Content-Disposition: form-data; name="f"; filename="x"; filename*=UTF-8''x`, "ann") + both + theEnd, "ann@x.org"},
	{"a line end in the user", "", partsType, named("email", "ann\r\nbob") + named("password", "pw") + theEnd, "!ambiguous"},
	{"a preamble", "", partsType, "x\r\n" + both + theEnd, "!multipart"},
	{"an empty line before", "", partsType, "\r\n" + both + theEnd, "!multipart"},
	{"an epilogue", "", partsType, both + theEnd + "x", "!multipart"},
	{"no end", "", partsType, both, "!multipart"},
	{"cut in a part", "", partsType, both + "--AaB03x\r\nContent-Dis", "!multipart"},
	{"line feeds only", "", partsType, strings.ReplaceAll(both+theEnd, "\r\n", "\n"), "!multipart"},
	{"carriage returns only", "", partsType, strings.ReplaceAll(both+theEnd, "\r\n", "\r"), "!multipart"},
	{"a delimiter at a line feed", "", partsType, named("a", "x\n--AaB03x\nContent-Disposition: form-data; name=\"email\"\n\nann") + named("password", "pw") + theEnd, "!multipart"},
	{"a delimiter within a line", "", partsType, named("a", "x--AaB03x") + both + theEnd, "!multipart"},
	{"a blank behind a delimiter", "", partsType, "--AaB03x \r\n" + both[10:] + theEnd, "!multipart"},
	{"a longer delimiter", "", partsType, named("a", "x\r\n--AaB03xy\r\nfoo") + both + theEnd, "!multipart"},
	{"unquoted names", "", partsType, part("Content-Disposition: form-data; name=email", "ann") + part("Content-Disposition: form-data; name=password", "pw") + theEnd, "!multipart"},
	{"single quotes", "", partsType, part("Content-Disposition: form-data; name='email'", "ann") + named("password", "pw") + theEnd, "!multipart"},
	{"escaped quotes", "", partsType, named(`e\mail`, "ann") + named("password", "pw") + theEnd, "!multipart"},
	{"a quote hidden by a backslash", "", partsType, part(`Content-Disposition: form-data; filename="\"; name="email"`, "ann") + named("password", "pw") + theEnd, "!multipart"},
	{"a name within the file name", "", partsType, part(`Content-Disposition: form-data; name="x"; filename="a; name=email"`, "ann") + named("password", "pw") + theEnd, "!multipart"},
	{"name*", "", partsType, part(`Content-Disposition: form-data; name*=utf-8''%65mail`, "ann") + named("password", "pw") + theEnd, "!multipart"},
	{"name in pieces", "", partsType, part(`Content-Disposition: form-data; name*0="em"; name*1="ail"`, "ann") + named("password", "pw") + theEnd, "!multipart"},
	{"two names", "", partsType, part(`Content-Disposition: form-data; name="x"; name="email"`, "ann") + named("password", "pw") + theEnd, "!multipart"},
	{"two dispositions", "", partsType, part("Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"email\"", "ann") + named("password", "pw") + theEnd, "!multipart"},
	{"a folded header", "", partsType, part("Content-Disposition: form-data;\r\n name=\"email\"", "ann") + named("password", "pw") + theEnd, "!multipart"},
	{"a blank before the colon", "", partsType, part("Content-Disposition : form-data; name=\"email\"", "ann") + named("password", "pw") + theEnd, "!multipart"},
	{"base64", "", partsType, part("Content-Disposition: form-data; name=\"email\"\r\nContent-Transfer-Encoding: base64", "YW5u") + named("password", "pw") + theEnd, "!multipart"},
	{"binary", "", partsType, part("Content-Disposition: form-data; name=\"email\"\r\nContent-Transfer-Encoding: binary", "ann") + named("password", "pw") + theEnd, "ann"},
	{"an encoded word", "", partsType, part(`Content-Disposition: form-data; name==?utf-8?B?ZW1haWw=?=`, "ann") + named("password", "pw") + theEnd, "!multipart"},
	{"an attachment", "", partsType, part(`Content-Disposition: attachment; name="email"`, "ann") + named("password", "pw") + theEnd, "!multipart"},
	{"a nested multipart", "", partsType, part("Content-Disposition: form-data; name=\"x\"\r\nContent-Type: multipart/mixed; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\nann\r\n--b--") + named("password", "pw") + theEnd, "!multipart"},
	{"a part in ibm037", "", partsType, part("Content-Disposition: form-data; name=\"email\"\r\nContent-Type: text/plain; charset=ibm037", "ann") + named("password", "pw") + theEnd, "!charset"},
	{"a part in utf-7", "", partsType, part("Content-Disposition: form-data; name=\"email\"\r\nContent-Type: text/plain; charset=utf-7", "ann+AGI-") + named("password", "pw") + theEnd, "!charset"},
	{"_charset_", "", partsType, named("_charset_", "utf-16") + named("a", "x") + theEnd, "!charset"},
	{"a NUL in the header", "", partsType, part("Content-Disposition: form-data; name=\"email\x00\"", "ann") + named("password", "pw") + theEnd, "!multipart"},

	{"two boundaries", "", "multipart/form-data; boundary=AaB03x; boundary=b", both + theEnd, "!content_type"},
	{"a boundary in another parameter, for PHP", "", "multipart/form-data; xboundary=zzz; boundary=b", "--zzz\r\n" + strings.ReplaceAll(both, "AaB03x", "zzz"), "!content_type"},
	{"a boundary in a value", "", `multipart/form-data; x="boundary=AaB03x"; boundary=b`, both + theEnd, "!content_type"},
	{"boundary*", "", "multipart/form-data; boundary*=utf-8''AaB03x", both + theEnd, "!content_type"},
	{"a boundary with a comma", "", `multipart/form-data; boundary="AaB03x,b"`, both + theEnd, "!content_type"},
	{"a boundary with a blank", "", `multipart/form-data; boundary="AaB03x b"`, both + theEnd, "!content_type"},
	{"no boundary", "", "multipart/form-data", both + theEnd, "!content_type"},
	{"no boundary, no login", "", "multipart/form-data", named("a", "x") + theEnd, "-"},
	{"a comma for a semicolon", "", "multipart/form-data, boundary=AaB03x", both + theEnd, "!content_type"},
	{"multipart as text", "", "text/plain", both + theEnd, "!content_type"},
	{"multipart/mixed", "", "multipart/mixed; boundary=AaB03x", both + theEnd, "ann@x.org"},
	{"broken, no login", "", partsType, strings.ReplaceAll(named("a", "x")+theEnd, "\r\n", "\n"), "-"},
}

func allVectors() []vector {
	return append(append(append([]vector(nil), formVectors...), jsonVectors...), partVectors...)
}

func utf16(s string) string {
	var b strings.Builder
	for i := range s {
		b.WriteByte(s[i])
		b.WriteByte(0)
	}
	return b.String()
}

func (v vector) request(t testing.TB) *http.Request {
	t.Helper()
	var body io.Reader
	if v.body != "" {
		body = strings.NewReader(v.body)
	}
	r := httptest.NewRequest(http.MethodPost, "/", body)
	r.URL.RawQuery = v.query
	if v.contentType != "none" {
		r.Header["Content-Type"] = strings.Split(v.contentType, "\n")
	}
	return r
}
