package handler

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/certmagic"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// visit is one request on its way.
type visit struct {
	// room is what the visit works in.
	room  *room
	g     *Gate
	w     http.ResponseWriter
	r     *http.Request
	next  caddyhttp.Handler
	now   time.Time
	parts *Parts

	// orig is the address as the browser sees it, before any rewrite; address
	// is its raw form.
	orig    *url.URL
	address string

	// methods are those that headers of the request name beside its own, which
	// some apps take in its place: rules are asked about them too.
	methods []string

	allPaths    []string
	strictPaths int
	// query is the request's query as matchers can read it.
	query string

	// came are the fields of the request that change on its way to the app, as
	// they came.
	came cameWith
	// pairs are the cookies that came.
	pairs []cookie.Pair
	// hasToken says that the browser sent an own cookie, living or not.
	hasToken bool
	// sessionID and session are the browser's own session; found says that
	// the store knows it and it has not ended.
	sessionID account.SessionID
	// token is what the browser sent for it.
	token   string
	session account.Session
	found   bool
	// identity is whose first factor was passed before us; empty if nobody's.
	// anothers says that the browser's session is not to be used, since the
	// request is another user's.
	identity string
	anothers bool

	// line is the line that the request's anonymous seals descend from; zero
	// if it opened none.
	line account.StandingID
	// lockedLines are those of its seals that were found locked.
	lockedLines []account.StandingID
	// opened are the guarded cookies that go on to the app.
	opened []openedCookie
	// asked are the cookies that a proof has set before the request went on.
	asked []cookie.SetCookie

	protected bool
	// again are the facts of this request, where a policy was asked inside the
	// session.
	again *policy.Facts
	// mayAnswer are the kinds of factors that may answer what it asks for; all if
	// there are none.
	mayAnswer []string
	body      *requestBody
	// said is what the request has of the fields that rules have asked for, and
	// beyond are the rules that could not be decided. cutBy is nil if none of
	// them is watched for.
	said   []fieldSaid
	beyond []beyondCap
	cutBy  *cutBy
	// turn is since when nobody can have been logged in under the opened values
	// without the proven cache knowing it; asking says that a proof was asked
	// for before the request went on, and running that the request is one that
	// may log somebody in itself.
	turn    uint64
	asking  bool
	running bool
	// replayed is the held request that is sent to the app now; nil if the
	// request is none. pass is the request's pass, if passTaken says so, or
	// passPart, that a range was asked for beside it.
	replayed            *replayed
	pass                account.RequestID
	passTaken, passPart bool
	// sent is the visit as it was when the request went to the app, for what
	// runs beside it.
	sent *visit
	// instead, if set, answers in place of an answer that was dropped.
	instead func() error
	// api says that a client called the JSON API, so that no page is an answer.
	api bool
	// endContext ends the context of the request, where that can be done; nil if
	// not.
	endContext context.CancelFunc
	// calledOut says that the app was asked for a page of our own.
	calledOut bool
}

// readAddress notes the address as the browser sees it.
func (v *visit) readAddress() {
	v.orig, v.address = v.r.URL, v.r.RequestURI
	if o, ok := v.r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && o.URL != nil {
		v.orig, v.address = o.URL, o.RequestURI
	}
	if !strings.HasPrefix(v.address, "/") {
		v.address = v.orig.RequestURI()
	}
}

// isRefusedPath reports whether the address has a spelling that is refused. Like
// public, allow_path must match every reading: what it lets through may lead
// nowhere else.
func (v *visit) isRefusedPath() (bool, error) {
	if !isMalicious(v.address, v.orig) && !isMalicious("", v.r.URL) {
		return false, nil
	}
	allowed, err := v.matchesAll(v.g.AllowPath)
	return !allowed, err
}

// verified reports whether the request comes in a session that may use its
// seals.
func (v *visit) verified() bool { return v.found && !v.anothers && v.session.Usable(v.now) }

// pending reports whether the browser has an open challenge and no login of
// it is running.
func (v *visit) pending() bool {
	return v.found && !v.anothers && v.session.State == account.StatePending && !v.session.Suspended() && v.session.Alive(v.now)
}

// living reports whether the browser has a session that is neither passed nor
// cancelled.
func (v *visit) living() bool {
	return v.found && v.session.Suspends()
}

// ctx is for what must be done even if the client goes away.
func (v *visit) ctx() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(v.r.Context()), storeWait)
}

// clientIP is the client's address as Caddy determined it; empty if unknown.
func (v *visit) clientIP() string { return cleanIP(v.rawIP()) }

func (v *visit) rawIP() string {
	ip, _ := caddyhttp.GetVar(v.r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}

func cleanIP(ip string) string {
	if a, err := netip.ParseAddr(ip); err == nil {
		return a.Unmap().WithZone("").String()
	}
	return ""
}

// secure reports whether the browser speaks TLS with us, or with a proxy that
// the operator trusts.
func (v *visit) secure() bool {
	if v.r.TLS != nil {
		return true
	}
	trusted, _ := caddyhttp.GetVar(v.r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted && strings.EqualFold(v.r.Header.Get("X-Forwarded-Proto"), "https")
}

// isLoopback reports whether the browser asked for a host of its own machine.
func (v *visit) isLoopback() bool { return IsLoopbackHost(v.r.Host) }

// IsLoopbackHost reports whether a host, with or without a port, is one of
// the machine itself: localhost, a name under it, or a loopback address.
func IsLoopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// knownHost is the host of the request if the operator names it, or if it is
// the machine's own; empty if a client may have made it up, since browsers
// trust the host that a text with a code ends in.
func (v *visit) knownHost() string {
	host := strings.ToLower(v.r.Host)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if IsLoopbackHost(host) {
		return host
	}
	if hosts := v.g.hosts.Load(); hosts != nil {
		for _, known := range *hosts {
			if certmagic.MatchWildcard(host, strings.ToLower(known)) {
				return host
			}
		}
	}
	return ""
}

func (v *visit) isSecureEnough() bool { return v.secure() || v.isLoopback() }

// wantsPage reports whether a person sees the answer: a top-level navigation,
// or a frame. Everything else is a script, an image, a feed.
func (v *visit) wantsPage() bool {
	if v.api {
		return false
	}
	switch v.r.Header.Get("Sec-Fetch-Dest") {
	case "document", "iframe", "frame":
		return true
	case "":
		return acceptsHTML(v.r.Header.Get("Accept"))
	default:
		return false
	}
}

// framed reports whether the answer is shown in a frame of the same origin.
func (v *visit) framed() bool {
	dest := v.r.Header.Get("Sec-Fetch-Dest")
	return (dest == "iframe" || dest == "frame") && v.r.Header.Get("Sec-Fetch-Site") == "same-origin"
}

func acceptsHTML(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		media, _, _ := strings.Cut(part, ";")
		if media = strings.TrimSpace(media); strings.EqualFold(media, "text/html") || strings.EqualFold(media, "application/xhtml+xml") {
			return true
		}
	}
	return false
}
