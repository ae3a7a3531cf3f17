package seal

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAKeyIsThirtyTwoBytesInHexOrBase64(t *testing.T) {
	want := key(t, "k")
	b := want.secret[:]
	for _, text := range []string{
		hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), base64.StdEncoding.EncodeToString(b), base64.RawStdEncoding.EncodeToString(b),
		base64.URLEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b),
	} {
		got, err := ParseKey("k", text)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestRule28AnythingElseIsRefusedWithWhatIsExpected(t *testing.T) {
	k := key(t, "k")
	good := hex.EncodeToString(k.secret[:])
	for _, text := range []string{
		"", "secret", good[:62], good + "00", good[:63] + "g", " " + good, good + "\n", "0x" + good,
		base64.StdEncoding.EncodeToString(make([]byte, 16)), strings.Repeat("correct horse battery staple ", 2),
		"AAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAAA",
	} {
		_, err := ParseKey("k", text)
		if err == nil || !strings.Contains(err.Error(), "32 random bytes as 64 hexadecimal digits or in base64") {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && len(text) > 10 && strings.Contains(err.Error(), text) {
			t.Errorf("the error quotes the secret: %v", err)
		}
	}
	if _, err := ParseKey("k", strings.Repeat("00", 32)); err == nil || !strings.Contains(err.Error(), "all of its bytes are the same") {
		t.Errorf("a key of zeros: %v", err)
	}
	for _, name := range []string{"", "a b", strings.Repeat("x", 33), "ä"} {
		if _, err := ParseKey(name, good); err == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
}

func TestRule28ARingThatCannotWorkIsRefused(t *testing.T) {
	a, b := key(t, "a"), key(t, "b")
	sameSecret, sameName := Key{"c", a.secret}, Key{"a", b.secret}
	for name, c := range map[string]struct {
		keys []Key
		o    Options
		want string
	}{
		"no key":           {nil, Options{}, "at least one"},
		"an empty key":     {[]Key{{}}, Options{}, "without name"},
		"one secret twice": {[]Key{a, sameSecret}, Options{}, "are the same"},
		"one name twice":   {[]Key{a, sameName}, Options{}, "two keys are named"},
		"a negative age":   {[]Key{a}, Options{MaxAge: map[Purpose]time.Duration{"x": -1}}, "cannot have the age"},
	} {
		if _, err := NewRing(c.keys, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func load(t *testing.T, dir string) (*Ring, bool) {
	t.Helper()
	r, created, err := LoadOrCreate(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r, created
}

func TestAKeyFileIsMadeOnceAndReadAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	first, created := load(t, dir)
	if !created {
		t.Error("the first load did not say that it made the file")
	}
	sealed := first.Seal(PurposeFactor, nil, []byte("seed"), noon)
	second, created := load(t, dir)
	if created {
		t.Error("the second load says that it made the file")
	}
	if got, err := second.Open(PurposeFactor, nil, sealed, noon); err != nil || string(got) != "seed" {
		t.Errorf("after a restart: %q, %v", got, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != KeyFile {
		t.Errorf("in the directory: %v, %v", entries, err)
	}
	info, err := os.Stat(filepath.Join(dir, KeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode: %v, %v", info, err)
	}
	other, _ := load(t, t.TempDir())
	if _, err := other.Open(PurposeFactor, nil, sealed, noon); err == nil {
		t.Error("two directories got the same key")
	}
}

func TestAnOlderLineOfTheKeyFileStillOpens(t *testing.T) {
	dir := t.TempDir()
	old, _ := load(t, dir)
	sealed := old.Seal(PurposeFactor, nil, []byte("seed"), noon)
	path := filepath.Join(dir, KeyFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secret := key(t, "new").secret
	both := string(formatKeyFile("new", secret[:])) + strings.SplitAfter(string(b), "\n")[1]
	if err := os.WriteFile(path, []byte(both), 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := load(t, dir)
	if _, err := r.Open(PurposeFactor, nil, sealed, noon); err != nil || r.Names()[0] != "new" || len(r.Names()) != 2 {
		t.Errorf("with a newer key before it: %v, keys %v", err, r.Names())
	}
}

func TestRule28ADamagedKeyFileIsNeverOverwritten(t *testing.T) {
	dir := t.TempDir()
	load(t, dir)
	path := filepath.Join(dir, KeyFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(string(good))
	at := len(flipped) - 20
	flipped[at] = map[bool]byte{true: '1', false: '0'}[flipped[at] == '0']
	for name, bad := range map[string]string{
		"empty": "", "cut by one": string(good[:len(good)-1]), "cut in the key": string(good[:len(good)-40]), "only the head": keyFileHead + "\n",
		"one digit changed": string(flipped), "text behind": string(good) + "x", "a blank line": string(good) + "\n", "something else": "hello\n",
		"the head changed": strings.Replace(string(good), "v1", "v2", 1), "carriage returns": strings.ReplaceAll(string(good), "\n", "\r\n"),
		"far too long": string(good) + strings.Repeat("x", maxKeyFile), "zeros": string(make([]byte, len(good))),
	} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		r, created, err := LoadOrCreate(dir, Options{})
		if err == nil || r != nil || created || !strings.Contains(err.Error(), "is damaged: put it back from a backup") {
			t.Errorf("%s: %v, created %v, %v", name, r, created, err)
		}
		if now, _ := os.ReadFile(path); string(now) != bad {
			t.Errorf("%s: the file was changed", name)
		}
	}
	for n := range good {
		if _, err := parseKeyFile(good[:n]); err == nil {
			t.Errorf("cut to %d bytes, it is read", n)
		}
	}
}

func TestAKeyFileThatOthersCanReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	load(t, dir)
	path := filepath.Join(dir, KeyFile)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o620, 0o601, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, _, err := LoadOrCreate(dir, Options{}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, _, err := LoadOrCreate(dir, Options{}); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestWhatIsNoFileIsRefusedAsAKeyFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, KeyFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadOrCreate(dir, Options{}); err == nil {
		t.Error("a directory is taken for the key file")
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadOrCreate(blocked, Options{}); err == nil {
		t.Error("a file is taken for the data directory")
	}
}

func TestAKeyFileIsNotReplacedByALateComer(t *testing.T) {
	dir := t.TempDir()
	first, _ := load(t, dir)
	created, err := createKeyFile(dir, filepath.Join(dir, KeyFile))
	if err != nil || created {
		t.Errorf("a second making: created %v, %v", created, err)
	}
	again, _ := load(t, dir)
	if first.keys[0].id != again.keys[0].id {
		t.Error("the key was replaced")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left in the directory: %v", entries)
	}
}

func TestGatewaysThatStartAtOnceGetOneKey(t *testing.T) {
	dir := t.TempDir()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		ids   = map[uint32]bool{}
		makes int
	)
	for range 16 {
		wg.Go(func() {
			r, created, err := LoadOrCreate(dir, Options{})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			ids[r.keys[0].id] = true
			if created {
				makes++
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 || makes != 1 {
		t.Errorf("%d keys, made %d times", len(ids), makes)
	}
}
