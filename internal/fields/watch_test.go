package fields

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// stream is a body that nobody holds whole: pieces one after the other.
func stream(contentType, query string, pieces ...io.Reader) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(pieces...))
	r.ContentLength = -1
	r.URL.RawQuery = query
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// filler yields n times text.
func filler(text string, n int) io.Reader { return &repeated{text: text, left: n * len(text)} }

type repeated struct {
	text string
	at   int
	left int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && r.left > 0 {
		k := copy(p[n:min(len(p), n+r.left)], r.text[r.at:])
		r.at = (r.at + k) % len(r.text)
		r.left -= k
		n += k
	}
	return n, nil
}

type longBody struct {
	name        string
	contentType string
	query       string
	pieces      func() []io.Reader
	met         bool
}

func long(before, fill string, n int, after string) func() []io.Reader {
	return func() []io.Reader {
		return []io.Reader{strings.NewReader(before), filler(fill, n), strings.NewReader(after)}
	}
}

const filePart = "--AaB03x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n"

var longBodies = []longBody{
	{"a form, both at the end", formType, "", long("a=1", "&b=some+value", 20000, "&email=ann&password=pw"), true},
	{"a form, one at each end", formType, "", long("email=ann", "&b=some+value", 20000, "&password=pw"), true},
	{"a form, password in the query", formType, "password=pw", long("a=1", "&b=some+value", 20000, "&email=ann"), true},
	{"a form, escaped at the end", formType, "", long("a=1", "&b=some+value", 20000, "&%65mail=ann&Password%00=pw"), true},
	{"a form, behind ;", formType, "", long("a=1", "&b=some+value", 20000, ";email;password"), true},
	{"a form, behind one long value", formType, "", long("a=", "x", 300000, "&email=ann&password=pw"), true},
	{"a form, behind one long name", formType, "", long("a", "x", 300000, "&email=ann&password=pw"), true},
	{"a form that hides its names", formType, "", long("a=1", "&b=some+value", 20000, "&_charset_=ibm037"), true},
	{"a form, only the user", formType, "", long("email=ann", "&b=some+value", 20000, ""), false},
	{"a form, names in values", formType, "", long("a=", "email%3Dpassword ", 20000, ""), false},
	{"a form that looks like JSON", formType, "", long(`{"a":"`, "x", 300000, `","email":1,"password":2}`), true},

	{"JSON, both at the end", jsonType, "", long(`{"a":"`, "x", 300000, `","email":"ann","password":"pw"}`), true},
	{"JSON, the password open", jsonType, "", long(`{"a":"`, "x", 300000, `","email":"ann","password":"`), true},
	{"JSON, one at each end", jsonType, "", long(`{"email":"ann","a":["`, `x","`, 100000, `"],"password":"pw"}`), true},
	{"JSON, escaped", jsonType, "", long(`{"a":["`, `x","`, 100000, `"],"\u0065mail":"ann","pass\u0077ord":"pw"}`), true},
	{"JSON, broken in between", jsonType, "", long(`{"a":["`, `x","`, 100000, `x"y"],"email":"ann","password":"pw"}`), true},
	{"JSON, cut off", jsonType, "", long(`{"email":"ann","a":["`, `x","`, 100000, `password`), true},
	{"JSON, deeper", jsonType, "", long(`{"a":[{"email":"ann","password":"pw"}`, `,{"email":"ann","password":"pw"}`, 10000, `]}`), false},
	{"JSON, names in values", jsonType, "", long(`{"email":"ann","a":["`, `password","`, 100000, `"]}`), false},
	{"JSON, broken, without the names", jsonType, "", long(`{"a":["`, `x","`, 100000, ``), false},

	{"parts, both at the end", partsType, "", long(filePart, "x", 300000, "\r\n"+both+theEnd), true},
	{"parts, around a file", partsType, "", long(named("email", "a")+filePart, "x", 300000, "\r\n"+named("password", "pw")+theEnd), true},
	{"parts, broken behind a file", partsType, "", long(filePart, "x", 300000, "\n"+strings.ReplaceAll(both+theEnd, "\r\n", "\n")), true},
	{"parts, no delimiter before", partsType, "", long("", "x", 300000, "\r\n"+both+theEnd), true},
	{"parts, a long header", partsType, "", long("--AaB03x\r\nX: ", "x", 300000, "\r\n"+both+theEnd), true},
	{"parts, a file with the names", partsType, "", long(filePart, "name=\"email\" name=\"password\"\r\n", 10000, "\r\n"+named("a", "x")+theEnd), false},
	{"parts, no end, without the names", partsType, "", long(filePart, "x", 300000, ""), false},
	{"parts, no end, with a field", partsType, "", long(both[:60]+"\r\n"+filePart, "x", 300000, ""), false},
	{"parts, a broken delimiter and the names after it", partsType, "", long(filePart, "x", 300000, "--AaB03x\nContent-Disposition: form-data; name=email\n\npassword"), true},

	{"no type, form at the end", "", "", long("a=1", "&b=some+value", 20000, "&email=ann&password=pw"), true},
	{"no type, JSON", "", "", long(`{"a":"`, "x", 300000, `","email":"ann","password":"pw"}`), true},
	{"no type, parts", "", "", long(filePart, "x", 300000, "\r\n"+both+theEnd), true},
	{"text with the names", "text/plain", "", long("", "email and password\n", 10000, ""), false},
	{"XML with the names", "application/xml", "", long("<a>", "<email>&quot;email&quot;</email><password/>\n", 10000, "</a>"), false},
	{"an image with the names", "image/png", "", long("\x89PNG", "&email=1&password=2", 10000, ""), false},
	{"JSON as an image", "image/png", "", long(` {"a":"`, "x", 300000, `","email":"ann","password":"pw"}`), true},
	{"JSON as bytes, without the names", "application/octet-stream", "", long(` {"a":"`, "x", 300000, `"}`), false},
}

