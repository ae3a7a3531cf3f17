package handler

import (
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestALookAtAnAnswerThatPanicsEndsNothing(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	g := &Gate{Config: Config{Clock: time.Now, Logger: zap.New(core)}}
	g.watch = newWatcher(g)
	(&visit{g: g}).lookLater(func() { panic("a bug") })
	for range maxLooks {
		// All places are free again.
		g.watch.looks <- struct{}{}
	}
	if logs.Len() != 1 {
		t.Errorf("%d lines were logged", logs.Len())
	}
}
