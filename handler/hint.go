package handler

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"
)

// hintEvery is how often at most an operator is told of forms that no login
// tells: whoever sends many of them must not fill the log.
const hintEvery = 10 * time.Second

// maxHintNames is how many field names a hint names, and maxHintName how long
// each may be.
const (
	maxHintNames = 10
	maxHintName  = 40
)

// hintForm tells the operator that a form was posted to a protected address
// without a session and that no login told it: with a wrong field name in the
// config this is the app's own login form, and every sign-in ends at the login
// page. Names are logged, values never.
func (v *visit) hintForm() {
	if v.r.Method != http.MethodPost || !v.smallForm() {
		return
	}
	last := v.g.hinted.Load()
	if now := v.now.UnixNano(); now-last < int64(hintEvery) || !v.g.hinted.CompareAndSwap(last, now) {
		return
	}
	form, err := v.readForm()
	if err != nil || len(form) == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(form))
	names = names[:min(len(names), maxHintNames)]
	for i, name := range names {
		names[i] = bounded(name, maxHintName)
	}
	v.g.Logger.Warn("a form was posted to a protected address without a session, and no login tells it: if it is the app's login form, check the fields or the matcher of login; if it is not, make its address public",
		zap.String("path", v.orig.Path), zap.Strings("fields", names))
}
