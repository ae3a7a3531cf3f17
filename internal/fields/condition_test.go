package fields

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// The verdicts of a vector: "yes", "no", and "beyond" for a body that is longer
// than what is read.
func verdictOf(v Verdict) string {
	return map[Verdict]string{Absent: "no", Present: "yes", Beyond: "beyond"}[v]
}

// deleting is what the vectors ask for: a field action with the value delete.
var deleting = NewCondition(Field{Name: "action", Values: []string{"delete", "drop"}})

var conditionVectors = []vector{
	{"a form", "", formType, "a=1&action=delete&b=2", "yes"},
	{"the other value", "", formType, "action=drop", "yes"},
	{"another value", "", formType, "action=view", "no"},
	{"no such field", "", formType, "a=action&b=delete&actions=delete&xaction=delete", "no"},
	{"no body and no query", "", "none", "", "no"},
	{"the query", "action=delete", "none", "", "yes"},
	{"the query, another value", "action=view", "none", "", "no"},
	{"the query of a form", "action=delete", formType, "a=1", "yes"},
	{"query and body, the query", "action=delete", formType, "action=view", "yes"},
	{"query and body, the body", "action=view", formType, "action=delete", "yes"},
	{"query and body, neither", "action=view", formType, "action=list", "no"},
	{"twice, the first", "", formType, "action=delete&action=view", "yes"},
	{"twice, the last", "", formType, "action=view&action=delete", "yes"},
	{"twice, neither", "", formType, "action=view&action=list", "no"},

	{"the name in capitals", "", formType, "ACTION=delete", "yes"},
	{"the value in capitals", "", formType, "action=Delete", "yes"},
	{"an escaped name", "", formType, "%61ction=delete", "yes"},
	{"an escaped value", "", formType, "action=%64elete", "yes"},
	{"a wide escape in the name", "", formType, "%u0061ction=delete", "yes"},
	{"a wide escape in the value", "", formType, "action=%u0064elete", "yes"},
	{"a bad escape in the value", "", formType, "action=view%zz", "yes"},
	{"a blank before the name, for PHP", "", formType, "+action=delete", "yes"},
	{"a blank after the value, for apps that trim", "", formType, "action=delete+", "yes"},
	{"a tab before the value", "", formType, "action=%09delete", "yes"},
	{"a mark without a width in the value", "", formType, "action=del%E2%80%8Bete", "yes"},
	{"full-width letters in the value", "", formType, "action=%EF%BD%84elete", "yes"},
	{"a NUL behind the value", "", formType, "action=delete%00x", "yes"},
	{"a NUL in another value", "", formType, "action=vi%00ew", "yes"},
	{"a byte that is no UTF-8 in the value", "", formType, "action=del%FFete", "yes"},
	{"an array, for PHP", "", formType, "action[]=delete", "yes"},
	{"an array of another value", "", formType, "action[]=view", "yes"},
	{"an array with an index", "", formType, "action[x]=view", "yes"},
	{"an encoded array", "", formType, "action%5B%5D=view", "yes"},
	{"a bracket that does not close", "", formType, "action]=delete", "yes"},
	{"a name cut at NUL", "", formType, "action%00x=delete", "yes"},
	{"behind ;", "", formType, "a=1;action=delete", "yes"},
	{"cut by ;", "", formType, "action=view;x", "yes"},
	{"; in the query", "a=1;action=delete", "none", "", "yes"},
	{"# in the query", "action=view#x", "none", "", "yes"},
	{"a name without =", "", formType, "action", "no"},
	{"a padded name", "", formType, strings.Repeat("+", 3000) + "action=delete", "yes"},
	{"a padded value", "", formType, "action=" + strings.Repeat("+", 9000) + "delete", "yes"},
	{"a field before 20,000 others", "", formType, "action=delete" + strings.Repeat("&a=", 20000), "yes"},
	{"a field behind 20,000 others", "", formType, strings.Repeat("a=&", 20000) + "action=delete", "yes"},

	{"no type", "", "none", "action=delete", "yes"},
	{"no type, another value", "", "none", "action=view", "no"},
	{"an empty type", "", "", "action=delete", "yes"},
	{"text", "", "text/plain", "action=delete", "yes"},
	{"an unknown type", "", "application/x-foo", "a=1&action=delete", "yes"},
	{"text that has the words", "", "text/plain", "an action may delete", "no"},
	{"XML that has the words", "", "text/xml", "<action>delete</action>", "no"},
	{"two types", "", formType + "\n" + jsonType, "action=view", "yes"},
	{"two types without the name", "", formType + "\n" + jsonType, "a=view", "no"},
	{"the type in capitals", "", "Application/X-WWW-Form-Urlencoded", "action=delete", "yes"},
	{"a boundary for a form", "", formType + "; boundary=x", "action=delete", "yes"},
	{"an image", "", "image/png", "\x89PNG action=delete", "no"},
	{"JSON as an image", "", "image/png", `{"action":"delete"}`, "yes"},
	{"utf-7", "", formType + "; charset=utf-7", "a=1", "yes"},
	{"utf-16", "", jsonType + "; charset=utf-16le", utf16(`{"a":1}`), "yes"},
	{"ibm037", "", formType + "; charset=ibm037", "%81%83%A3%89%96%95=%84%85%93%85%A3%85", "yes"},
	{"windows-1251, another value", "", formType + "; charset=windows-1251", "action=view", "yes"},
	{"windows-1251, no such field", "", formType + "; charset=windows-1251", "a=%e4", "no"},
	{"latin1, another value", "", formType + "; charset=latin1", "action=view", "no"},
	{"latin1, another value beyond ASCII", "", formType + "; charset=latin1", "action=%c3%a4", "yes"},
	{"_charset_ ibm037", "", formType, "a=1&_charset_=ibm037", "yes"},
	{"_charset_ windows-1251 behind it", "", formType, "action=view&_charset_=windows-1251", "yes"},

	{"parts", "", partsType, named("action", "delete") + theEnd, "yes"},
	{"parts, another value", "", partsType, named("action", "view") + theEnd, "no"},
	{"parts, twice", "", partsType, named("action", "view") + named("action", "delete") + theEnd, "yes"},
	{"parts, behind a file", "", partsType, filePart + "\x00\x01\r\n" + named("action", "delete") + theEnd, "yes"},
	{"parts, in a file", "", partsType, filePart + "name=\"action\"\r\n\r\ndelete\r\n" + theEnd, "no"},
	{"parts, as a file", "", partsType, part(`Content-Disposition: form-data; name="action"; filename="x"`, "view") + theEnd, "yes"},
	{"parts, a folded header", "", partsType, part("Content-Disposition: form-data;\r\n name=\"action\"", "delete") + theEnd, "yes"},
	{"parts, a name without quotes", "", partsType, part("Content-Disposition: form-data; name=action", "delete") + theEnd, "yes"},
	{"parts, two names", "", partsType, part(`Content-Disposition: form-data; name="a"; name="action"`, "delete") + theEnd, "yes"},
	{"parts, a name in RFC 2231", "", partsType, part(`Content-Disposition: form-data; name*=utf-8''%61ction`, "delete") + theEnd, "yes"},
	{"parts, an escaped name", "", partsType, named("%61ction", "delete") + theEnd, "yes"},
	{"parts, bare line ends", "", partsType, strings.ReplaceAll(named("action", "delete")+theEnd, "\r\n", "\n"), "yes"},
	{"parts, base64", "", partsType, part("Content-Disposition: form-data; name=\"action\"\r\nContent-Transfer-Encoding: base64", "ZGVsZXRl") + theEnd, "yes"},
	{"parts, a charset", "", partsType, part("Content-Disposition: form-data; name=\"action\"\r\nContent-Type: text/plain; charset=utf-7", "view") + theEnd, "yes"},
	{"parts, no boundary", "", "multipart/form-data", named("action", "delete") + theEnd, "yes"},
	{"parts, two boundaries", "", partsType + "; boundary=b", named("action", "view") + theEnd, "yes"},
	{"parts, no end", "", partsType, named("action", "view"), "yes"},
	{"parts, no end, no such name", "", partsType, named("a", "view"), "no"},
	{"multipart/mixed", "", strings.Replace(partsType, "form-data", "mixed", 1), named("action", "delete") + theEnd, "yes"},

	{"JSON", "", jsonType, `{"a":1,"action":"delete"}`, "yes"},
	{"JSON, another value", "", jsonType, `{"action":"view"}`, "no"},
	{"JSON, deeper", "", jsonType, `{"a":{"action":"delete"}}`, "no"},
	{"JSON, an escaped name", "", jsonType, `{"\u0061ction":"delete"}`, "yes"},
	{"JSON, an escaped value", "", jsonType, `{"action":"\u0064elete"}`, "yes"},
	{"JSON, keys twice", "", jsonType, `{"action":"delete","action":"view"}`, "yes"},
	{"JSON, keys twice, the last", "", jsonType, `{"action":"view","action":"delete"}`, "yes"},
	{"JSON, in capitals, for Go", "", jsonType, `{"Action":"delete"}`, "yes"},
	{"JSON, an array", "", jsonType, `{"action":["view"]}`, "yes"},
	{"JSON, an object", "", jsonType, `{"action":{"a":"view"}}`, "yes"},
	{"JSON, true, which compares like any text", "", jsonType, `{"action":true}`, "yes"},
	{"JSON, 0, which did in PHP", "", jsonType, `{"action":0}`, "yes"},
	{"JSON, false", "", jsonType, `{"action":false}`, "no"},
	{"JSON, null", "", jsonType, `{"action":null}`, "no"},
	{"JSON, a number", "", jsonType, `{"action":17}`, "no"},
	{"JSON, half a surrogate pair", "", jsonType, `{"action":"view\ud800"}`, "yes"},
	{"JSON, broken", "", jsonType, `{"action":"view"`, "yes"},
	{"JSON, broken, without the name", "", jsonType, `{"a":"view"`, "no"},
	{"JSON, single quotes", "", jsonType, `{'action':'view'}`, "yes"},
	{"JSON, a comment", "", jsonType, `{/**/"action":"view"}`, "yes"},
	{"JSON as a form", "", formType, `{"action":"delete"}`, "yes"},
	{"JSON without a type", "", "none", `{"action":"delete"}`, "yes"},
	{"JSON as text", "", "text/plain;charset=UTF-8", ` {"action":"delete"}`, "yes"},
	{"JSON as parts", "", partsType, `{"action":"delete"}`, "yes"},
	{"a form as JSON", "", jsonType, `action=delete`, "yes"},
	{"problem JSON", "", "application/vnd.api+json", `{"action":"delete"}`, "yes"},
	{"JSON behind white space", "", "text/plain", strings.Repeat(" ", 5000) + `{"action":"delete"}`, "yes"},
}

