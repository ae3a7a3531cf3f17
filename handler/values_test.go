package handler

import (
	"testing"
	"time"
)

func TestTheValuesOfVisitorsAreBounded(t *testing.T) {
	var b budget
	now := time.Unix(1e9, 0)
	for i := range maxLineValues {
		if !b.take(now.Add(time.Duration(i) * time.Second / 2)) {
			t.Fatalf("the value %d was refused", i)
		}
	}
	if b.take(now.Add(lineValueFor)) {
		t.Error("one too many was taken")
	}
	if !b.take(now.Add(lineValueFor + time.Second)) {
		t.Error("after a day nothing is taken any more")
	}
}
