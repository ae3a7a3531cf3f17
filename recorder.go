package twofactor

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// maxAuditText bounds, in bytes, each text of an audit line that is not ours:
// a name, a user agent.
const maxAuditText = 256

// recorder tells the metrics and the audit log what happened.
type recorder struct {
	// attempts gets what happened before anybody had a right password, audit
	// the rest.
	audit, attempts *auditLog
}

// newRecorder takes references to the audit log in a folder, which release
// gives back.
func newRecorder(dir string) (*recorder, error) {
	audit, err := acquireAudit(filepath.Join(dir, auditName))
	if err != nil {
		return nil, err
	}
	attempts, err := acquireAudit(filepath.Join(dir, attemptsName))
	if err != nil {
		return nil, errors.Join(err, releaseAudit(audit))
	}
	return &recorder{audit: audit, attempts: attempts}, nil
}

func (r *recorder) release() error {
	return errors.Join(releaseAudit(r.audit), releaseAudit(r.attempts))
}

// bound sets how much is kept, from the next line on.
func (r *recorder) bound(b auditBounds) {
	r.audit.file.next.Store(&b)
	r.attempts.file.next.Store(&b)
}

// begin notes that a config has started.
func (r *recorder) begin(logger *zap.Logger, now time.Time) {
	logger = logger.Named("audit")
	r.attempts.logger.Store(logger)
	r.audit.logger.Store(logger)
	r.audit.begin(now)
}

// flush waits until what happened by now is written.
func (r *recorder) flush(wait time.Duration) error {
	return errors.Join(r.audit.flush(wait), r.attempts.flush(wait))
}

// logOf is the log that an event goes to.
func (r *recorder) logOf(e *handler.Event) *auditLog {
	switch e.Kind {
	case handler.LoginFailed, handler.LoginUnread, handler.FromElsewhere, handler.Refused, handler.CookieWithheld:
		if e.User == "" && e.Account == "" {
			return r.attempts
		}
	}
	return r.audit
}

// Record counts an event and puts it into the queue of the audit log, without
// waiting.
func (r *recorder) Record(e handler.Event) {
	count(&e)
	if line := auditLine(&e); line != nil {
		r.logOf(&e).put(line)
	}
}

// recordAll is Record for what an operator does, where the caller has time: it
// waits for room in the queue. A recorder that is nil records nothing.
func (r *recorder) recordAll(ctx context.Context, events []handler.Event) {
	if r == nil {
		return
	}
	for i := range events {
		count(&events[i])
		if line := auditLine(&events[i]); line != nil {
			r.logOf(&events[i]).putWaiting(ctx, line)
		}
	}
}

// auditEntry is a line of the audit log. The names of its fields do not
// change.
type auditEntry struct {
	Time      string           `json:"time"`
	Level     handler.Severity `json:"level"`
	Event     handler.Kind     `json:"event"`
	Result    handler.Result   `json:"result"`
	Instance  string           `json:"instance,omitempty"`
	User      string           `json:"user,omitempty"`
	Account   string           `json:"account,omitempty"`
	NameHash  string           `json:"name_hash,omitempty"`
	ClientIP  string           `json:"client_ip,omitempty"`
	UserAgent string           `json:"user_agent,omitempty"`
	Challenge string           `json:"challenge,omitempty"`
	Factor    string           `json:"factor,omitempty"`
	Verdict   policy.Verdict   `json:"verdict,omitempty"`
	Score     *int             `json:"score,omitempty"`
	Signals   []policy.Signal  `json:"signals,omitempty"`
	Policy    string           `json:"policy,omitempty"`
	Reason    string           `json:"reason,omitempty"`
	High      bool             `json:"high,omitempty"`
	// Factors are those that may answer, where High leaves only some.
	Factors    []string           `json:"factors,omitempty"`
	Thresholds *policy.Thresholds `json:"thresholds,omitempty"`
	Facts      *policy.Facts      `json:"facts,omitempty"`
	Reference  string             `json:"reference,omitempty"`
	Detail     string             `json:"detail,omitempty"`
}

// auditLine is the event as one line of JSON, nil if its kind is only counted.
func auditLine(e *handler.Event) []byte {
	info := kindInfos[e.Kind]
	if !info.Audited {
		return nil
	}
	entry := auditEntry{
		Time: e.Time.UTC().Format(time.RFC3339Nano), Level: info.Severity, Event: e.Kind, Result: e.Result,
		Instance: e.Instance, User: harmless(e.User), Account: harmless(e.Account), NameHash: e.NameHash,
		ClientIP: e.ClientIP, UserAgent: harmless(e.UserAgent), Challenge: e.Challenge, Factor: string(e.Factor),
		Reference: e.Reference, Detail: harmless(e.Detail),
	}
	if e.Hint != "" {
		entry.Factor += " …" + e.Hint
	}
	if d := e.Decision; d != nil {
		entry.Verdict, entry.Score, entry.Signals = d.Verdict, &d.Assessment.Score, d.Assessment.Signals
		entry.Policy, entry.Reason, entry.High = d.Policy, harmless(d.Reason), d.High
		entry.Factors, entry.Thresholds = d.Factors, &d.Thresholds
	}
	if e.Facts != nil {
		f := *e.Facts
		// The line says them already.
		f.Time, f.User, f.Account = time.Time{}, "", ""
		f.Agent.Browser, f.Agent.System, f.Group = harmless(f.Agent.Browser), harmless(f.Agent.System), harmless(f.Group)
		entry.Facts = &f
	}
	line, err := json.Marshal(entry)
	if err != nil {
		// All of its fields are texts and numbers.
		panic(err)
	}
	return append(line, '\n')
}

// harmless returns a text as it can stand in a log that people read on a
// terminal: bounded, in UTF-8, without control characters and without the
// invisible ones that turn what follows around.
func harmless(s string) string {
	cut := len(s) > maxAuditText
	if cut {
		s = s[:maxAuditText]
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return '�'
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	if cut {
		s += "…"
	}
	return s
}

// kindInfos are the kinds of events by name.
var kindInfos = func() map[handler.Kind]handler.KindInfo {
	m := make(map[handler.Kind]handler.KindInfo)
	for _, info := range handler.Kinds() {
		m[info.Kind] = info
	}
	return m
}()

// Interface guard.
var _ handler.Recorder = (*recorder)(nil)
