package fields

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

func saidOne(value string, err error) string {
	var e *Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &e):
		return "!" + e.Reason
	case errors.As(err, &large):
		return "!413"
	case err != nil:
		return "error " + err.Error()
	}
	return value
}

func TestOneFieldIsReadForCertain(t *testing.T) {
	long := strings.Repeat("x", cap64)
	for _, c := range []struct {
		what, name string
		vector
	}{
		{"form", "email", vector{"a form", "", formType, "email=ann&x=1", "ann"}},
		{"form", "email", vector{"parts", "", partsType, both + theEnd, "ann@x.org"}},
		{"form", "email", vector{"absent", "", formType, "x=1", "!missing"}},
		{"form", "email", vector{"empty", "", formType, "email=", "!missing"}},
		{"form", "email", vector{"no body", "", "none", "", "!missing"}},
		{"form", "email", vector{"only in the query", "email=ann", formType, "x=1", "!missing"}},
		{"form", "email", vector{"in the query too", "email=bob", formType, "email=ann", "!twice"}},
		{"form", "email", vector{"twice", "", formType, "email=ann&email=ann", "!twice"}},
		{"form", "email", vector{"JSON", "", jsonType, `{"email":"ann"}`, "!content_type"}},
		{"form", "email", vector{"JSON as a form", "", formType, `{"email":"ann"}`, "!content_type"}},
		{"form", "email", vector{"no type", "", "none", "email=ann", "!content_type"}},
		{"form", "email", vector{"an image", "", "image/png", "email=ann", "!content_type"}},
		{"form", "email", vector{"broken parts", "", partsType, "x" + both + theEnd, "!multipart"}},
		{"form", "email", vector{"charset", "", formType + ";charset=utf-7", "email=ann", "!charset"}},
		{"form", "email", vector{"too long", "", formType, "email=ann&x=" + long, "!413"}},
		{"form", "user[email]", vector{"brackets", "", formType, "user[email]=ann", "ann"}},
		{"json", "user.email", vector{"nested", "", jsonType, `{"user":{"email":"ann"}}`, "ann"}},
		{"json", "users.1.email", vector{"an index", "", jsonType, `{"users":[{"email":"ann"},{"email":"bob"}]}`, "bob"}},
		{"json", "0.email", vector{"an array at the top", "", jsonType, `[{"email":"ann"}]`, "ann"}},
		{"json", "email", vector{"repeated", "", jsonType, `{"email":"ann","email":"bob"}`, "!json"}},
		{"json", "a.email", vector{"a repeated parent", "", jsonType, `{"a":{"email":"ann"},"a":{}}`, "!json"}},
		{"json", "email", vector{"in the query too", "email=bob", jsonType, `{"email":"ann"}`, "!twice"}},
		{"json", "email", vector{"a number", "", jsonType, `{"email":1}`, "!ambiguous"}},
		{"json", "email", vector{"absent", "", jsonType, `{"x":1}`, "!missing"}},
		{"json", "email", vector{"broken", "", jsonType, `{"x":1`, "!json"}},
		{"json", "email", vector{"a form", "", formType, `email=ann`, "!content_type"}},
		{"query", "email", vector{"once", "email=ann", "none", "", "ann"}},
		{"query", "email", vector{"twice", "email=ann&EMAIL=bob", "none", "", "!twice"}},
		{"query", "email", vector{"behind ;", "a=1;email=ann", "none", "", "!ambiguous"}},
		{"query", "email", vector{"absent", "a=1", "none", "", "!missing"}},
	} {
		t.Run(c.what+" "+c.vector.name, func(t *testing.T) {
			r := c.request(t)
			b := read(t, r)
			got := ""
			switch c.what {
			case "form":
				got = saidOne(Form(r, b, c.name))
			case "json":
				got = saidOne(JSON(r, b, c.name))
			default:
				got = saidOne(Query(r, c.name))
			}
			if got != c.want {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}