func TestALongBodyIsWatchedToItsEnd(t *testing.T) {
	for _, c := range longBodies {
		for name, slow := range map[string]func(io.Reader) io.Reader{
			"": func(r io.Reader) io.Reader { return r }, " byte by byte": iotest.OneByteReader, " with the end": iotest.DataErrReader, " in halves": iotest.HalfReader,
		} {
			t.Run(c.name+name, func(t *testing.T) {
				t.Parallel()
				want, _ := io.ReadAll(io.MultiReader(c.pieces()...))
				r := stream(c.contentType, c.query, slow(io.MultiReader(c.pieces()...)))
				b := read(t, r)
				if b.Whole() {
					t.Fatal("the body was read whole")
				}
				if found, err := Login(r, b, "email", "password"); found.Login || err != nil {
					t.Fatalf("Login says %v, %v before the names came", found, err)
				}
				calls := 0
				b.Watch(r, "email", "password", func() { calls++ })
				got, err := io.ReadAll(r.Body)
				if c.met {
					if !errors.Is(err, ErrMet) || calls != 1 || !b.Met() {
						t.Fatalf("reading ended with %v, met was called %d times", err, calls)
					}
					if len(got) >= len(want) {
						t.Fatal("the app had the whole body")
					}
					if _, err := r.Body.Read(make([]byte, 10)); !errors.Is(err, ErrMet) || calls != 1 {
						t.Fatalf("reading on gives %v, met was called %d times", err, calls)
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

func TestALoginInTheFirstPartOfALongBodyIsTooLarge(t *testing.T) {
	for _, c := range []struct{ contentType, query, body, want string }{
		{formType, "", "email=ann&password=pw&x=", "!413"},
		{formType, "email=ann&password=pw", "x=", "!413"},
		{jsonType, "", `{"email":"ann","password":"pw","x":"`, "!413"},
		{partsType, "", both + filePart, "!413"},
		{"text/plain", "", "email=ann&password=pw&x=", "!content_type"},
		{formType + "; charset=ibm037", "", "x=", "!charset"},
		{formType, "", "email=ann&x=", "-"},
	} {
		r := stream(c.contentType, c.query, strings.NewReader(c.body), filler("x", 100000))
		if got := said(Login(r, read(t, r), "email", "password")); got != c.want {
			t.Errorf("%s %q: Login says %q, want %q", c.contentType, c.body, got, c.want)
		}
	}
}

func TestTheAppNeverHasTheBytesThatCompleteALogin(t *testing.T) {
	body := "a=" + strings.Repeat("x", 70000) + "&email=ann&password=pw"
	for cut := len(body) - 30; cut < len(body); cut++ {
		r := stream(formType, "", strings.NewReader(body[:cut]), strings.NewReader(body[cut:]))
		b := read(t, r)
		b.Watch(r, "email", "password", nil)
		got, err := io.ReadAll(r.Body)
		if !errors.Is(err, ErrMet) || bytes.Contains(got, []byte("&password")) {
			t.Fatalf("cut at %d: %v, the app has %q", cut, err, got[max(0, len(got)-30):])
		}
	}
}

func TestSeveralLoginsAreWatchedAtOnce(t *testing.T) {
	r := stream(formType, "", strings.NewReader("a=1"), filler("&b=1", 30000), strings.NewReader("&log=ann&pwd=pw"))
	b := read(t, r)
	var met []string
	b.Watch(r, "log", "pwd", func() { met = append(met, "first") })
	b.Watch(r, "email", "password", func() { met = append(met, "second") })
	if _, err := io.ReadAll(r.Body); !errors.Is(err, ErrMet) || len(met) != 1 || met[0] != "first" || !b.Met() {
		t.Errorf("reading ended with %v, met %v", err, met)
	}
}

func TestAnErrorOfTheSourceIsPassedOnWithoutTheLastChunk(t *testing.T) {
	broken := errors.New("the line is dead")
	r := stream(formType, "", filler("a=1&", 30000), iotest.ErrReader(broken))
	b := read(t, r)
	b.Watch(r, "email", "password", nil)
	got, err := io.ReadAll(r.Body)
	if !errors.Is(err, broken) || b.Met() || len(got) == 120000 {
		t.Errorf("reading ended with %v after %d bytes, met %v", err, len(got), b.Met())
	}
}

func TestAnOpaqueStreamIsNotHeldUp(t *testing.T) {
	pr, pw := io.Pipe()
	r := stream("application/grpc", "", pr)
	b := read(t, r)
	if b.Whole() || b.Empty() {
		t.Fatal("a stream counts as read")
	}
	b.Watch(r, "email", "password", nil)
	answers := make(chan string)
	go func() {
		buf := make([]byte, 100)
		for range 3 {
			n, _ := r.Body.Read(buf)
			answers <- string(buf[:n])
		}
	}()
	for _, message := range []string{"\x00one", "two", "three"} {
		if _, err := io.WriteString(pw, message); err != nil {
			t.Fatal(err)
		}
		if got := <-answers; got != message {
			t.Errorf("the app got %q for %q", got, message)
		}
	}
	_ = pw.Close()
}

func TestAWebSocketOverHTTP2IsNotRead(t *testing.T) {
	pr, pw := io.Pipe()
	defer func() { _ = pw.Close() }()
	r := httptest.NewRequest(http.MethodConnect, "/", pr)
	r.ProtoMajor = 2
	r.Header[":protocol"] = []string{"websocket"}
	b := read(t, r)
	if !b.Whole() || !b.Empty() || r.Body != io.ReadCloser(pr) {
		t.Error("the tunnel was taken for a body")
	}
}

func TestAHugeBodyIsWatchedInFlatMemory(t *testing.T) {
	const size, huge = 32 << 20, 256 << 20
	for name, pieces := range map[string]struct {
		contentType string
		readers     []io.Reader
	}{
		"a form":        {formType, []io.Reader{strings.NewReader("a="), filler("some+value&b=", huge/13)}},
		"one value":     {formType, []io.Reader{strings.NewReader("a="), filler("x", size)}},
		"one name":      {formType, []io.Reader{filler("x", size)}},
		"JSON":          {jsonType, []io.Reader{strings.NewReader(`{"a":["`), filler(`some text","`, size/12), strings.NewReader(`"]}`)}},
		"a JSON string": {jsonType, []io.Reader{strings.NewReader(`{"a":"`), filler(`some text `, size/10), strings.NewReader(`"}`)}},
		"a file":        {partsType, []io.Reader{strings.NewReader(filePart), filler("\r\n--AaB03 \x00\xff", huge/12), strings.NewReader("\r\n" + theEnd)}},
		"broken parts":  {partsType, []io.Reader{filler("some text\n", size/10)}},
	} {
		t.Run(name, func(t *testing.T) {
			r := stream(pieces.contentType, "", pieces.readers...)
			b := read(t, r)
			b.Watch(r, "email", "password", nil)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			peak := uint64(0)
			buf := make([]byte, 64<<10)
			for n := 0; ; n++ {
				if _, err := r.Body.Read(buf); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				if n%500 == 0 {
					runtime.GC()
					runtime.ReadMemStats(&after)
					peak = max(peak, after.HeapAlloc)
				}
			}
			if grown := int64(peak) - int64(before.HeapAlloc); grown > 1<<20 {
				t.Errorf("the heap grew by %d bytes", grown)
			}
		})
	}
}

func TestNoGoroutineIsLeftBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 50 {
		r := stream(partsType, "", strings.NewReader(filePart), filler("x", 200000))
		b := read(t, r)
		b.Watch(r, "email", "password", nil)
		_, _ = r.Body.Read(make([]byte, 10))
		_ = r.Body.Close()
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines more than before", after-before)
	}
}
