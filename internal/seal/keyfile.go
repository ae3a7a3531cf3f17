package seal

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// KeyFile is the name of the file in the data directory that holds the keys of
// a gateway whose operator gave none.
const KeyFile = "two-factor.key"

const (
	keyFileHead = "caddy-twofactor keys v1, newest first: keep this file secret, back it up, change nothing in it"
	maxKeyFile  = 16 << 10
)

// LoadOrCreate returns the ring of the key file in dir and, where there was no
// such file, makes one with a new random key; created says so. The file is
// made with mode 0600, is complete on the disk before it gets its name, and
// never takes the place of another one, so that of two gateways that start at
// once both get the same key.
//
// A file that others can read, that is damaged or that cannot be read is an
// error and stays as it is: a new key in its place would make everything that
// was sealed unreadable.
func LoadOrCreate(dir string, o Options) (ring *Ring, created bool, err error) {
	path := filepath.Join(dir, KeyFile)
	keys, err := readKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if created, err = createKeyFile(dir, path); err != nil {
			return nil, false, fmt.Errorf("making the key file %s: %w", path, err)
		}
		keys, err = readKeyFile(path)
	}
	if err != nil {
		return nil, false, fmt.Errorf("key file %s: %w", path, err)
	}
	ring, err = NewRing(keys, o)
	if err != nil {
		return nil, false, fmt.Errorf("key file %s: %w", path, err)
	}
	return ring, created, nil
}

func readKeyFile(path string) ([]Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("others can read or change it (mode %04o): run chmod 600 on it, and replace its key if others may have read it", info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	return parseKeyFile(b)
}

// errDamaged says what can be done, for a new key is never made by itself.
var errDamaged = errors.New("is damaged: put it back from a backup; only if there is none, move it away, and a new key is made that opens nothing sealed until now")

// parseKeyFile reads the head and a line "name secret checksum" for each key.
func parseKeyFile(b []byte) ([]Key, error) {
	if len(b) > maxKeyFile {
		return nil, errDamaged
	}
	body, ok := strings.CutPrefix(string(b), keyFileHead+"\n")
	body, ended := strings.CutSuffix(body, "\n")
	if !ok || !ended {
		return nil, errDamaged
	}
	var keys []Key
	for line := range strings.SplitSeq(body, "\n") {
		fields := strings.Split(line, " ")
		if len(fields) != 3 || checksum(fields[0], fields[1]) != fields[2] {
			return nil, errDamaged
		}
		k, err := ParseKey(fields[0], fields[1])
		if err != nil {
			return nil, errDamaged
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func formatKeyFile(name string, secret []byte) []byte {
	var b bytes.Buffer
	text := hex.EncodeToString(secret)
	fmt.Fprintf(&b, "%s\n%s %s %s\n", keyFileHead, name, text, checksum(name, text))
	return b.Bytes()
}

// checksum tells a damaged line from a whole one.
func checksum(name, secret string) string {
	sum := sha256.Sum256([]byte("caddy-twofactor key file " + name + " " + secret))
	return hex.EncodeToString(sum[:4])
}

// createKeyFile makes the key file, unless another gateway was faster.
func createKeyFile(dir, path string) (created bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	var random [SecretSize + 8]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	suffix := hex.EncodeToString(random[SecretSize:])
	name := "file-" + suffix[:8]

	temp := path + "." + suffix
	if err := writeSynced(temp, formatKeyFile(name, random[:SecretSize])); err != nil {
		return false, errors.Join(err, ignoreMissing(os.Remove(temp)))
	}
	created, err = publish(temp, path)
	if err != nil {
		return false, errors.Join(err, ignoreMissing(os.Remove(temp)))
	}
	return created, syncDir(dir)
}

func writeSynced(path string, b []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

// publish gives the file at temp its name. A rename would replace a file that
// came to be meanwhile, so it is a hard link, which does not; file systems
// without hard links get the rename after one more look.
func publish(temp, path string) (created bool, err error) {
	err = os.Link(temp, path)
	if err == nil {
		return true, os.Remove(temp)
	}
	if _, missing := os.Lstat(path); !errors.Is(missing, fs.ErrNotExist) {
		return false, os.Remove(temp) // another gateway's file, which is read next
	}
	if err := os.Rename(temp, path); err != nil {
		return false, err
	}
	return true, nil
}

func syncDir(dir string) (err error) {
	if runtime.GOOS == "windows" {
		return nil // has no such call
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
