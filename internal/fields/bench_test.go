package fields

import (
	"io"
	"strings"
	"testing"
)

// BenchmarkLogin reads bodies of 64 KiB, ordinary and hostile.
func BenchmarkLogin(b *testing.B) {
	for _, c := range []struct{ name, contentType, fill string }{
		{"ordinary form", formType, "name=some+value&"},
		{"short odd names", formType, "%=&"},
		{"brackets", formType, "a[b][c].d%20=&"},
		{"wide escapes", formType, "%u0065.=&"},
		{"long odd names", formType, strings.Repeat("[.%00", 200) + "=&"},
		{"JSON keys", jsonType, `"a":1,`},
	} {
		b.Run(c.name, func(b *testing.B) {
			body := strings.Repeat(c.fill, cap64/len(c.fill))
			if c.contentType == jsonType {
				body = "{" + strings.TrimSuffix(body, ",") + "}"
			}
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				r := vector{contentType: c.contentType, body: body}.request(b)
				part := read(b, r)
				if found, err := Login(r, part, "user[email]", "user[password]"); found.Login || err != nil {
					b.Fatal(found, err)
				}
			}
		})
	}
}

// BenchmarkWatch streams 4 MiB.
func BenchmarkWatch(b *testing.B) {
	const size = 4 << 20
	for _, c := range []struct{ name, contentType, before, fill, after string }{
		{"form", formType, "a=1", "&name=some+value", ""},
		{"hostile form", formType, "a=1", "&%=", ""},
		{"JSON", jsonType, `{"a":[`, `{"name":"some text","n":17},`, `0]}`},
		{"file", partsType, filePart, "\x89PNG\r\n\x00\x01\x02\x03\xff", "\r\n" + theEnd},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				r := stream(c.contentType, "", strings.NewReader(c.before), filler(c.fill, size/len(c.fill)), strings.NewReader(c.after))
				part := read(b, r)
				part.Watch(r, "email", "password", nil)
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCondition asks for a field with two values.
func BenchmarkCondition(b *testing.B) {
	for _, c := range []struct{ name, query, contentType, body string }{
		{"no body, no query", "", "none", ""},
		{"a query", "page=3&sort=name&q=some+text", "none", ""},
		{"a small form", "", formType, "csrf=0123456789abcdef&action=view&ids=1&ids=2&ids=3"},
		{"64 KiB of a form", "", formType, strings.Repeat("name=some+value&", cap64/16)},
		{"64 KiB of JSON", "", jsonType, `{"a":[` + strings.Repeat(`{"name":"some text","n":17},`, cap64/28-1) + `0]}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := vector{query: c.query, contentType: c.contentType, body: c.body}.request(b)
			part := read(b, r)
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				if deleting.In(r.URL.RawQuery, part) != Absent {
					b.Fatal("it is there")
				}
			}
		})
	}
}