func TestARuleThatAsksForAFieldIsNotEvaded(t *testing.T) {
	for _, v := range conditionVectors {
		t.Run(v.name, func(t *testing.T) {
			r := v.request(t)
			b := read(t, r)
			if got := verdictOf(deleting.In(r.URL.RawQuery, b)); got != v.want {
				t.Errorf("it says %q, want %q", got, v.want)
			}
			if v.want != "yes" && deleting.Surely(r.URL.RawQuery, b) {
				t.Error("it is surely there, and may not be there")
			}
			after, err := io.ReadAll(r.Body)
			if err != nil || string(after) != v.body {
				t.Errorf("the body is not what it was: %q, %v", after, err)
			}
		})
	}
}

func TestACompressedBodyMayHoldAnyField(t *testing.T) {
	for _, c := range []struct{ contentType, coding, body, want string }{
		{formType, "gzip", zipped(t, "a=1"), "yes"},
		{jsonType, "GZIP", zipped(t, `{"a":1}`), "yes"},
		{jsonType, "br", "x", "yes"},
		{jsonType, "identity", `{"a":1}`, "no"},
		{"", "gzip", zipped(t, "a=1"), "yes"},
		{"image/png", "gzip", zipped(t, "\x89PNG"), "no"},
		{"image/png", "gzip", zipped(t, `{"action":"delete"}`), "yes"},
		{"image/png", "none", "\x89PNG", "no"},
	} {
		r := vector{contentType: c.contentType, body: c.body}.request(t)
		r.Header.Set("Content-Encoding", c.coding)
		if got := verdictOf(deleting.In("", read(t, r))); got != c.want {
			t.Errorf("%s in %s: %q, want %q", c.contentType, c.coding, got, c.want)
		}
	}
}

