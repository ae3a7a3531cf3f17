package handler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// openedCookie is a guarded cookie whose seal has opened.
type openedCookie struct {
	// pair is its place among the request's pairs.
	pair  int
	name  string
	value string
	attrs cookie.Attributes
	flags byte
	// sealed is what the browser sent, and issued when it was sealed.
	sealed string
	issued time.Time
	// handle is under what the store keeps the value, empty if it does not.
	handle string
}

// flagHandle says that the sealed value is the handle of one that is kept in
// the store, since it would be too large for a cookie.
const flagHandle byte = 1 << 1

func (o *openedCookie) toBeProved() bool { return o.flags&seal.FlagToBeProved != 0 }

// openSeals opens the seals of the request for its standing: with a verified
// session those of that session, without one those of one line that no login
// has locked. What does not open is taken off; an error means that the store
// could not say whether the line is locked, and then nothing has opened.
func (v *visit) openSeals() error {
	if v.verified() {
		return v.openFor(seal.Standing{Kind: seal.KindSession, ID: v.session.Standing})
	}
	if err := v.openLine(); err != nil {
		return err
	}
	for !v.line.IsZero() {
		state, err := v.parts.Store.LineState(v.r.Context(), v.lineKey(), v.now)
		if err != nil {
			v.forgetLine()
			return err
		}
		if state == account.LockFree {
			return nil
		}
		if err := v.nextLine(); err != nil {
			return err
		}
	}
	return nil
}

func (v *visit) lineKey() account.LineKey {
	return account.LineKey{Instance: v.g.Instance, Line: v.line}
}

// forgetLine takes the request off its line; its answer begins a new one.
func (v *visit) forgetLine() {
	v.line, v.opened = account.StandingID{}, nil
}

// maxLines is how many lines of one request are asked for.
const maxLines = 4

// openLine opens the anonymous seals of the first line that the request
// carries a seal of and that was not found locked; those of a second line stay
// shut.
func (v *visit) openLine() error {
	return v.openWhere(func(s seal.Value) bool {
		// A seal's time is kept to the millisecond.
		if s.Standing.Kind != seal.KindLine || s.Issued.Before(v.parts.Epoch.Truncate(time.Millisecond)) {
			return false
		}
		if slices.Contains(v.lockedLines, s.Standing.ID) {
			return false
		}
		if v.line.IsZero() {
			v.line = s.Standing.ID
		}
		return v.line == s.Standing.ID
	})
}

// nextLine leaves a line that a login has locked for the next one of which the
// request carries a seal. The seals of the locked one do not open any more, so
// that a cookie which the app never sets again cannot keep a browser from
// every line that comes after it.
func (v *visit) nextLine() error {
	v.lockedLines = append(v.lockedLines, v.line)
	v.forgetLine()
	if len(v.lockedLines) >= maxLines {
		return nil
	}
	return v.openLine()
}

func (v *visit) openFor(standing seal.Standing) error {
	return v.openWhere(func(s seal.Value) bool { return s.Standing == standing })
}

// openWhere opens the seals that are mine. An error means that the store could
// not give a value that it keeps; then nothing has opened.
func (v *visit) openWhere(mine func(seal.Value) bool) error {
	for i := range v.pairs {
		p := &v.pairs[i]
		if !p.HasValue || !seal.IsSealed(p.Value) || v.g.isReadable(*p) {
			continue
		}
		s, err := v.parts.Ring.OpenCookie(v.g.Instance, p.Name, p.Value, v.now)
		if err != nil || v.now.Sub(s.Issued) > v.g.AppSessionMax || !mine(s) {
			continue
		}
		o := openedCookie{pair: i, name: p.Name, value: s.Value, flags: s.Flags, sealed: p.Value, issued: s.Issued}
		if o.attrs, err = cookie.ParseAttributes(s.Attributes); err != nil {
			continue
		}
		if s.Flags&flagHandle != 0 {
			there, err := v.fetch(&o)
			if err != nil {
				v.forgetLine()
				return err
			}
			if !there {
				continue
			}
		}
		v.opened = append(v.opened, o)
	}
	return nil
}

