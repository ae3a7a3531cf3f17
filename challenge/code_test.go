package challenge

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
)

// seeded is a source that gives the same bytes each time.
func seeded() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1, 2, 3}) }

func TestRule01CodesAreUniform(t *testing.T) {
	const draws = 200_000
	var first [10]int
	var last [10]int
	var thousand [1000]int
	source := seeded()
	for range draws {
		code, err := newCode(source)
		if err != nil {
			t.Fatal(err)
		}
		if len(code) != 6 || strings.Trim(code, "0123456789") != "" {
			t.Fatalf("%q is not six digits", code)
		}
		first[code[0]-'0']++
		last[code[5]-'0']++
		thousand[int(code[0]-'0')*100+int(code[1]-'0')*10+int(code[2]-'0')]++
	}
	// The values that chi-square passes once in a thousand times, for 9 and 999
	// degrees of freedom.
	if x := chiSquare(first[:], draws); x > 27.9 {
		t.Errorf("first digits: chi-square is %.1f", x)
	}
	if x := chiSquare(last[:], draws); x > 27.9 {
		t.Errorf("last digits: chi-square is %.1f", x)
	}
	if x := chiSquare(thousand[:], draws); x > 1143 {
		t.Errorf("first three digits: chi-square is %.1f", x)
	}
}

func chiSquare(counts []int, draws int) float64 {
	want := float64(draws) / float64(len(counts))
	x := 0.0
	for _, n := range counts {
		d := float64(n) - want
		x += d * d / want
	}
	return x
}

func TestRule01DrawsFromTheIncompleteMillionAreThrownAway(t *testing.T) {
	tests := []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"zero keeps its leading zeros", []byte{0, 0, 0, 0}, "000000"},
		{"small numbers keep theirs", []byte{0, 0, 0, 42}, "000042"},
		{"the last number of the last whole million counts", []byte{0xff, 0xf1, 0x3d, 0x7f}, "999999"},
		{"the first beyond it is drawn again", []byte{0xff, 0xf1, 0x3d, 0x80, 0, 0, 0, 8}, "000008"},
		{"the last of all is drawn again", []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 7}, "000007"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := newCode(bytes.NewReader(tt.bytes))
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("code %s, want %s", got, tt.want)
			}
		})
	}
}

type constant byte

func (c constant) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

func TestRule01ABrokenSourceGivesNoCode(t *testing.T) {
	if code, err := newCode(bytes.NewReader([]byte{1, 2})); err == nil {
		t.Errorf("two bytes of randomness gave the code %s", code)
	}
	if code, err := newCode(constant(0xff)); err == nil {
		t.Errorf("a source that only gives 0xff gave the code %s", code)
	}
	if id, err := NewID(failing{}); err == nil {
		t.Errorf("a source that fails gave the id %s", id)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("no randomness") }

func TestIDsHave128Bits(t *testing.T) {
	source := seeded()
	a, errA := NewID(source)
	b, errB := NewID(source)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if len(a) != 22 || a == b {
		t.Errorf("ids %q and %q, want two of 22 characters", a, b)
	}
}

func TestRule07InputIsFoldedToExactlyTheDigits(t *testing.T) {
	tests := []struct {
		name   string
		input  string
		digits int
		want   string
		ok     bool
	}{
		{"plain digits pass", "012345", 6, "012345", true},
		{"eight digits pass where eight are wanted", "01234567", 8, "01234567", true},
		{"blanks around and inside are dropped", " 123 456\r\n", 6, "123456", true},
		{"no-break and narrow blanks are dropped", "123\u00a0\u202f456", 6, "123456", true},
		{"a hyphen is dropped", "123-456", 6, "123456", true},
		{"hyphens of all kinds are dropped", "1\u20102\u20113\u20134\u20145\u2212\u00ad\uff0d6", 6, "123456", true},
		{"direction marks are dropped", "\u200e123456\u200f\ufeff", 6, "123456", true},
		{"Arabic-Indic digits are read", "٠١٢٣٤٥", 6, "012345", true},
		{"Persian digits are read", "۴۵۶۷۸۹", 6, "456789", true},
		{"Devanagari digits are read", "१२३४५६", 6, "123456", true},
		{"full-width digits are read", "１２３４５６", 6, "123456", true},
		{"mathematical digits are read", "𝟎𝟗𝟘𝟡𝟶𝟿", 6, "090909", true},
		{"five digits are no code", "12345", 6, "", false},
		{"seven digits are no code", "1234567", 6, "", false},
		{"six digits are no code of eight", "123456", 8, "", false},
		{"letters are no digits", "12345a", 6, "", false},
		{"the letter O is not zero", "12345O", 6, "", false},
		{"superscripts are no digits", "12345⁶", 6, "", false},
		{"Roman numerals are no digits", "12345Ⅵ", 6, "", false},
		{"a plus sign is no hyphen", "+123456", 6, "", false},
		{"a dot is no hyphen", "123.456", 6, "", false},
		{"a zero byte is nothing to drop", "123456\x00", 6, "", false},
		{"nothing is no code", "", 6, "", false},
		{"blanks alone are no code", "      ", 6, "", false},
		{"invalid UTF-8 is no code", "12345\xff6", 6, "", false},
		{"what is too long is not looked at", strings.Repeat(" ", 128) + "123456", 6, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := foldCode(tt.input, tt.digits)
			if ok != tt.ok || ok && got != tt.want {
				t.Errorf("foldCode = %q, %v, want %q, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// decimal rests on the table's ranges being whole tens that begin at a zero.
func TestRule07EveryScriptHasTenDigitsInOrder(t *testing.T) {
	check := func(lo, hi, stride uint32) {
		if stride != 1 || (hi-lo+1)%10 != 0 {
			t.Errorf("the range %U to %U by %d is not whole tens", lo, hi, stride)
		}
	}
	for _, r := range unicode.Nd.R16 {
		check(uint32(r.Lo), uint32(r.Hi), uint32(r.Stride))
	}
	for _, r := range unicode.Nd.R32 {
		check(r.Lo, r.Hi, r.Stride)
	}
	for _, zero := range []rune{'0', '٠', '۰', '߀', '०', '০', '੦', '૦', '௦', '๐', '໐', '༠', '０', '𝟎', '𝟬', '🯰'} {
		for i := range rune(10) {
			if d, ok := decimal(zero + i); !ok || d != byte(i) {
				t.Errorf("decimal(%U) = %d, %v, want %d", zero+i, d, ok, i)
			}
		}
	}
}

func FuzzRule07FoldedInputIsDigitsOrNothing(f *testing.F) {
	f.Add("123 456", 6)
	f.Add("١٢٣٤٥٦٧٨", 8)
	f.Fuzz(func(t *testing.T, input string, digits int) {
		if digits != 6 && digits != 8 {
			digits = 6
		}
		got, ok := foldCode(input, digits)
		if ok && (len(got) != digits || strings.Trim(got, "0123456789") != "") {
			t.Errorf("foldCode(%q) = %q", input, got)
		}
	})
}
