package fields

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// demanded judges a body in every way in which a request may come, and fails if
// an app that reads the field with its value gets it unnoticed.
func demanded(t *testing.T, contentType, body string, reads func() bool) {
	t.Helper()
	r := vector{contentType: contentType, body: body}.request(t)
	b, err := Read(r, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	said := deleting.In("", b)
	if reads() && said != Present {
		t.Fatalf("an app reads the field in %q, and it counts as %s", body, verdictOf(said))
	}
	if said == Beyond {
		t.Fatalf("%q was read whole and is not decided", body)
	}
	if deleting.Surely("", b) && said != Present {
		t.Fatalf("the field is surely in %q, and may not be in it", body)
	}
	if after, _ := io.ReadAll(r.Body); string(after) != body {
		t.Fatalf("the body %q became %q", body, after)
	}

	if contentType == "none" {
		contentType = ""
	}
	s := stream(contentType, "", strings.NewReader(body))
	part, err := Read(s, int64(len(body)/3))
	if err != nil || part.Whole() {
		return
	}
	if deleting.Surely("", part) {
		t.Fatalf("the field is surely in %q, of which nobody has seen the end", body)
	}
	early := deleting.In("", part)
	part.WatchFor(s, deleting, nil)
	after, err := io.ReadAll(s.Body)
	// Where parts break, all of a whole body is searched for the name, and of one
	// that streams what is not read for certain.
	must := reads() || said == Present && !strings.HasPrefix(contentType, "multipart/")
	if must && early == Beyond && !errors.Is(err, ErrMet) {
		t.Fatalf("%s %q has the field when whole, and streamed through: %v", contentType, body, err)
	}
	if err == nil && string(after) != body {
		t.Fatalf("the streamed body %q became %q", body, after)
	}
}

// laxParts says whether a part named action holds delete, as lenient apps read a
// multipart body: line ends of any kind, no closing delimiter.
func laxParts(body string) bool {
	for _, part := range strings.Split(body, "--AaB03x")[1:] {
		part = strings.ReplaceAll(part, "\r\n", "\n")
		header, value, found := strings.Cut(strings.TrimPrefix(part, "\n"), "\n\n")
		if found && strings.Contains(header, `name="action"`) && strings.TrimSuffix(value, "\n") == "delete" {
			return true
		}
	}
	return false
}

func FuzzACondition(f *testing.F) {
	for _, v := range conditionVectors {
		if len(v.body) < 1000 {
			f.Add(v.body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, contentType := range []string{formType, "none"} {
			demanded(t, contentType, body, func() bool { return laxForm(body)["action"] == "delete" })
			demanded(t, contentType, body, func() bool {
				q, _ := url.ParseQuery(body)
				return slices.Contains(q["action"], "delete")
			})
		}
		demanded(t, partsType, body, func() bool { return laxParts(body) })
		for _, contentType := range []string{jsonType, "text/plain", "image/png", formType, partsType} {
			demanded(t, contentType, body, func() bool {
				var v struct{ Action string }
				err := json.NewDecoder(strings.NewReader(body)).Decode(&v)
				return err == nil && v.Action == "delete"
			})
		}
	})
}
