package hold

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func keep(int, http.Header) Verdict { return Keep }

func newEditor(w http.ResponseWriter, early bool, edit Edit) *Editor {
	e := new(Editor)
	e.Start(w, early, edit)
	return e
}

func TestAKeptAnswerTouchesNothingOfTheBrowsers(t *testing.T) {
	rec := httptest.NewRecorder()
	rec.Header().Set("Server", "Caddy")
	rec.Header().Add("Set-Cookie", "ours=1")
	w := NewWriter(rec, 10, keep)
	w.Header().Set("Server", "the app's")
	w.Header().Add("Set-Cookie", "sid=secret")
	w.WriteHeader(http.StatusEarlyHints)
	w.WriteHeader(http.StatusFound)
	if n, err := w.Write([]byte("0123456789")); n != 10 || err != nil {
		t.Errorf("Write gave %d, %v", n, err)
	}
	if err := w.FlushError(); err != nil {
		t.Error(err)
	}
	if _, _, err := w.Hijack(); err == nil {
		t.Error("an answer that is kept became a tunnel")
	}
	w.Finish()
	if rec.Code != 200 || rec.Body.Len() > 0 || rec.Header().Get("Server") != "Caddy" || len(rec.Header()["Set-Cookie"]) != 1 {
		t.Errorf("the browser got %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	got := w.Answer()
	if got.Status != http.StatusFound || string(got.Body) != "0123456789" || got.Header.Get("Set-Cookie") != "sid=secret" {
		t.Errorf("kept: %+v", got)
	}
}

func TestAnAnswerBeyondTheLimitIsNotKeptAndGivesNoError(t *testing.T) {
	w := NewWriter(httptest.NewRecorder(), 10, keep)
	for range 3 {
		if n, err := w.Write([]byte("01234")); n != 5 || err != nil {
			t.Errorf("Write gave %d, %v", n, err)
		}
	}
	if !w.Over() || len(w.Answer().Body) != 0 {
		t.Errorf("over: %v, kept %q", w.Over(), w.Answer().Body)
	}
}

func TestAStreamedAnswerGoesOnWithItsTrailersButNoCookieInThem(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("X-Before", "1")
		w := NewWriter(out, 10, func(_ int, h http.Header) Verdict {
			h["Set-Cookie"] = []string{"sid=sealed"}
			return Stream
		})
		w.Header().Del("X-Before")
		w.Header().Set("Trailer", "X-Sum, Set-Cookie")
		w.Header().Add("Set-Cookie", "sid=secret")
		fmt.Fprint(w, strings.Repeat("x", 100))
		w.Header().Set("X-Sum", "1")
		w.Header().Set("Set-Cookie", "sid=secret")
		w.Header().Set(http.TrailerPrefix+"Set-Cookie", "sid=secret")
		w.Header().Set(http.TrailerPrefix+"X-More", "2")
		w.Finish()
	}))
	defer srv.Close()
	res, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil || body.Len() != 100 {
		t.Errorf("%d bytes, %v", body.Len(), err)
	}
	if res.Header.Get("X-Before") != "" || res.Header.Get("Set-Cookie") != "sid=sealed" {
		t.Errorf("headers: %v", res.Header)
	}
	if res.Trailer.Get("X-Sum") != "1" || res.Trailer.Get("X-More") != "2" || len(res.Trailer["Set-Cookie"]) > 0 {
		t.Errorf("trailers: %v", res.Trailer)
	}
}

// late is a writer that reads the headers when the answer has ended, as that of
// HTTP/3 does for a short one.
type late struct{ *httptest.ResponseRecorder }

func (late) WriteHeader(int)                   {}
func (late) Write(p []byte) (int, error)       { return len(p), nil }
func (late) ReadFrom(io.Reader) (int64, error) { return 0, nil }

func TestTheCookiesOfAShortAnswerAreStillThereAtItsEnd(t *testing.T) {
	app := func(w http.ResponseWriter) {
		w.Header().Set("Trailer", "X-Sum, set-cookie")
		w.Header().Add("Set-Cookie", "sid=secret")
		fmt.Fprint(w, "short")
		w.Header().Set("X-Sum", "1")
		w.Header().Set("Set-Cookie", "sid=secret")
		w.Header().Set(http.TrailerPrefix+"Set-Cookie", "sid=secret")
	}
	seal := func(h http.Header) { h["Set-Cookie"] = []string{"sid=sealed"} }
	edited := late{httptest.NewRecorder()}
	edited.Header().Add("Set-Cookie", "ours=1")
	e := newEditor(edited, true, func(_ int, h http.Header) bool { seal(h); return true })
	app(e)
	e.Finish()
	streamed := late{httptest.NewRecorder()}
	streamed.Header().Add("Set-Cookie", "ours=1")
	w := NewWriter(streamed, 10, func(_ int, h http.Header) Verdict { seal(h); return Stream })
	app(w)
	w.Finish()
	for name, h := range map[string]http.Header{"edited": edited.Header(), "streamed": streamed.Header()} {
		if got := strings.Join(h["Set-Cookie"], " "); got != "ours=1 sid=sealed" {
			t.Errorf("%s: the cookies are %q", name, got)
		}
		if h.Get("Trailer") != "X-Sum" || h.Get("X-Sum") != "1" || len(h[http.TrailerPrefix+"Set-Cookie"]) > 0 {
			t.Errorf("%s: %v", name, h)
		}
	}
}

