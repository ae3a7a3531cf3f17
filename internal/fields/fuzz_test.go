package fields

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode"
)

// laxForm is a form as PHP reads it, written anew and as simply as can be: the
// last value of each variable, arrays as "[]".
func laxForm(s string) map[string]string {
	vars := map[string]string{}
	for pair := range strings.SplitSeq(s, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, value = laxDecode(name), laxDecode(value)
		name, _, _ = strings.Cut(name, "\x00")
		name = strings.TrimLeft(name, " \t\n\v\f\r")
		if at := strings.IndexByte(name, '['); at == 0 {
			continue
		} else if at > 0 && strings.Contains(name[at:], "]") {
			name, value = name[:at], "[]"
		}
		name = strings.NewReplacer(" ", "_", ".", "_", "[", "_").Replace(name)
		if name != "" {
			vars[name] = value
		}
	}
	return vars
}

func laxDecode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '+' {
			b.WriteByte(' ')
			continue
		}
		if s[i] == '%' && i+3 <= len(s) {
			if one, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(one)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// judged gives what Login says of a body, whole and streaming, and fails if a
// reader that found both fields was not heard.
func judged(t *testing.T, contentType, body string, read func() (user string, both bool)) {
	t.Helper()
	r := vector{contentType: contentType, body: body}.request(t)
	b, err := Read(r, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	found, err := Login(r, b, "email", "password")
	user, both := read()
	if err == nil && both && !found.Login {
		t.Fatalf("%q has both fields, Login says that it is no login", body)
	}
	if err == nil && both && strings.TrimFunc(user, unicode.IsSpace) != found.User {
		t.Fatalf("the user of %q is %q, Login says %q", body, user, found.User)
	}
	if after, _ := io.ReadAll(r.Body); string(after) != body {
		t.Fatalf("the body %q became %q", body, after)
	}

	s := stream(contentType, "", strings.NewReader(body))
	part, err := Read(s, int64(len(body)/3))
	if err != nil || part.Whole() {
		return
	}
	_, err = Login(s, part, "email", "password")
	part.Watch(s, "email", "password", nil)
	after, watched := io.ReadAll(s.Body)
	if both && err == nil && watched == nil {
		t.Fatalf("%q has both fields and streamed through", body)
	}
	if watched == nil && string(after) != body {
		t.Fatalf("the streamed body %q became %q", body, after)
	}
	if found.Login && err == nil && watched == nil {
		t.Fatalf("%q is a login when whole, and streamed through", body)
	}
}

func FuzzAForm(f *testing.F) {
	for _, v := range allVectors() {
		f.Add(v.body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		judged(t, formType, body, func() (string, bool) {
			vars := laxForm(body)
			user, a := vars["email"]
			_, b := vars["password"]
			return user, a && b
		})
		judged(t, formType, body, func() (string, bool) {
			q, _ := url.ParseQuery(body)
			return q.Get("email"), q.Has("email") && q.Has("password")
		})
	})
}

func FuzzJSON(f *testing.F) {
	for _, v := range jsonVectors {
		f.Add(v.body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, contentType := range []string{jsonType, formType, "text/plain", "image/png", partsType} {
			judged(t, contentType, body, func() (string, bool) {
				var v struct {
					Email    *string
					Password any
				}
				// A decoder stops at the end of the first value.
				err := json.NewDecoder(strings.NewReader(body)).Decode(&v)
				if err != nil || v.Email == nil || v.Password == nil {
					return "", false
				}
				return *v.Email, true
			})
		}
	})
}

func FuzzMultipart(f *testing.F) {
	for _, v := range partVectors {
		f.Add(v.contentType, v.body)
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		if strings.ContainsAny(contentType, "\r\n") {
			return
		}
		judged(t, contentType, body, func() (string, bool) {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("Content-Type", contentType)
			if main, _, _ := mime.ParseMediaType(contentType); !strings.HasPrefix(main, "multipart/") {
				return "", false
			}
			m, err := r.MultipartReader()
			if err != nil {
				return "", false
			}
			return readParts(m)
		})
	})
}

// readParts reads as far as it gets.
func readParts(m *multipart.Reader) (user string, both bool) {
	seen := map[string]string{}
	for {
		p, err := m.NextPart()
		if err != nil {
			_, a := seen["email"]
			_, b := seen["password"]
			return seen["email"], a && b
		}
		var text bytes.Buffer
		_, err = text.ReadFrom(p)
		if _, again := seen[p.FormName()]; !again && p.FileName() == "" && err == nil {
			seen[p.FormName()] = text.String()
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, v := range railsVectors {
		f.Add(v.contentType, v.query, v.body, "user[email]", "user[password]")
	}
	f.Fuzz(func(t *testing.T, contentType, query, body, user, password string) {
		v := vector{query: query, contentType: contentType, body: body}
		r := v.request(t)
		b, err := Read(r, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = Login(r, b, user, password)
		_, _ = Form(r, b, user)
		_, _ = JSON(r, b, user)
		_, _ = Query(r, user)
		_ = b.Strip(r, func(name string) bool { return name == user })
	})
}
