package file

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// By what a child has learnt something.
const (
	lessonPassed = "passed"
	lessonBegun  = "begun"
)

// crashLesson is a word of a history: by what it was learnt, at which step.
func crashLesson(by string, step int64) string { return fmt.Sprintf("%s:%d", by, step) }

func crashLearn(by string, step int64) store.Learn {
	return func(old []byte) []byte { return append(append(old, crashLesson(by, step)...), ' ') }
}

func lessons(history []byte) []string { return strings.Fields(string(history)) }

func learntOf(ctx context.Context, s *Store, acc, by string, step int64) error {
	history, err := s.History(ctx, "crm", acc)
	if err == nil && !slices.Contains(lessons(history), crashLesson(by, step)) {
		return errors.New("nothing was learnt of it")
	}
	return err
}

// learnt checks that what is learnt of a login is there, once, if its session
// or its challenge is, and only then.
func (h *half) learnt() {
	want := make(map[string]int)
	for _, c := range h.challenges {
		if step, err := strconv.ParseInt(c.Address, 10, 64); err == nil && c.Purpose == account.PurposeLogin && c.State == account.ChallengePassed {
			want[string(accountKey(c.Instance, c.Account))+" "+crashLesson(lessonPassed, step)]++
		}
	}
	for _, v := range h.sessions {
		if strings.HasPrefix(v.Address, lessonBegun+":") {
			want[string(accountKey(v.Instance, v.Account))+" "+v.Address]++
		}
	}
	_ = h.tx.Bucket([]byte(histories.bucket)).ForEach(func(key, raw []byte) error {
		history, err := histories.decode(key, raw)
		if err != nil {
			h.t.Error(err)
		}
		for _, lesson := range lessons(history) {
			want[string(key)+" "+lesson]--
			h.found["lessons"]++
		}
		return nil
	})
	for lesson, n := range want {
		if n != 0 {
			h.t.Errorf("%q is learnt %d times too little", lesson, n)
		}
	}
}
