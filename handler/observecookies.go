package handler

import (
	"net/http"
	"slices"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// parsePairs reads the cookies where no session can be asked for.
func (v *visit) parsePairs() {
	v.pairs, _ = cookie.Parse(nil, v.r.Header["Cookie"])
	for _, p := range v.pairs {
		v.hasToken = v.hasToken || p.Name == v.ownName()
	}
}

// isOurs reports whether a cookie that came is the gateway's: its own one, or
// a value that it has sealed.
func (v *visit) isOurs(p cookie.Pair) bool {
	return isOwnName(p.Name) || p.HasValue && seal.IsSealed(p.Value) && !v.g.isReadable(p)
}

// openObserved opens the seals that a browser has from an enforcing time, by
// the rules of that time.
//
// A login takes the browser out of that time: whose the app's session is from
// now on, no seal and no session of ours knows. So the session ends and the
// line is locked before the login goes on, as when enforcing, and the opened
// values are returned, to be handed back to the browser as the app had set
// them. Where that cannot be done they stay shut.
func (v *visit) openObserved(login bool) (back []openedCookie) {
	if v.parts == nil || !slices.ContainsFunc(v.pairs, v.isOurs) {
		return nil
	}
	if err := v.openSeals(); err != nil {
		v.g.watch.fails("the seals of a browser cannot be opened", err)
		v.forgetLine()
		return nil
	}
	if !login || len(v.opened) == 0 && !v.verified() {
		return nil
	}
	ctx, cancel := v.ctx()
	defer cancel()
	var err error
	if v.verified() {
		err = v.parts.Store.EndSession(ctx, v.sessionID)
	} else {
		err = v.parts.Store.StandLine(ctx, v.lineKey(), v.now, v.now.Add(v.g.AppSessionMax))
	}
	if err != nil {
		v.g.watch.fails("a login cannot take its browser's seals along", err)
		v.forgetLine()
		return nil
	}
	return slices.Clone(v.opened)
}

// setObserved takes what is the gateway's out of the Cookie fields and puts the
// opened values in its place. Where there is nothing of the gateway's, the
// fields stay as they came.
func (v *visit) setObserved() (restore func()) {
	if !slices.ContainsFunc(v.pairs, v.isOurs) {
		return func() {}
	}
	came := v.r.Header["Cookie"]
	line := make([]byte, 0, 256)
	next := 0
	for i, p := range v.pairs {
		switch {
		case next < len(v.opened) && v.opened[next].pair == i:
			line, _ = cookie.AppendValue(line, v.opened[next].name, v.opened[next].value)
			next++
		case !v.isOurs(p):
			line = cookie.AppendKept(line, p)
		}
	}
	if len(line) > 0 {
		v.r.Header["Cookie"] = []string{string(line)}
	} else {
		delete(v.r.Header, "Cookie")
	}
	return func() { v.r.Header["Cookie"] = came }
}

// handBack sets the values that a login has taken out of their seals, as the
// app had set them, but for those that its answer sets itself.
func (v *visit) handBack(h http.Header, back []openedCookie) {
	if len(back) == 0 {
		return
	}
	sets := v.answerCookies(h)
	for _, o := range back {
		set := slices.ContainsFunc(sets, func(c cookie.SetCookie) bool {
			return c.Name == o.name && c.AttributesAt(v.orig.EscapedPath(), v.now).Path == o.attrs.Path
		})
		if set {
			continue
		}
		if line, ok := o.attrs.Set(o.name, o.value, v.now); ok {
			h.Add("Set-Cookie", line)
		}
	}
}

// appCookies are the cookies that the answer itself sets, without what stood in
// the header map before.
func (v *visit) appCookies(h http.Header, before int) []cookie.SetCookie {
	lines := h["Set-Cookie"]
	if len(lines) <= before {
		return nil
	}
	return v.answerCookies(http.Header{"Set-Cookie": lines[before:]})
}

// noteSet notes the guarded cookies that an answer sets.
func (g *Gate) noteSet(sets []cookie.SetCookie, now time.Time, where store.SeenMarks) {
	for _, c := range sets {
		if !g.isGuarded(c.Name) || c.Name == "" || c.Deletes(now) {
			continue
		}
		marks := where | store.SeenOpen
		if c.HTTPOnly {
			marks = where | store.SeenHTTPOnly
		}
		g.watch.cookie(store.SeenCookie, c.Name, marks, now)
	}
}

// noteSent notes the guarded cookies that the browser has sent.
func (v *visit) noteSent() {
	for _, p := range v.pairs {
		if p.Name == "" || !p.HasValue || v.g.isReadable(p) || v.isOurs(p) {
			continue
		}
		v.g.watch.cookie(store.SeenSent, p.Name, 0, v.now)
	}
}
