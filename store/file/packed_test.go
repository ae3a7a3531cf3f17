package file

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// fill gives every field of a session a value that is none's other.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch field := v.Addr().Interface().(type) {
	case *time.Time:
		*field = time.Unix(int64(*n)<<33, int64(*n)*1_000_007).UTC()
		return
	case *[]account.Fingerprint:
		*field = []account.Fingerprint{{byte(*n)}, {byte(*n), 1}}
		return
	case **account.Steps:
		// It is kept beside what is packed, as it is.
		*field = &account.Steps{Waiting: "waiting", MovedTo: account.SessionID{byte(*n)}}
		return
	}
	switch v.Kind() {
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(*n + i))
		}
	case reflect.String:
		v.SetString(strings.Repeat("ä", 100) + string(rune('A'+*n)))
	case reflect.Int64, reflect.Int:
		v.SetInt(int64(*n) << 40)
	case reflect.Bool:
		v.SetBool(true)
	default:
		t.Fatalf("a field of a kind that nobody packs: %s", v.Type())
	}
}

func TestASessionIsUnpackedAsItWasPacked(t *testing.T) {
	full := account.Session{}
	n := 0
	for v, i := reflect.ValueOf(&full).Elem(), 0; i < v.NumField(); i++ {
		fill(t, v.Field(i), &n)
	}
	again, identified := full, full
	again.Identified, identified.Again = false, false
	far := full
	far.Expires = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	negative := full
	negative.IdleFor, negative.Created = -1, time.Date(-1, 1, 1, 0, 0, 0, 1, time.UTC)
	for name, s := range map[string]account.Session{
		"all fields": full, "none": {}, "again": again, "identified": identified, "a far end": far, "odd times": negative,
	} {
		p := pack(&s)
		if got := p.unpack(); !reflect.DeepEqual(got, s) {
			t.Errorf("%s: got %+v, want %+v", name, got, s)
		}
		life := account.Session{LastSeen: s.LastSeen, Expires: s.Expires, IdleFor: s.IdleFor}
		if got := p.life(); !reflect.DeepEqual(got, life) {
			t.Errorf("%s: it lives for %+v, want %+v", name, got, life)
		}
	}
}

func TestToUnpackASessionAllocatesNothing(t *testing.T) {
	v := verified("ada", time.Now())
	p := pack(&v)
	var got account.Session
	if n := testing.AllocsPerRun(1000, func() { got = p.unpack() }); n != 0 || got.Account != "ada" {
		t.Errorf("%v allocations", n)
	}
}