func TestTheMethodDoesNotMatterToAField(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, "PROPFIND"} {
		r := vector{contentType: formType, body: "action=delete"}.request(t)
		r.Method = method
		if got := deleting.In("", read(t, r)); got != Present {
			t.Errorf("%s: %s", method, verdictOf(got))
		}
	}
}

func TestAFieldWithoutValuesIsThereWithAny(t *testing.T) {
	c := NewCondition(Field{Name: "data.export"})
	for _, v := range []vector{
		{"in brackets", "", formType, "data[export]=", "yes"},
		{"with a dot", "", formType, "data.export=0", "yes"},
		{"with a dot, for PHP", "", formType, "data_export=0", "yes"},
		{"with a blank, for PHP", "", formType, "data+export=0", "yes"},
		{"without =", "", formType, "data.export", "yes"},
		{"nested JSON", "", jsonType, `{"data":{"export":null}}`, "yes"},
		{"flat JSON", "", jsonType, `{"data.export":false}`, "yes"},
		{"an object of it", "", jsonType, `{"data":{"export":{"a":1}}}`, "yes"},
		{"as Rails wraps it", "", jsonType, `{"export":1}`, "yes"},
		{"only the outer one", "", jsonType, `{"data":{"x":1}}`, "no"},
		{"deeper", "", jsonType, `{"a":{"data":{"export":1}}}`, "no"},
	} {
		r := v.request(t)
		if got := verdictOf(c.In(r.URL.RawQuery, read(t, r))); got != v.want {
			t.Errorf("%s: %q, want %q", v.name, got, v.want)
		}
	}
}

