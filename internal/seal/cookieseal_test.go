package seal

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"strings"
	"testing"
	"time"
)

func someValue(size int) Value {
	return Value{
		Standing:   Standing{Kind: KindSession, ID: [16]byte{1, 2, 3, 15: 16}},
		Issued:     noon.Add(123 * time.Millisecond),
		Attributes: []byte{3, 1, '/'},
		Flags:      FlagToBeProved | 1<<6,
		Value:      strings.Repeat("v", size),
	}
}

func sameValue(a, b Value) bool {
	return a.Standing == b.Standing && a.Issued.Equal(b.Issued) && bytes.Equal(a.Attributes, b.Attributes) && a.Flags == b.Flags && a.Value == b.Value
}

func TestASealedCookieOpensToItsValue(t *testing.T) {
	r := ring(t, "new", "old")
	for _, v := range []Value{
		someValue(0), someValue(1), someValue(128), someValue(2500),
		{Standing: Standing{Kind: KindLine}, Issued: time.Unix(0, 0), Value: "\"a, b\" \xff\x00"},
		{Standing: Standing{Kind: KindLine}, Attributes: bytes.Repeat([]byte{9}, 300), Value: "x"},
	} {
		for _, sealer := range []*Ring{r, ring(t, "old")} {
			sealed := sealer.SealCookie("default", "sid", v, noon)
			if !strings.HasPrefix(sealed, Marker) || !IsSealed(sealed) || strings.Trim(sealed[len(Marker):], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
				t.Errorf("not in its alphabet: %q", sealed)
			}
			if got := SealedLen("sid", v.Value, v.Attributes); got != len("sid")+len(sealed) {
				t.Errorf("SealedLen says %d of %d", got, len("sid")+len(sealed))
			}
			got, err := r.OpenCookie("default", "sid", sealed, noon)
			if err != nil || !sameValue(got, v) {
				t.Errorf("got %+v, %v, want %+v", got, err, v)
			}
		}
	}
}

func TestNoChangedByteOfASealedCookieOpens(t *testing.T) {
	r := ring(t, "a")
	sealed := r.SealCookie("default", "sid", someValue(20), noon)
	for i := range sealed {
		for _, c := range []byte("AZaz09-_=.+/ \n\"") {
			if sealed[i] == c {
				continue
			}
			if got, err := r.OpenCookie("default", "sid", sealed[:i]+string(c)+sealed[i+1:], noon); err == nil {
				t.Errorf("%q at %d: opens to %+v", c, i, got)
			}
		}
		if _, err := r.OpenCookie("default", "sid", sealed[:i], noon); err == nil {
			t.Errorf("cut to %d: opens", i)
		}
		if _, err := r.OpenCookie("default", "sid", sealed[i+1:], noon); err == nil {
			t.Errorf("without its first %d: opens", i+1)
		}
	}
}

func TestASealedCookieOpensForItsInstanceAndExactNameOnly(t *testing.T) {
	r := ring(t, "a")
	sealed := r.SealCookie("shop", "app.sid", someValue(20), noon)
	for _, c := range []struct{ instance, name string }{
		{"shop", "app_sid"}, {"shop", "App.sid"}, {"shop", "app.sid "}, {"shop", " app.sid"}, {"shop", "app.sid2"}, {"shop", ""}, {"Shop", "app.sid"},
		{"", "app.sid"}, {"shopa", "pp.sid"}, {"sho", "papp.sid"}, {"shop\x07app.sid", ""}, {"default", "app.sid"},
	} {
		if got, err := r.OpenCookie(c.instance, c.name, sealed, noon); !errors.Is(err, ErrBroken) {
			t.Errorf("%q of %q: %+v, %v", c.name, c.instance, got, err)
		}
	}
	if _, err := ring(t, "b").OpenCookie("shop", "app.sid", sealed, noon); !errors.Is(err, ErrForeign) {
		t.Errorf("another key: %v", err)
	}
	hold := Marker + r.SealText(PurposeHold, []byte("\x04shop\x07app.sid"), []byte("x"), noon)
	if _, err := r.OpenCookie("shop", "app.sid", hold, noon); !errors.Is(err, ErrBroken) {
		t.Errorf("another purpose: %v", err)
	}
	if _, err := r.OpenCookie("shop", "app.sid", sealed, noon.AddDate(0, 0, -2)); !errors.Is(err, ErrStale) {
		t.Errorf("from the day after tomorrow: %v", err)
	}
}

func TestWhatHasNoMarkerCostsNoCryptography(t *testing.T) {
	r := ring(t, "a")
	sealed := r.SealCookie("default", "sid", someValue(20), noon)
	count := &countingAEAD{AEAD: r.keys[0].purpose(PurposeCookie).cipher(dayOf(noon), dayOf(noon))}
	d := dayOf(noon)
	r.keys[0].purpose(PurposeCookie).near[d%newPlaces].Store(&dayCipher{day: d, aead: count})
	for _, value := range []string{
		"", "x", "2f1", "2f1,x", "2f2." + sealed[4:], "2F1." + sealed[4:], sealed[4:], " " + sealed, `"` + sealed + `"`, sealed + strings.Repeat("A", MaxSealedSize), Marker, Marker + "====", Marker + sealed,
	} {
		if _, err := r.OpenCookie("default", "sid", value, noon); !errors.Is(err, ErrForeign) {
			t.Errorf("%.40q: %v", value, err)
		}
	}
	if count.opened != 0 {
		t.Errorf("a cipher was asked %d times", count.opened)
	}
	if _, err := r.OpenCookie("default", "sid", sealed, noon); err != nil || count.opened != 1 {
		t.Errorf("the good one: %v, a cipher was asked %d times", err, count.opened)
	}
}

