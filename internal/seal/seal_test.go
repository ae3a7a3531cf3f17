package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func key(t testing.TB, name string) Key {
	t.Helper()
	secret := sha256.Sum256([]byte("test key " + name))
	k, err := ParseKey(name, hex.EncodeToString(secret[:]))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ring(t testing.TB, names ...string) *Ring {
	t.Helper()
	var keys []Key
	for _, n := range names {
		keys = append(keys, key(t, n))
	}
	r, err := NewRing(keys, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestASealOpensToWhatWasSealed(t *testing.T) {
	r := ring(t, "a")
	for _, size := range []int{0, 1, 15, 16, 17, 4096, 300_000} {
		plain := bytes.Repeat([]byte{7}, size)
		sealed := r.Seal(PurposeHold, []byte("aad"), plain, noon)
		if len(sealed) != size+Overhead {
			t.Errorf("%d bytes are sealed to %d", size, len(sealed))
		}
		got, err := r.Open(PurposeHold, []byte("aad"), sealed, noon)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes come back as %d, %v", size, len(got), err)
		}
		text := r.SealText(PurposeHold, []byte("aad"), plain, noon)
		got, err = r.OpenText(PurposeHold, []byte("aad"), text, noon)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("as text, %d bytes come back as %d, %v", size, len(got), err)
		}
	}
	got, err := r.AppendOpen([]byte("head "), PurposeHold, nil, r.AppendSeal([]byte("x"), PurposeHold, nil, []byte("tail"), noon)[1:], noon)
	if err != nil || string(got) != "head tail" {
		t.Errorf("appended: got %q, %v", got, err)
	}
}

func TestTwoSealsOfOneValueDiffer(t *testing.T) {
	r := ring(t, "a")
	seen := map[string]bool{}
	for range 1000 {
		nonce := string(r.Seal(PurposeCookie, nil, []byte("v"), noon)[headerSize : headerSize+12])
		if seen[nonce] {
			t.Fatal("a nonce came twice")
		}
		seen[nonce] = true
	}
}

func TestNoChangedByteOpens(t *testing.T) {
	r := ring(t, "a", "b")
	sealed := r.Seal(PurposeCookie, []byte("aad"), []byte("value"), noon)
	for i := range sealed {
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << bit
			if got, err := r.Open(PurposeCookie, []byte("aad"), bad, noon); err == nil || got != nil {
				t.Errorf("byte %d, bit %d changed: opens to %q", i, bit, got)
			}
		}
	}
	for n := range sealed {
		got, err := r.Open(PurposeCookie, []byte("aad"), sealed[:n], noon)
		if err == nil || got != nil {
			t.Errorf("cut to %d bytes: opens to %q", n, got)
		}
		if want := map[bool]error{true: ErrForeign, false: ErrBroken}[n < headerSize]; !errors.Is(err, want) {
			t.Errorf("cut to %d bytes: %v, want %v", n, err, want)
		}
	}
	if _, err := r.Open(PurposeCookie, []byte("aad"), append(sealed, 0), noon); !errors.Is(err, ErrBroken) {
		t.Errorf("with a byte more: %v", err)
	}
}

func TestNoChangedTextOpens(t *testing.T) {
	r := ring(t, "a")
	for _, size := range []int{4, 5, 6} { // each remainder of base64
		text := r.SealText(PurposeCookie, nil, make([]byte, size), noon)
		for i := range text {
			for _, c := range []byte("AZaz09-_=+/ \n\r.\x00\xff") {
				if text[i] == c {
					continue
				}
				bad := text[:i] + string(c) + text[i+1:]
				if _, err := r.OpenText(PurposeCookie, nil, bad, noon); err == nil {
					t.Errorf("%q with %q at %d opens", text, c, i)
				}
				if c == '\n' || c == '\r' || c == '=' {
					if _, err := r.OpenText(PurposeCookie, nil, text[:i]+string(c)+text[i:], noon); err == nil {
						t.Errorf("%q with %q put in at %d opens", text, c, i)
					}
				}
			}
		}
		for _, more := range []string{"=", "\n", "A", "AAAA"} {
			if _, err := r.OpenText(PurposeCookie, nil, text+more, noon); err == nil {
				t.Errorf("%q followed by %q opens", text, more)
			}
		}
	}
}

