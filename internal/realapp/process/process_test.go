package process

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// caught is a test that keeps its failure to itself.
type caught struct {
	testing.TB
	text string
}

func (c *caught) Helper() {}
func (c *caught) Fatalf(format string, args ...any) {
	c.text = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure returns what a call says as it ends the test, "" if it does not.
func failure(t *testing.T, call func(testing.TB)) string {
	t.Helper()
	c := &caught{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		call(c)
	}()
	<-done
	return c.text
}

func TestRunReturnsWhatAProgramWrites(t *testing.T) {
	t.Setenv("OF_THE_CALLER", "seen")
	folder := Folder(t, "process", "tmp")
	got := Run(t, Command(folder, nil, "sh", "-c", `echo "$PWD $TMPDIR $OF_THE_CALLER"; echo error >&2`), time.Minute)
	if want := folder + " " + folder + "/tmp \nerror\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRunEndsTheTestWithWhatAProgramWrites(t *testing.T) {
	folder := Folder(t, "process", "tmp")
	for name, c := range map[string]struct{ script, want string }{
		"a program that fails":                     {"echo a reason; exit 3", "sh: exit status 3\na reason"},
		"a program that takes too long":            {"sleep 60", "sh: it takes longer than 1s"},
		"a program whose children take too long":   {"sleep 60 & wait", "sh: it takes longer than 1s"},
		"a program that leaves its output to them": {"sleep 60 &", "sh: it takes longer than 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			got := failure(t, func(tb testing.TB) { Run(tb, Command(folder, nil, "sh", "-c", c.script), time.Second) })
			if !strings.Contains(got, c.want) {
				t.Errorf("it says %q, want %q", got, c.want)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestAwaitSaysWhyAServerDoesNotAnswer(t *testing.T) {
	folder := Folder(t, "process", "tmp")
	never := func() bool { return false }
	ended := Start(t, Command(folder, nil, "sh", "-c", "echo no port"))
	if got := failure(t, func(tb testing.TB) { ended.Await(tb, time.Minute, never) }); !strings.Contains(got, "sh has ended:\nno port") {
		t.Errorf("of a server that has ended it says %q", got)
	}
	silent := Start(t, Command(folder, nil, "sleep", "60"))
	if got := failure(t, func(tb testing.TB) { silent.Await(tb, 50*time.Millisecond, never) }); !strings.Contains(got, "sleep does not answer after 50ms") {
		t.Errorf("of a silent server it says %q", got)
	}
}

func TestFolderGoesWithItsTest(t *testing.T) {
	folder := ""
	t.Run("a folder is made", func(t *testing.T) { folder = Folder(t, "process", "tmp") })
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}
