package handler

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// The gateway's own cookie holds a random token, of which the store keeps the
// hash. Its name tells the instance; the prefix __Host- keeps other hosts and
// plain http from planting it.

// tokenBytes is the size of a token: 256 bits (ASVS 5.0, 7.2.3).
const tokenBytes = 32

// maxOwn is how many own cookies of one request are looked up.
const maxOwn = 4

// ownName returns the name of the own cookie for this browser.
func (v *visit) ownName() string {
	if !v.secure() {
		return v.g.own
	}
	return v.g.secureOwn
}

// ownNames are the names of the own cookies of every instance.
var ownNames = func() cookie.Matcher {
	m, err := cookie.NewMatcher("two-factor-*", "__Host-two-factor-*", "__Secure-two-factor-*")
	if err != nil {
		panic(err)
	}
	return m
}()

// isOwnName reports whether an app could read a cookie of this name as one of
// the gateway's, of whichever instance.
func isOwnName(name string) bool { return ownNames.FoldMatch(name) }

func hashToken(token string) (account.SessionID, bool) {
	raw := make([]byte, 0, tokenBytes+2)
	raw, err := base64.RawURLEncoding.Strict().AppendDecode(raw, []byte(token))
	if err != nil || len(raw) != tokenBytes {
		return account.SessionID{}, false
	}
	return sha256.Sum256(raw), true
}

// newToken makes a token and its hash.
func (g *Gate) newToken() (string, account.SessionID, error) {
	raw := make([]byte, tokenBytes)
	if _, err := io.ReadFull(g.Rand, raw); err != nil {
		return "", account.SessionID{}, err
	}
	return base64.RawURLEncoding.EncodeToString(raw), sha256.Sum256(raw), nil
}

func (g *Gate) newStanding() (id account.StandingID, err error) {
	_, err = io.ReadFull(g.Rand, id[:])
	return id, err
}

// readCookies parses the cookies and finds the browser's session. An error
// means that the store could not say.
func (v *visit) readCookies() error {
	lines := v.r.Header["Cookie"]
	if len(lines) == 0 {
		return nil
	}
	v.pairs, _ = cookie.Parse(v.pairs[:0], lines)
	own, tried := v.ownName(), 0
	for i := range v.pairs {
		if v.pairs[i].Name != own {
			continue
		}
		v.hasToken = true
		if tried++; tried > maxOwn {
			break
		}
		id, ok := hashToken(strings.TrimSpace(v.pairs[i].Value))
		if !ok || v.found && id == v.sessionID {
			continue
		}
		s, err := v.parts.Store.Session(v.r.Context(), id, v.now)
		if errors.Is(err, store.ErrNotFound) || err == nil && s.Instance != v.g.Instance {
			continue
		}
		if err != nil {
			return err
		}
		if v.found && s.ID == v.sessionID {
			continue
		}
		if v.found {
			// Two living sessions in one browser: one was planted, and nobody
			// can say which.
			v.g.Logger.Warn("a browser sent two of our cookies; neither counts")
			v.found, v.session = false, account.Session{}
			return nil
		}
		// Under an id that a step-up has replaced, the session has its new one.
		v.sessionID, v.session, v.found = s.ID, s, true
		v.token = strings.TrimSpace(v.pairs[i].Value)
	}
	if !v.verified() {
		return nil
	}
	err := v.parts.Store.TouchSession(v.r.Context(), v.sessionID, v.now)
	switch {
	case errors.Is(err, store.ErrNotFound):
		// It ended while we looked.
		v.found, v.session = false, account.Session{}
	case err != nil:
		// Nothing opens by it: at worst the session ends earlier.
		v.storeFailed()
		v.g.Logger.Error("that a session was seen could not be noted", zap.Error(err))
	}
	return nil
}

// setOwn adds the own cookie to the answer.
func (v *visit) setOwn(h http.Header, token string) { v.putOwn(h, token, 0) }

// dropOwn makes the browser forget the own cookie.
func (v *visit) dropOwn(h http.Header) { v.putOwn(h, "", -1) }

func (v *visit) putOwn(h http.Header, value string, maxAge int) {
	v.putCookie(h, v.ownName(), value, maxAge)
}

// putCookie adds a cookie of ours to the answer.
func (v *visit) putCookie(h http.Header, name, value string, maxAge int) {
	c := http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: v.secure(), SameSite: http.SameSiteLaxMode,
	}
	if v.secure() && v.g.CookieDomain != "" {
		c.Domain = v.g.CookieDomain
	}
	h.Add("Set-Cookie", c.String())
}