func TestADroppedAnswerLeavesTheHeadersAsTheyWereBefore(t *testing.T) {
	for _, fields := range []int{0, 1, 8, 9, 40} {
		t.Run(fmt.Sprint(fields), func(t *testing.T) {
			rec := httptest.NewRecorder()
			h := rec.Header()
			for i := range fields {
				h.Set(fmt.Sprintf("X-Before-%d", i), "before")
			}
			h.Add("Set-Cookie", "ours=1")
			before := h.Clone()
			e := newEditor(rec, true, func(int, http.Header) bool { return false })
			if len(h["Set-Cookie"]) > 0 {
				t.Error("what others set is taken for the app's")
			}
			for name := range before {
				if name != "Set-Cookie" {
					h.Add(name, "the app's")
				}
			}
			h.Set("X-Before-0", "the app's")
			h.Set("X-User", "alice")
			h.Add("Set-Cookie", "sid=secret")
			e.WriteHeader(200)
			fmt.Fprint(e, "secret")
			_, _ = e.ReadFrom(strings.NewReader("secret"))
			if err := e.FlushError(); err != nil {
				t.Error(err)
			}
			if _, _, err := e.Hijack(); err == nil {
				t.Error("an answer that was dropped became a tunnel")
			}
			e.Finish()
			if !e.Dropped() || rec.Body.Len() > 0 {
				t.Errorf("dropped: %v, %s", e.Dropped(), rec.Body)
			}
			if fmt.Sprint(h) != fmt.Sprint(before) {
				t.Errorf("the headers are\n%v, were\n%v", h, before)
			}
		})
	}
}

func TestTheEditRunsOnceAtTheHeadersWhateverComesFirst(t *testing.T) {
	for name, first := range map[string]func(e *Editor){
		"a status": func(e *Editor) { e.WriteHeader(201); e.WriteHeader(500) },
		"a body":   func(e *Editor) { fmt.Fprint(e, "x") },
		"a reader": func(e *Editor) { _, _ = e.ReadFrom(strings.NewReader("x")) },
		"a flush":  func(e *Editor) { _ = e.FlushError() },
	} {
		t.Run(name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			rec.Header().Add("Set-Cookie", "ours=1")
			edits := 0
			e := newEditor(rec, false, func(_ int, h http.Header) bool {
				edits++
				h["Set-Cookie"] = []string{"sid=sealed"}
				return true
			})
			e.Header().Add("Set-Cookie", "sid=secret")
			e.WriteHeader(http.StatusEarlyHints)
			first(e)
			fmt.Fprint(e, "y")
			e.Finish()
			if got := rec.Result().Header["Set-Cookie"]; edits != 1 || fmt.Sprint(got) != "[ours=1 sid=sealed]" {
				t.Errorf("%d edits, cookies %v", edits, got)
			}
		})
	}
}

func TestWithoutAnAnswerTheCookiesThatWereThereStay(t *testing.T) {
	rec := httptest.NewRecorder()
	rec.Header().Add("Set-Cookie", "ours=1")
	e := newEditor(rec, true, func(int, http.Header) bool { t.Error("there was nothing to edit"); return true })
	e.Finish()
	if e.Answered() || len(rec.Header()["Set-Cookie"]) != 1 {
		t.Errorf("answered: %v, %v", e.Answered(), rec.Header())
	}
}

func TestAnEditorThatStartsAgainKeepsNothingOfTheLastAnswer(t *testing.T) {
	first := httptest.NewRecorder()
	first.Header().Set("Set-Cookie", "ours=1")
	for i := range 20 {
		first.Header().Set(fmt.Sprintf("X-%d", i), "of the first")
	}
	e := newEditor(first, true, func(int, http.Header) bool { return false })
	e.WriteHeader(http.StatusOK)
	e.Finish()
	if !e.Dropped() || !e.Answered() {
		t.Fatal("the first answer was not dropped")
	}
	second := httptest.NewRecorder()
	e.Start(second, false, func(int, http.Header) bool { return false })
	if e.Dropped() || e.Answered() {
		t.Error("it begins as dropped, or answered")
	}
	e.WriteHeader(http.StatusOK)
	e.Finish()
	if len(second.Header()) != 0 {
		t.Errorf("the second answer has %v of the first", second.Header())
	}
}
