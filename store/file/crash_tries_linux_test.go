package file

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// crashTries is how many tries the child notes at a time.
const crashTries = 500

// triesChild notes tries until it is killed, and says how many are in the file
// each time that more are.
func triesChild(dir string) error {
	s, err := Open(filepath.Join(dir, "store.db"), Options{})
	if err != nil {
		return err
	}
	now, noted, written := time.Now(), 0, 0
	for {
		if noted == written {
			for range crashTries {
				s.NoteTry(nthTry(noted, now))
				noted++
			}
		}
		time.Sleep(time.Millisecond)
		last := written
		if written, err = countTries(s); err != nil {
			return err
		}
		if written > last {
			fmt.Println(written)
		}
	}
}

func countTries(s *Store) (n int, err error) {
	err = s.viewOnce(func(tx *bbolt.Tx) error {
		n = 0
		return tx.Bucket([]byte(tryRecords.bucket)).ForEach(func(k, raw []byte) error {
			text, err := tryRecords.decode(k, raw)
			if err != nil {
				return err
			}
			list, err := unpackTries(text)
			n += len(list)
			return err
		})
	})
	return n, err
}

// Nobody closes it: what the engine writes by itself must be there.
func TestInvariant10AKilledProcessLosesNoTryThatWasWritten(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	cmd := childCommand(t, "tries", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines, written := bufio.NewReader(out), 0
	for written < 2*crashTries {
		line, err := lines.ReadString('\n')
		must(t, err)
		_, err = fmt.Sscan(line, &written)
		must(t, err)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	s := openAt(t, filepath.Join(dir, "store.db"))
	defer s.Close()
	checkFile(t, s)
	for i := range written {
		got := seenOf(t, s, nthTry(i, now), now)
		if got.NameFailures != 1 || got.AddressFailures != 1 {
			t.Fatalf("of the %dth of %d tries %+v are counted", i, written, got)
		}
	}
	if got := seenOf(t, s, nthTry(0, now), now.Add(account.TryWindow+time.Hour)); got.NameFailures != 0 {
		t.Errorf("it counts for ever: %+v", got)
	}
}