type countingAEAD struct {
	cipher.AEAD
	opened int
}

func (c *countingAEAD) Open(dst, nonce, sealed, aad []byte) ([]byte, error) {
	c.opened++
	return c.AEAD.Open(dst, nonce, sealed, aad)
}

func TestASealWithAnUnknownInsideDoesNotOpen(t *testing.T) {
	r := ring(t, "a")
	good := append([]byte{cookieFormat, byte(KindLine), 0}, make([]byte, 24)...)
	for name, inside := range map[string][]byte{
		"nothing":                     nil,
		"another format":              append([]byte{2}, append(bytes.Clone(good[1:]), 0)...),
		"no kind":                     append([]byte{1, 0}, append(bytes.Clone(good[2:]), 0)...),
		"an unknown kind":             append([]byte{1, 3}, append(bytes.Clone(good[2:]), 0)...),
		"no size of attributes":       good,
		"attributes beyond its end":   append(bytes.Clone(good), 2, 'x'),
		"a size beyond all numbers":   append(bytes.Clone(good), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
		"a size of the largest int64": append(bytes.Clone(good), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
		"cut in the time":             good[:22],
	} {
		sealed := Marker + r.SealText(PurposeCookie, []byte("\x07default\x03sid"), inside, noon)
		if v, err := r.OpenCookie("default", "sid", sealed, noon); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	sealed := Marker + r.SealText(PurposeCookie, []byte("\x07default\x03sid"), append(bytes.Clone(good), 0, 'v'), noon)
	if v, err := r.OpenCookie("default", "sid", sealed, noon); err != nil || v.Value != "v" {
		t.Errorf("the good one: %+v, %v", v, err)
	}
	if got := r.SealCookie("default", "sid", Value{Value: "v"}, noon); got == "" {
		t.Error("a value without a standing is not sealed")
	} else if v, err := r.OpenCookie("default", "sid", got, noon); !errors.Is(err, ErrBroken) {
		t.Errorf("a value without a standing opens: %+v, %v", v, err)
	}
}

func TestAnOpenedValueOutlivesTheBuffersItCameFrom(t *testing.T) {
	r := ring(t, "a")
	first := r.SealCookie("default", "sid", someValue(50), noon)
	v, err := r.OpenCookie("default", "sid", first, noon)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		other := someValue(500)
		other.Value = strings.Repeat("z", 500)
		other.Attributes = bytes.Repeat([]byte{'z'}, 20)
		if _, err := r.OpenCookie("default", "sid", r.SealCookie("default", "sid", other, noon), noon); err != nil {
			t.Fatal(err)
		}
	}
	if !sameValue(v, someValue(50)) {
		t.Errorf("it became %+v", v)
	}
}

func TestOpeningAllocatesValueAndAttributesOnly(t *testing.T) {
	if raceEnabled {
		t.Log("under the race detector pools drop at random, so that this is not counted")
		return
	}
	r := ring(t, "a")
	sealed := r.SealCookie("default", "sid", someValue(128), noon)
	if n := testing.AllocsPerRun(500, func() { _, _ = r.OpenCookie("default", "sid", sealed, noon) }); n > 2 {
		t.Errorf("opening: %v allocations", n)
	}
	v := someValue(128)
	if n := testing.AllocsPerRun(500, func() { r.SealCookie("default", "sid", v, noon) }); n > 1 {
		t.Errorf("sealing: %v allocations", n)
	}
	if n := testing.AllocsPerRun(500, func() { _, _ = r.OpenCookie("default", "other", sealed, noon) }); n > 0 {
		t.Errorf("not opening: %v allocations", n)
	}
}

func FuzzOpenCookie(f *testing.F) {
	r := ring(f, "a")
	f.Add("default", "sid", r.SealCookie("default", "sid", someValue(20), noon))
	f.Add("", "", Marker+"AQ")
	f.Fuzz(func(t *testing.T, instance, name, sealed string) {
		v, err := r.OpenCookie(instance, name, sealed, noon)
		if err == nil && (instance != "default" || name != "sid" || !sameValue(v, someValue(20))) {
			t.Fatalf("a forged cookie opens to %+v", v)
		}
	})
}

func BenchmarkOpenCookie128(b *testing.B) {
	r := ring(b, "a")
	sealed := r.SealCookie("default", "sid", someValue(128), noon)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.OpenCookie("default", "sid", sealed, noon); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenCookie128Parallel(b *testing.B) {
	r := ring(b, "a")
	sealed := r.SealCookie("default", "sid", someValue(128), noon)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.OpenCookie("default", "sid", sealed, noon); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSealCookie128(b *testing.B) {
	r, v := ring(b, "a"), someValue(128)
	b.ReportAllocs()
	for b.Loop() {
		r.SealCookie("default", "sid", v, noon)
	}
}

func BenchmarkOpenCookieOfADayNotInTheTable(b *testing.B) {
	r := ring(b, "a")
	sealed := [2]string{
		r.SealCookie("default", "sid", someValue(128), noon.AddDate(0, 0, -100)),
		r.SealCookie("default", "sid", someValue(128), noon.AddDate(0, 0, -100-oldPlaces)),
	}
	i := 0
	for b.Loop() {
		i ^= 1
		if _, err := r.OpenCookie("default", "sid", sealed[i], noon); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMAC(b *testing.B) {
	r, part := ring(b, "a"), []byte("0123456789012345678901234567890123456789012")
	b.ReportAllocs()
	for b.Loop() {
		r.MAC(PurposeCode, part)
	}
}