// fetch reads a value that was too large for a cookie, and reports whether it
// is still there.
func (v *visit) fetch(o *openedCookie) (bool, error) {
	value, err := v.parts.Store.Value(v.r.Context(), o.value, v.now)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("the value of the cookie %s: %w", o.name, err)
	}
	plain, err := v.parts.Ring.Open(seal.PurposeCookie, []byte(o.value), value, v.now)
	if err != nil {
		v.g.Logger.Error("a cookie's value in the store does not open", zap.String("cookie", o.name), zap.Error(err))
		return false, nil
	}
	o.handle, o.value = o.value, string(plain)
	return true, nil
}

// isReadable reports whether a cookie goes through unsealed: its name is
// declared, and no parser could find a second cookie in it.
func (g *Gate) isReadable(p cookie.Pair) bool {
	return g.readable.Match(p.Name) && !isOwnName(p.Name) && p.Safe()
}

// cookieHeader rebuilds the Cookie header from what is allowed: the readable
// cookies as they came, the opened ones with their values, in their order.
func (v *visit) cookieHeader() []byte {
	line := v.room.line[:0]
	next := 0
	for i := range v.pairs {
		switch {
		case next < len(v.opened) && v.opened[next].pair == i:
			line, _ = cookie.AppendValue(line, v.opened[next].name, v.opened[next].value)
			next++
		case v.g.isReadable(v.pairs[i]):
			line = cookie.AppendKept(line, v.pairs[i])
		}
	}
	v.room.line = line
	return line
}

// setCookies puts the rebuilt Cookie header in place of what came, unless it is
// what came.
func (v *visit) setCookies() {
	line := v.cookieHeader()
	switch {
	case len(line) == 0:
		delete(v.r.Header, "Cookie")
	case len(v.came.cookies) == 1 && v.came.cookies[0] == string(line):
	default:
		v.r.Header["Cookie"] = []string{string(line)}
	}
}

// restoreCookies puts the Cookie header back as it came.
func (v *visit) restoreCookies() {
	if len(v.came.cookies) > 0 {
		v.r.Header["Cookie"] = v.came.cookies
	}
}

// sealer seals the cookies of an answer for one standing.
type sealer struct {
	v        *visit
	standing seal.Standing
	flags    byte
	// proved says that the values which the request went on with were proved
	// and that it can have changed nothing, so that what it set is proved too.
	proved bool
	// until is when what the store keeps of it may be forgotten.
	until time.Time
}

// line writes one Set-Cookie line with the value sealed. A line that deletes
// a cookie carries no value.
func (s *sealer) line(ctx context.Context, c cookie.SetCookie) (string, error) {
	v := s.v
	if c.Deletes(v.now) {
		return c.Rewrite("", v.orig.EscapedPath()), nil
	}
	sealed, err := s.value(ctx, c.Name, c.Value, c.AttributesAt(v.orig.EscapedPath(), v.now))
	if err != nil {
		return "", err
	}
	if s.proved {
		v.g.proven.add(s.standing.ID, sealed, v.turn, v.now)
	}
	return c.Rewrite(sealed, v.orig.EscapedPath()), nil
}

func (s *sealer) value(ctx context.Context, name, value string, attrs cookie.Attributes) (string, error) {
	v := s.v
	val := seal.Value{Standing: s.standing, Issued: v.now, Attributes: attrs.Append(nil), Flags: s.flags, Value: value}
	if seal.SealedLen(name, value, val.Attributes) > maxCookie {
		handle, err := s.keepValue(ctx, name, value, attrs.Path)
		if err != nil {
			return "", err
		}
		val.Value, val.Flags = handle, val.Flags|flagHandle
	}
	return v.parts.Ring.SealCookie(v.g.Instance, name, val, v.now), nil
}

// answerCookies returns the cookies of an answer that count: the last line per
// name, path and domain, without ours.
func (v *visit) answerCookies(h http.Header) []cookie.SetCookie {
	lines := h["Set-Cookie"]
	if len(lines) == 0 && len(v.asked) == 0 {
		return nil
	}
	sets := make([]cookie.SetCookie, 0, len(v.asked)+len(lines))
	sets = append(sets, v.asked...)
	for _, line := range lines {
		if c, ok := cookie.ParseSet(line); ok && !isOwnName(c.Name) {
			sets = append(sets, c)
		}
	}
	return cookie.Last(sets, v.orig.EscapedPath(), v.r.Host)
}