func TestAValueThatIsANumberIsThatNumberInAnySpelling(t *testing.T) {
	five, yes := NewCondition(Field{Name: "id", Values: []string{"5"}}), NewCondition(Field{Name: "id", Values: []string{"true"}})
	for text, want := range map[string]string{
		"5": "yes", "05": "yes", "+5": "yes", "5.0": "yes", "5.7": "yes", "5e0": "yes", "0x5": "yes", "0b101": "yes", "5abc": "yes", " 5": "yes", "5,": "yes",
		"%D9%A5": "yes", "%EF%BC%95": "yes", "50e-1": "yes",
		"55": "no", "6": "no", "-5": "no", "": "no", "a5": "no", "0.5": "no", "15": "no", "x": "no", "e5": "no", ".": "no", "-": "no",
	} {
		r := vector{query: "id=" + strings.ReplaceAll(text, " ", "+"), contentType: "none"}.request(t)
		if got := verdictOf(five.In(r.URL.RawQuery, nil)); got != want {
			t.Errorf("%q for 5: %q, want %q", text, got, want)
		}
	}
	for literal, want := range map[string][2]string{
		"5": {"yes", "yes"}, "5.0": {"yes", "yes"}, "50e-1": {"yes", "yes"}, "6": {"no", "yes"}, "0": {"no", "yes"}, "true": {"yes", "yes"}, "false": {"no", "no"},
		"null": {"no", "no"}, `"5"`: {"yes", "no"}, `"TRUE"`: {"no", "yes"},
	} {
		r := vector{contentType: jsonType, body: `{"id":` + literal + `}`}.request(t)
		b := read(t, r)
		if a, z := verdictOf(five.In("", b)), verdictOf(yes.In("", b)); a != want[0] || z != want[1] {
			t.Errorf("%s: %q for 5 and %q for true, want %q", literal, a, z, want)
		}
	}
	for literal, want := range map[string]string{"false": "yes", "null": "yes", "0": "yes", "true": "no", "1": "no"} {
		r := vector{contentType: jsonType, body: `{"id":` + literal + `}`}.request(t)
		if got := verdictOf(NewCondition(Field{Name: "id", Values: []string{"0"}}).In("", read(t, r))); got != want {
			t.Errorf("%s for 0: %q, want %q", literal, got, want)
		}
	}
}

