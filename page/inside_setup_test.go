package page

import (
	"bytes"
	"context"
	"encoding/base64"
	"image"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boombuler/barcode/qr"
	cdp "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"golang.org/x/text/language"
)

func TestThePictureHasTheModulesOfTheCodeAndAQuietZone(t *testing.T) {
	for _, uri := range []string{enrolAppSample(nil).URI, "otpauth://totp/a?secret=" + strings.Repeat("A", MaxOTPAuth-24)} {
		want, err := qr.Encode(uri, qr.L, qr.Auto)
		if err != nil {
			t.Fatal(err)
		}
		body, err := testSet(t, Options{}).EnrolApp("", enrolAppSample(func(p *EnrolAppPage) { p.URI = uri }))
		src := attr(rendering(t, body, err).named("img")[0], "src")
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(src, "data:image/png;base64,"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		side := want.Bounds().Dx()
		if got.Bounds().Dx() != side+8 || got.Bounds().Dy() != side+8 {
			t.Fatalf("the picture has %v modules with the quiet zone, wanted %d", got.Bounds(), side+8)
		}
		for y := range side + 8 {
			for x := range side + 8 {
				inside := image.Pt(x-4, y-4).In(want.Bounds())
				if dark := isDark(got, x, y); dark != (inside && isDark(want, x-4, y-4)) {
					t.Fatalf("the module %d, %d of %d is the other one", x, y, side)
				}
			}
		}
	}
}

// isDark tells whether a module is dark.
func isDark(code image.Image, x, y int) bool {
	r, _, _, _ := code.At(x, y).RGBA()
	return r == 0
}

func TestTheSecretCanBeTypedByHandAndOpenedInTheApp(t *testing.T) {
	body, err := testSet(t, Options{}).EnrolApp("", enrolAppSample(nil))
	d := rendering(t, body, err)
	text := textOf(d.named("details")[0])
	for _, want := range []string{"JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP", "Northwind CRM: anna.lindqvist@example.com", "Time-based (TOTP), 6 digits, a new one every 30 seconds"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q but %q", want, text)
		}
	}
	if !slices.Contains(links(d), enrolAppSample(nil).URI) {
		t.Error("no link opens the app")
	}
	if got := attr(d.named("img")[0], "alt"); got == "" {
		t.Error("the picture has no words")
	}
	body, err = testSet(t, Options{}).EnrolApp("", enrolAppSample(func(p *EnrolAppPage) { p.Problem = TooManyTries }))
	if d := rendering(t, body, err); d.id("code") != nil || strings.Contains(string(body), "JBSW") {
		t.Error("the secret is shown where no code is taken any more")
	}
}

func TestTheCountriesAreSortedByTheirNamesInTheLanguageOfThePage(t *testing.T) {
	german := &catalogue{tag: language.German, direction: "ltr", texts: english(t).texts}
	s, err := newSet(Options{}, []*catalogue{english(t), german, pseudo(t)})
	if err != nil {
		t.Fatal(err)
	}
	countries := []Country{{"ZA", 27}, {"AT", 43}, {"NO", 47}, {"PL", 48}, {"SE", 46}}
	for l, want := range map[Lang]string{
		"en": "Austria (+43)|Norway (+47)|Poland (+48)|South Africa (+27)|Sweden (+46)",
		"de": "Norwegen (+47)|Österreich (+43)|Polen (+48)|Schweden (+46)|Südafrika (+27)",
	} {
		body, err := s.EnrolPhone(l, enrolPhoneSample(func(p *EnrolPhonePage) { p.Countries, p.Region = countries, "SE" }))
		var got []string
		for _, o := range rendering(t, body, err).named("option") {
			got = append(got, textOf(o))
			if has(o, "selected") != (attr(o, "value") == "SE") {
				t.Errorf("%s: %s is chosen", l, textOf(o))
			}
		}
		if joined := strings.Join(got, "|"); joined != want {
			t.Errorf("%s: %s, wanted %s", l, joined, want)
		}
	}
	body, err := s.EnrolPhone("", enrolPhoneSample(func(p *EnrolPhonePage) { p.Region = "" }))
	if first := rendering(t, body, err).named("option")[0]; attr(first, "value") != "" || textOf(first) != "Choose a country" {
		t.Error("a country is chosen by itself")
	}
}

func TestADateIsSaidInUTCWithItsZoneWhereverItWasTaken(t *testing.T) {
	sp := testSet(t, Options{}).speak("")
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 11, 30, 21, 52, 59, 0, time.UTC), "30 November 2026, 21:52 UTC"},
		{time.Date(2027, 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600)), "31 December 2026, 23:30 UTC"},
	} {
		if got := sp.date(tt.at).value; got != tt.want {
			t.Errorf("%s is said as %q, wanted %q", tt.at, got, tt.want)
		}
	}
	if got := sp.dated("settings.since", time.Time{}); got != nil {
		t.Errorf("no time at all is said as %q", sp.join(got))
	}
}

func TestTheRecoveryCodesAreShownAndSavedAsAFileWithoutAScriptOrAServer(t *testing.T) {
	s := testSet(t, Options{})
	p := recoverySample(nil)
	body, err := s.Recovery("", p)
	d := rendering(t, body, err)
	var shown []string
	for _, li := range d.named("li") {
		shown = append(shown, textOf(li))
	}
	if !slices.Equal(shown, p.Codes) {
		t.Errorf("it shows %v", shown)
	}
	save := d.named("a")[0]
	encoded, ok := strings.CutPrefix(attr(save, "href"), "data:text/plain;charset=utf-8,")
	file, err := url.PathUnescape(encoded)
	if !ok || err != nil || attr(save, "download") != "recovery-codes.txt" {
		t.Fatalf("the link is %v (%v)", save.Attr, err)
	}
	want := "Recovery codes for crm.example.com, made on 3 November 2026, 08:05 UTC. Each works once.\r\n\r\n" + strings.Join(p.Codes, "\r\n") + "\r\n"
	if file != want {
		t.Errorf("the file is %q, wanted %q", file, want)
	}
	ctx, cancel := context.WithTimeout(browser(t), time.Minute)
	defer cancel()
	folder := t.TempDir()
	at := serve(t, s, []rendered{{render: func(s *Set, l Lang) ([]byte, error) { return s.Recovery(l, p) }}})
	if _, err := chromedp.CallBrowser(ctx, cdp.SetDownloadBehavior, cdp.SetDownloadBehaviorParams{
		Behavior: cdp.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
	}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(at+"/0/en"), chromedp.Click("a[download]")); err != nil {
		t.Fatal(err)
	}
	var saved []byte
	for look := time.NewTicker(20 * time.Millisecond); len(saved) < len(want); {
		select {
		case <-ctx.Done():
			t.Fatalf("no whole file was saved, but %q", saved)
		case <-look.C:
			saved, _ = os.ReadFile(filepath.Join(folder, "recovery-codes.txt"))
		}
	}
	if string(saved) != want {
		t.Errorf("the browser saved %q", saved)
	}
}
