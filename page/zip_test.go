package page

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAPageIsZippedForWhoTakesThat(t *testing.T) {
	body := []byte(strings.Repeat("<option>", 1000))
	for accept, zipped := range map[string]bool{
		"": false, "gzip": true, "br, GZIP;q=0.5": true, "gzip;q=0": false, "gzip;q=x": false, "identity": false, "xgzip": false,
		strings.Repeat("a,", 1000) + "gzip": false,
	} {
		h := http.Header{}
		got := Zip(accept, h, body)
		if is := h.Get("Content-Encoding") == "gzip"; is != zipped {
			t.Errorf("%.20q: zipped %v", accept, is)
			continue
		}
		if zipped {
			r, err := gzip.NewReader(bytes.NewReader(got))
			if err != nil {
				t.Fatal(err)
			}
			if got, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, body) || h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%.20q: the page is not whole, or Vary is missing", accept)
		}
	}
}

func TestThePageWithEveryCountryIsShortOnTheWire(t *testing.T) {
	s := testSet(t, Options{})
	p := EnrolPhonePage{Host: "crm.example.com", Post: Post{Action: "/x"}, Region: "DE"}
	for _, r := range allRegions(t) {
		p.Countries = append(p.Countries, Country{Region: r, Code: 999})
	}
	for lang := range s.catalogues {
		body, err := s.EnrolPhone(lang, p)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(Zip("gzip", http.Header{}, body)); n > 14<<10 {
			t.Errorf("%s: %d bytes", lang, n)
		}
	}
}

// allRegions are the countries that x/text knows by two letters.
func allRegions(t *testing.T) []string {
	t.Helper()
	var all []string
	sp := &speaker{c: testSet(t, Options{}).catalogues["en"]}
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string(a) + string(b)
			if sp.country(code) != "" {
				all = append(all, code)
			}
		}
	}
	if len(all) < 230 {
		t.Fatalf("%d countries", len(all))
	}
	return all
}