func TestSeveralFieldsMustAllBeThere(t *testing.T) {
	c := NewCondition(Field{Name: "action", Values: []string{"export"}}, Field{Name: "confirm"})
	for _, v := range []vector{
		{"both", "", formType, "action=export&confirm=", "yes"},
		{"one in the query", "confirm", formType, "action=export", "yes"},
		{"one", "", formType, "action=export", "no"},
		{"the other", "", formType, "confirm=1&action=view", "no"},
		{"one in broken JSON", "", jsonType, `{"action":"export"`, "no"},
		{"both in broken JSON", "", jsonType, `{"action":"export","confirm":1`, "yes"},
	} {
		r := v.request(t)
		if got := verdictOf(c.In(r.URL.RawQuery, read(t, r))); got != v.want {
			t.Errorf("%s: %q, want %q", v.name, got, v.want)
		}
	}
}

// What a rule says must be there is there only where every app finds it.
func TestAFieldIsSurelyThereOnlyIfEveryAppFindsIt(t *testing.T) {
	c := NewCondition(Field{Name: "action", Values: []string{"view", "list", "5"}})
	nested := NewCondition(Field{Name: "a.b", Values: []string{"view"}})
	for _, v := range []vector{
		{"a form", "", formType, "action=view", "yes"},
		{"the query", "action=view", "none", "", "yes"},
		{"twice, both allowed", "action=list", formType, "action=view", "yes"},
		{"parts", "", partsType, named("action", "view") + theEnd, "yes"},
		{"JSON", "", jsonType, `{"action":"view"}`, "yes"},
		{"a number in JSON", "", jsonType, `{"action":5}`, "yes"},
		{"an escaped letter", "", formType, "%61ction=vie%77", "yes"},

		{"absent", "", formType, "a=1", "no"},
		{"no body", "", "none", "", "no"},
		{"another value", "", formType, "action=delete", "no"},
		{"twice, the other too", "", formType, "action=view&action=delete", "no"},
		{"query and body", "action=view", formType, "action=delete", "no"},
		{"another case of the name", "", formType, "Action=view", "no"},
		{"another case of the value", "", formType, "action=VIEW", "no"},
		{"a blank", "", formType, "action=view+", "no"},
		{"a name that PHP reads as it", "", formType, "+action=view", "no"},
		{"an array", "", formType, "action[]=view", "no"},
		{"an array beside it", "", formType, "action=view&action[]=x", "no"},
		{"behind ;", "", formType, "a=1;action=view", "no"},
		{"cut by ;", "", formType, "action=view;x", "no"},
		{"in capitals beside it", "", formType, "action=view&ACTION=delete", "no"},
		{"no type", "", "none", "action=view", "no"},
		{"text", "", "text/plain", "action=view", "no"},
		{"an image", "", "image/png", "action=view", "no"},
		{"JSON as a form", "", formType, `{"action":"view"}`, "no"},
		{"broken JSON", "", jsonType, `{"action":"view"`, "no"},
		{"JSON, keys twice", "", jsonType, `{"action":"view","action":"delete"}`, "no"},
		{"JSON, in capitals", "", jsonType, `{"Action":"view"}`, "no"},
		{"parts, a file", "", partsType, part(`Content-Disposition: form-data; name="action"; filename="x"`, "view") + theEnd, "no"},
		{"parts, no end", "", partsType, named("action", "view"), "no"},
		{"another charset", "", formType + "; charset=windows-1251", "action=view", "no"},
		{"_charset_", "", formType, "action=view&_charset_=windows-1251", "no"},
		{"compressed", "", formType + "; charset=ibm037", "action=view", "no"},
		{"beyond the cap", "", formType, "action=view&a=" + strings.Repeat("x", cap64), "no"},
	} {
		r := v.request(t)
		got := "no"
		if c.Surely(r.URL.RawQuery, read(t, r)) {
			got = "yes"
		}
		if got != v.want {
			t.Errorf("%s: %q, want %q", v.name, got, v.want)
		}
	}
	for body, want := range map[string]bool{
		`{"a":{"b":"view"}}`: true, `{"a":{"b":"view"},"a":{}}`: false, `{"a.b":"view"}`: false, `{"b":"view"}`: false,
	} {
		r := vector{contentType: jsonType, body: body}.request(t)
		if got := nested.Surely("", read(t, r)); got != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
}

func TestALongBodyIsBeyondUntilTheFieldIsMet(t *testing.T) {
	long := strings.Repeat("x", 100000)
	for _, v := range []vector{
		{"nothing yet", "", formType, "a=" + long, "beyond"},
		{"another value yet", "", formType, "action=view&a=" + long, "beyond"},
		{"in the first part", "", formType, "action=delete&a=" + long, "yes"},
		{"in the query", "action=delete", formType, "a=" + long, "yes"},
		{"a charset that hides", "", formType + ";charset=utf-7", "a=" + long, "yes"},
		{"an image", "", "image/png", long, "beyond"},
		{"broken JSON with the name", "", jsonType, `{"action":"view"x` + long, "yes"},
	} {
		r := stream(v.contentType, v.query, strings.NewReader(v.body))
		b := read(t, r)
		if got := verdictOf(deleting.In(r.URL.RawQuery, b)); got != v.want {
			t.Errorf("%s: %q, want %q", v.name, got, v.want)
		}
		if want := v.contentType == "image/png"; b.IsOpaque() != want {
			t.Errorf("%s: opaque %v", v.name, !want)
		}
	}
}

// conditionBodies are longer than what is read before forwarding.
var conditionBodies = []longBody{
	{"a form, at the end", formType, "", long("a=1", "&b=some+value", 20000, "&action=delete"), true},
	{"a form, at the end of a mebibyte", formType, "", long("a=", "x", 1<<20, "&action=delete"), true},
	{"a form, another value at the end", formType, "", long("a=1", "&b=some+value", 20000, "&action=view"), false},
	{"a form, an array at the end", formType, "", long("a=1", "&b=some+value", 20000, "&action[]=view"), true},
	{"a form, padded in front", formType, "", long("a=1&", "+", 100000, "action=delete"), true},
	{"a form, a padded value", formType, "", long("action=", "+", 100000, "delete"), true},
	{"a form, split by ; at the end", formType, "", long("a=1", "&b=some+value", 20000, ";action=delete"), true},
	{"a form that turns out to hide", formType, "", long("a=1", "&b=some+value", 20000, "&_charset_=utf-7"), true},
	{"a form of which no value is certain", formType, "", long("action=view", "&b=some+value", 20000, "&_charset_=windows-1251"), true},
	{"JSON, at the end", jsonType, "", long(`{"a":"`, "x", 300000, `","action":"delete"}`), true},
	{"JSON, another value at the end", jsonType, "", long(`{"a":"`, "x", 300000, `","action":"view"}`), false},
	{"JSON, the key twice", jsonType, "", long(`{"action":"view","a":"`, "x", 300000, `","action":"delete"}`), true},
	{"JSON, broken at the end", jsonType, "", long(`{"action":"view","a":"`, "x", 300000, `"`), true},
	{"JSON, deeper", jsonType, "", long(`{"a":[{"action":"delete"}`, `,{"action":"delete"}`, 10000, `]}`), false},
	{"parts, behind a file", partsType, "", long(filePart, "x", 300000, "\r\n"+named("action", "delete")+theEnd), true},
	{"parts, another value behind a file", partsType, "", long(filePart, "x", 300000, "\r\n"+named("action", "view")+theEnd), false},
	{"parts, a file that has the name", partsType, "", long(filePart, "name=\"action\"\r\n\r\ndelete", 10000, "\r\n"+named("a", "view")+theEnd), false},
	{"parts, the value open at the end, as PHP reads it", partsType, "", long(filePart, "x", 300000, "\r\n"+strings.TrimSuffix(named("action", "delete"), "\r\n")), true},
	{"parts, another value, no end", partsType, "", long(filePart, "x", 300000, "\r\n"+named("action", "view")), true},
	{"parts, another value, broken behind it", partsType, "", long(named("action", "view")+filePart, "x", 300000, "\r\n--AaB03x rubbish"), true},
	{"parts, broken behind a file", partsType, "", long(filePart, "x", 300000, "\n"+strings.ReplaceAll(named("action", "view")+theEnd, "\r\n", "\n")), true},
	{"no type, at the end", "", "", long("a=1", "&b=some+value", 20000, "&action=delete"), true},
	{"text that has the words", "text/plain", "", long("", "an action may delete\n", 10000, ""), false},
	{"an image that has the words", "image/png", "", long("\x89PNG", "&action=delete", 10000, ""), false},
	{"JSON as an image", "image/png", "", long(` {"a":"`, "x", 300000, `","action":"delete"}`), true},
}

func TestALongBodyIsWatchedForAFieldToItsEnd(t *testing.T) {
	for _, c := range conditionBodies {
		for name, slow := range map[string]func(io.Reader) io.Reader{
			"": func(r io.Reader) io.Reader { return r }, " byte by byte": iotest.OneByteReader, " with the end": iotest.DataErrReader, " in halves": iotest.HalfReader,
		} {
			t.Run(c.name+name, func(t *testing.T) {
				t.Parallel()
				want, _ := io.ReadAll(io.MultiReader(c.pieces()...))
				r := stream(c.contentType, c.query, slow(io.MultiReader(c.pieces()...)))
				b := read(t, r)
				if got := deleting.In(r.URL.RawQuery, b); got != Beyond {
					t.Fatalf("before the field came it says %q", verdictOf(got))
				}
				calls := 0
				b.Watch(r, "email", "password", func() { calls++ })
				b.WatchFor(r, deleting, func() { calls++ })
				got, err := io.ReadAll(r.Body)
				if c.met {
					if !errors.Is(err, ErrMet) || calls != 1 || !b.Met() || len(got) >= len(want) {
						t.Fatalf("reading ended with %v after %d of %d bytes, met was called %d times", err, len(got), len(want), calls)
					}
					return
				}
				if err != nil || calls != 0 || b.Met() || !bytes.Equal(got, want) {
					t.Fatalf("reading ended with %v, %d of %d bytes, met %d times", err, len(got), len(want), calls)
				}
			})
		}
	}
}

func TestTheAppNeverHasTheEndOfAValueThatIsAskedFor(t *testing.T) {
	body := "a=" + strings.Repeat("x", 70000) + "&action=delete"
	for cut := len(body) - 20; cut < len(body); cut++ {
		r := stream(formType, "", strings.NewReader(body[:cut]), strings.NewReader(body[cut:]))
		b := read(t, r)
		b.WatchFor(r, deleting, nil)
		got, err := io.ReadAll(r.Body)
		if !errors.Is(err, ErrMet) || bytes.HasSuffix(got, []byte("delete")) {
			t.Fatalf("cut at %d: %v, the app has %q", cut, err, got[max(0, len(got)-20):])
		}
	}
}

func TestWhatWasReadIsNotReadAgain(t *testing.T) {
	r := stream(formType, "", strings.NewReader("action=delete"), filler("&a=b", 30000))
	first := read(t, r)
	put := r.Body
	second := read(t, r)
	if r.Body != put || &first.raw[0] != &second.raw[0] || second.Whole() {
		t.Error("it was read twice")
	}
	r.Header.Set("Content-Type", jsonType)
	if !read(t, r).IsJSON() {
		t.Error("what the headers say now is not heard")
	}
	if _, err := r.Body.Read(make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	if third := read(t, r); !bytes.HasPrefix(third.raw, []byte("delete")) {
		t.Errorf("after somebody has read on it begins with %.20q", third.raw)
	}
	rest, err := io.ReadAll(r.Body)
	if err != nil || len(rest) != len("delete")+120000 {
		t.Errorf("%d bytes are left, %v", len(rest), err)
	}
}

func TestABodyThatBreaksOffIsPutBackWithItsError(t *testing.T) {
	broken := errors.New("the line is dead")
	r := stream(formType, "", strings.NewReader("action=de"), iotest.ErrReader(broken))
	for range 2 {
		if _, err := Read(r, cap64); !errors.Is(err, broken) {
			t.Fatal(err)
		}
	}
	got, err := io.ReadAll(r.Body)
	if string(got) != "action=de" || !errors.Is(err, broken) {
		t.Errorf("the app gets %q and %v", got, err)
	}
}