// isGuarded reports whether a cookie that the app sets leaves only sealed.
func (g *Gate) isGuarded(name string) bool { return !g.readable.Match(name) }

// sealAll replaces the Set-Cookie fields of an answer: guarded cookies are
// sealed for the standing, or left out if the standing is nil, but for the
// lines that delete one; readable ones go as they are. Credential cookies go
// only where withCredentials is true.
func (v *visit) sealAll(ctx context.Context, h http.Header, sets []cookie.SetCookie, s *sealer, withCredentials bool) {
	lines := make([]string, 0, len(sets))
	for _, c := range sets {
		if !v.g.isGuarded(c.Name) {
			lines = append(lines, c.String())
			continue
		}
		deletes := c.Deletes(v.now)
		if !deletes && !withCredentials && v.g.credentials.FoldMatch(c.Name) {
			v.g.Logger.Warn("a credential cookie was set outside a login and is withheld: declare that login",
				zap.String("cookie", c.Name), zap.String("method", v.r.Method), zap.String("path", v.orig.Path))
			v.record(Event{Kind: CookieWithheld, Result: NoCredential, Detail: c.Name})
			continue
		}
		if deletes {
			lines = append(lines, c.Rewrite("", v.orig.EscapedPath()))
			continue
		}
		if s == nil {
			continue
		}
		line, err := s.line(ctx, c)
		if err != nil {
			v.g.Logger.Error("a cookie of the app could not be sealed and is withheld",
				zap.String("cookie", c.Name), zap.Error(err))
			v.record(Event{Kind: CookieWithheld, Result: NotSealed, Detail: c.Name})
			continue
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		delete(h, "Set-Cookie")
		return
	}
	h["Set-Cookie"] = lines
}

// keepReadable leaves of an answer's cookies only the readable ones: none of
// the guarded, the lines that delete one included.
func (v *visit) keepReadable(h http.Header, sets []cookie.SetCookie) {
	delete(h, "Set-Cookie")
	for _, c := range sets {
		if !v.g.isGuarded(c.Name) {
			h.Add("Set-Cookie", c.String())
		}
	}
}

// answerStanding returns the sealer for the answer to this request: of its
// session, of its line, or of a new line.
func (v *visit) answerStanding(flags byte) (*sealer, error) {
	if v.verified() {
		s := v.sessionSealer(&v.session)
		s.flags, s.proved = flags, v.inheritsProof(flags)
		return s, nil
	}
	line := v.line
	if line.IsZero() {
		var err error
		if line, err = v.g.newStanding(); err != nil {
			return nil, err
		}
	}
	return &sealer{v: v, standing: seal.Standing{Kind: seal.KindLine, ID: line}, flags: flags, proved: v.inheritsProof(flags)}, nil
}

// deleteOpened makes the browser forget the cookies that the request opened.
func (v *visit) deleteOpened(h http.Header) {
	for _, o := range v.opened {
		if line, ok := o.attrs.Delete(o.name); ok {
			h.Add("Set-Cookie", line)
		}
	}
}

// standingNow looks the request's standing up again, when an answer is there.
// It returns false if nothing of the answer may be bound to it any more.
func (v *visit) standingNow() bool {
	if v.verified() {
		s, err := v.parts.Store.Session(v.r.Context(), v.sessionID, v.g.Clock())
		return err == nil && s.Usable(v.g.Clock()) && s.Standing == v.session.Standing
	}
	if v.hasToken {
		if s, err := v.parts.Store.Session(v.r.Context(), v.sessionID, v.g.Clock()); err == nil {
			if s.State == account.StatePending || s.State == account.StateVerified {
				return false
			}
		} else if !errors.Is(err, store.ErrNotFound) {
			return false
		}
	}
	if v.line.IsZero() {
		return true
	}
	state, err := v.parts.Store.LineState(v.r.Context(), v.lineKey(), v.g.Clock())
	return err == nil && state == account.LockFree
}

// site names the app's host for a person.
func (v *visit) site() string { return strings.ToLower(v.r.Host) }