func TestASealOpensForItsPurposeAADAndKeyOnly(t *testing.T) {
	r := ring(t, "a")
	sealed := r.Seal(PurposeCookie, []byte("aad"), []byte("value"), noon)
	for _, p := range []Purpose{PurposeHold, PurposeFactor, PurposeCode, "cookie ", ""} {
		if _, err := r.Open(p, []byte("aad"), sealed, noon); !errors.Is(err, ErrBroken) {
			t.Errorf("purpose %q: %v", p, err)
		}
	}
	for _, aad := range []string{"", "aa", "aadd", "Aad"} {
		if _, err := r.Open(PurposeCookie, []byte(aad), sealed, noon); !errors.Is(err, ErrBroken) {
			t.Errorf("additional data %q: %v", aad, err)
		}
	}
	if _, err := ring(t, "b").Open(PurposeCookie, []byte("aad"), sealed, noon); !errors.Is(err, ErrForeign) {
		t.Errorf("another ring: %v", err)
	}
	forged := ring(t, "b").Seal(PurposeCookie, []byte("aad"), []byte("value"), noon)
	copy(forged[1:5], sealed[1:5])
	if _, err := r.Open(PurposeCookie, []byte("aad"), forged, noon); !errors.Is(err, ErrBroken) {
		t.Errorf("another ring's seal under this ring's key id: %v", err)
	}
}

func TestOldKeysOpenAndNewOnesSeal(t *testing.T) {
	before, after := ring(t, "old"), ring(t, "new", "old")
	sealed := before.Seal(PurposeFactor, nil, []byte("seed"), noon)
	if got, err := after.Open(PurposeFactor, nil, sealed, noon.AddDate(20, 0, 0)); err != nil || string(got) != "seed" {
		t.Errorf("twenty years later, with an old key: %q, %v", got, err)
	}
	if _, err := before.Open(PurposeFactor, nil, after.Seal(PurposeFactor, nil, nil, noon), noon); !errors.Is(err, ErrForeign) {
		t.Errorf("the new ring did not seal with its newest key: %v", err)
	}
	if _, err := ring(t, "new").Open(PurposeFactor, nil, sealed, noon); !errors.Is(err, ErrForeign) {
		t.Errorf("after the old key was taken away: %v", err)
	}
}

