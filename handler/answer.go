package handler

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// retryIn is what Retry-After says where the store does not answer.
const retryIn = 5 * time.Second

// reference is what a person can tell the operator, to find the log line by.
func reference() string {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// frame says who may show our page in a frame.
func (v *visit) frame() page.Frame {
	if v.framed() {
		return page.FrameSelf
	}
	return page.FrameNone
}

func (v *visit) language() page.Lang {
	return v.g.Pages.Language(v.r.Header.Get("Accept-Language"))
}

// refuse answers with a page or a problem document in words. An error is
// logged; where it is the store's, the answer says so.
func (v *visit) refuse(m page.Message, err error) error {
	if errors.Is(err, challenge.ErrBusy) {
		m = page.TooBusy // The store is well.
	}
	var unread *unreadBody
	if errors.As(err, &unread) {
		return unread.answer() // Nobody is refused for what could not be read.
	}
	return v.message(v.refusal(m, err))
}

// refusal is the page of a refusal; an error is logged.
func (v *visit) refusal(m page.Message, err error) page.MessagePage {
	p := page.MessagePage{Message: m, Host: v.site(), Ways: v.ways(m)}
	if err != nil {
		p.Reference = reference()
		if m == page.StoreUnavailable {
			p.RetryIn = retryIn
			v.storeFailed()
		}
		v.g.Logger.Error("refused: "+string(m), zap.String("reference", p.Reference),
			zap.String("method", v.r.Method), zap.String("path", v.orig.Path), zap.Error(err))
	}
	return p
}

// ways are the links of a message page.
func (v *visit) ways(m page.Message) []page.Way {
	login := v.g.LoginPage
	if login == "" {
		login = "/"
	}
	challenge := page.Way{Name: page.WayChallenge, To: v.challengeAddress()}
	switch m {
	case page.Blocked, page.MaliciousPath, page.Denied, page.RequestTooLarge:
		return nil
	case page.NotFound:
		return []page.Way{{Name: page.WayHome, To: "/"}}
	case page.StepUpTooLarge, page.StepUpLost, page.StepUpNotSent, page.StepUpNoFactor, page.StepUpExpired, page.StepUpCancelled, page.StepUpUsed:
		return []page.Way{{Name: page.WayBack, To: v.backTo()}}
	case page.AlreadyUsed:
		return []page.Way{{Name: page.WayContinue, To: "/"}, {Name: page.WaySignIn, To: login}}
	case page.FormExpired, page.NewerSignIn, page.StoreUnavailable:
		if v.pending() {
			return []page.Way{challenge}
		}
	case page.LoginRunning:
		if v.found && v.session.State == account.StatePending {
			return []page.Way{challenge}
		}
	}
	return []page.Way{{Name: page.WaySignIn, To: login}}
}

// message writes a message page, or the problem document of it.
func (v *visit) message(p page.MessagePage) error {
	v.recordPage(p)
	if !v.wantsPage() {
		return v.g.Pages.WriteProblem(v.w, page.Problem{
			Message: p.Message, Status: v.statusOf(p.Message), Host: p.Host, Doing: p.Doing, Reason: p.Reason, Instance: p.Reference, RetryIn: p.RetryIn,
		})
	}
	body, err := v.g.Pages.Message(v.language(), p)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, fmt.Errorf("rendering a page: %w", err))
	}
	page.SetRetryAfter(v.w.Header(), p.RetryIn)
	return v.g.Pages.Write(v.w, v.statusOf(p.Message), v.frame(), body)
}

// problem answers a script.
func (v *visit) problem(m page.Message) error {
	v.count(PageShown, Result(m))
	return v.g.Pages.WriteProblem(v.w, page.Problem{Message: m, Status: v.statusOf(m), Host: v.site(), Challenge: v.challengeAddress()})
}

// statusOf is a message's status. To whoever sent Basic a 401 would say that
// the password was refused (RFC 9110, 15.5.2): browsers forget it, with an
// image or an icon too, and people are asked for it again. It was right, and is
// not enough: 403.
func (v *visit) statusOf(m page.Message) int {
	status := m.Status()
	if v.api && status < http.StatusBadRequest && m != page.StepUpPassed {
		// Where a call was to open something, what was cancelled is no success.
		status = http.StatusConflict
	}
	if status == http.StatusUnauthorized && isBasic(v.came.authorization) {
		return http.StatusForbidden
	}
	return status
}

// redirect sends the browser to a path of this site by GET.
func (v *visit) redirect(to string) error {
	h := v.w.Header()
	h.Set("Location", to)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// insecure refuses what comes over plain http from another machine: the
// password, the code and the session would cross the network in the clear.
func (v *visit) insecure() error {
	v.count(PageShown, PlainHTTP)
	v.g.Logger.Error("a request came over plain http for a host that is not this machine's: serve the site over https, or, behind a proxy that does, set trusted_proxies so that its X-Forwarded-Proto counts",
		zap.String("host", v.r.Host))
	return caddyhttp.Error(http.StatusForbidden, errors.New("plain http"))
}