func TestASealsDayMustBePlausible(t *testing.T) {
	r, err := NewRing([]Key{key(t, "a")}, Options{MaxAge: map[Purpose]time.Duration{"ten": 10 * day, "half": 12 * time.Hour, "ever": Forever}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		purpose Purpose
		days    int // from the sealing to the opening
		want    error
	}{
		{"ten", 0, nil}, {"ten", -1, nil}, {"ten", -2, ErrStale}, {"ten", 10, nil}, {"ten", 11, ErrStale},
		{"half", 0, nil}, {"half", 1, nil}, {"half", 2, ErrStale},
		{"ever", 20_000, nil}, {"ever", -2, ErrStale}, {PurposeCookie, 400, nil}, {PurposeCookie, 401, ErrStale}, {PurposeCode, 3, ErrStale},
	} {
		sealed := r.Seal(c.purpose, nil, []byte("v"), noon)
		_, err := r.Open(c.purpose, nil, sealed, noon.AddDate(0, 0, c.days))
		if !errors.Is(err, c.want) {
			t.Errorf("%s after %d days: %v, want %v", c.purpose, c.days, err, c.want)
		}
	}
	if !errors.Is(ErrStale, ErrBroken) {
		t.Error("a stale seal is not a broken one")
	}
	for _, far := range []time.Time{{}, time.Unix(-1, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if _, err := r.Open("ever", nil, r.Seal("ever", nil, nil, far), far); err != nil {
			t.Errorf("at %v: %v", far, err)
		}
	}
}

func TestSealsOfEveryDayFillNoMoreThanTheTable(t *testing.T) {
	r := ring(t, "a")
	for _, p := range []Purpose{PurposeCookie, PurposeFactor} {
		template := r.Seal(p, nil, []byte("v"), noon)
		today := r.keys[0].purpose(p).cipher(dayOf(noon), dayOf(noon))
		derived := 0
		for d := range 1 << 16 {
			bad := bytes.Clone(template)
			bad[5], bad[6] = byte(d>>8), byte(d)
			_, err := r.Open(p, nil, bad, noon)
			if uint16(d) == dayOf(noon) {
				continue
			}
			if err == nil {
				t.Fatalf("a seal opens for day %d", d)
			}
			if !errors.Is(err, ErrStale) {
				derived++
			}
		}
		if limit := 402; p == PurposeCookie && derived > limit {
			t.Errorf("%s: keys were derived for %d days, want at most %d", p, derived, limit)
		}
		pk := r.keys[0].purpose(p)
		held := 0
		for i := range pk.near {
			if pk.near[i].Load() != nil {
				held++
			}
		}
		for i := range pk.old {
			if pk.old[i].Load() != nil {
				held++
			}
		}
		if held > newPlaces+oldPlaces || held < newPlaces-1 {
			t.Errorf("%s: %d ciphers are held", p, held)
		}
		if pk.cipher(dayOf(noon), dayOf(noon)) != today {
			t.Errorf("%s: the attack threw out today's cipher", p)
		}
	}
}

func TestEveryDayHasItsOwnKey(t *testing.T) {
	r := ring(t, "a")
	sealed := r.Seal(PurposeFactor, nil, []byte("v"), noon)
	k := r.keys[0].purpose(PurposeFactor)
	yesterday := k.makeCipher(dayOf(noon) - 1)
	aad := sealed[:headerSize]
	if _, err := yesterday.aead.Open(nil, nil, sealed[headerSize:], aad); err == nil {
		t.Error("yesterday's key opens today's seal")
	}
	if _, err := k.makeCipher(dayOf(noon)).aead.Open(nil, nil, sealed[headerSize:], aad); err != nil {
		t.Errorf("today's key does not: %v", err)
	}
}

func TestARingServesManyAtOnce(t *testing.T) {
	r := ring(t, "new", "old")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				now := noon.AddDate(0, 0, (g+i)%5)
				p := Purpose(fmt.Sprintf("purpose-%d", i%4))
				value := fmt.Sprintf("value %d %d", g, i)
				got, err := r.Open(p, nil, r.Seal(p, nil, []byte(value), now), now)
				if err != nil || string(got) != value {
					t.Errorf("got %q, %v, want %q", got, err, value)
					return
				}
				v := Value{Standing: Standing{Kind: KindLine}, Value: value, Issued: now}
				opened, err := r.OpenCookie("default", "sid", r.SealCookie("default", "sid", v, now), now)
				if err != nil || opened.Value != value {
					t.Errorf("cookie: got %+v, %v", opened, err)
					return
				}
				mac := r.MAC(p, []byte(value))
				if !r.VerifyMAC(p, mac[:], []byte(value)) || r.VerifyMAC(p, mac[:], []byte(value), nil) {
					t.Error("a MAC is not verified as it should be")
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestAMACIsOfItsPartsPurposeAndKey(t *testing.T) {
	r := ring(t, "a")
	mac := func(r *Ring, p Purpose, parts ...string) string {
		var b [][]byte
		for _, part := range parts {
			b = append(b, []byte(part))
		}
		sum := r.MAC(p, b...)
		return string(sum[:])
	}
	seen := map[string]string{}
	for name, sum := range map[string]string{
		"a|b": mac(r, PurposeCode, "a", "b"), "ab": mac(r, PurposeCode, "ab"), "ab|": mac(r, PurposeCode, "ab", ""), "|ab": mac(r, PurposeCode, "", "ab"),
		"none": mac(r, PurposeCode), "empty": mac(r, PurposeCode, ""), "two empty": mac(r, PurposeCode, "", ""), "framed": mac(r, PurposeCode, "a\x00\x00\x00\x00\x00\x00\x00\x01b"),
		"purpose": mac(r, PurposeCookie, "a", "b"), "key": mac(ring(t, "b"), PurposeCode, "a", "b"),
	} {
		if other, dup := seen[sum]; dup {
			t.Errorf("%q and %q have the same hash", name, other)
		}
		seen[sum] = name
	}
	if mac(r, PurposeCode, "a", "b") != mac(ring(t, "a", "old"), PurposeCode, "a", "b") {
		t.Error("the same parts have two hashes under one key")
	}
}

func TestAMACOfAnOldKeyIsVerified(t *testing.T) {
	before, after := ring(t, "old"), ring(t, "new", "old")
	sum := before.MAC(PurposeCode, []byte("123456"))
	if !after.VerifyMAC(PurposeCode, sum[:], []byte("123456")) {
		t.Error("it is not")
	}
	if got := after.MACs(PurposeCode, []byte("123456")); len(got) != 2 || got[0] != after.MAC(PurposeCode, []byte("123456")) || got[1] != sum {
		t.Error("MACs does not return the newest first and then the old")
	}
	for name, bad := range map[string][]byte{"changed": append(bytes.Clone(sum[:31]), sum[31]^1), "cut": sum[:31], "longer": append(bytes.Clone(sum[:]), 0), "none": nil} {
		if after.VerifyMAC(PurposeCode, bad, []byte("123456")) {
			t.Errorf("%s: verified", name)
		}
	}
	if ring(t, "new").VerifyMAC(PurposeCode, sum[:], []byte("123456")) {
		t.Error("verified without the key")
	}
}

func TestARingNeverPrintsASecret(t *testing.T) {
	k := key(t, "a")
	r, err := NewRing([]Key{k}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, x := range []any{k, &k, []Key{k}, r} {
			out := fmt.Sprintf(verb, x)
			if !strings.Contains(out, "a") || strings.Contains(out, fmt.Sprintf("%d", k.secret[0])+" ") || strings.Contains(out, fmt.Sprintf("%#x", k.secret[0])) || strings.Contains(out, hex.EncodeToString(k.secret[:4])) {
				t.Errorf("%s of %T prints %s", verb, x, out)
			}
		}
	}
}
