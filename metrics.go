package twofactor

import (
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// The collectors live as long as the process, so that a reload sets no counter
// back: Caddy's registry is new in every config. A label is never a user, an
// address or a key: instances and files are the operator's, results those of
// handler.Kinds.
var (
	metricLogins = counter("logins_total", "Logins that ended, by how: released with or without a second factor, or why not.", "instance", "result")
	metricAssess = counter("assessments_total", "Decisions of the policy, by what they came to, and whether they were enforced at a login, asked for inside a session, or only observed.", "instance", "verdict", "mode")
	metricSignal = counter("signals_total", "Signals that were seen, half there (faded), or that nobody can tell (unknown), in the decisions of the policy.", "instance", "signal", "state")
	metricOpened = counter("challenges_total", "Challenges that were opened, by what asked: a login, a step-up, or a step-up that waits for a page.", "instance", "factor", "reason")
	metricCancel = counter("challenges_cancelled_total", "Challenges that the person cancelled.", "instance")
	metricCodes  = counter("codes_checked_total", "Codes that were entered, by what they were worth.", "instance", "factor", "result")
	metricSends  = counter("codes_sent_total", "Codes that were to be sent, by what became of them.", "instance", "result")
	metricNotice = counter("notices_total", "Attempts to tell a user of a change by mail or text: taken by the server, failed for good, or unknown, which a mail is tried again after.", "instance", "result")
	metricPages  = counter("pages_total", "Requests that were answered by a page or a problem document of the gateway's own, by what it says.", "instance", "message")
	metricRefuse = counter("refusals_total", "Requests that were refused for what they are: a blocked route, a path with two readings, a form of another site.", "instance", "reason")
	metricCookie = counter("cookies_withheld_total", "Cookies of the app that were kept back.", "instance", "reason")
	metricSusp   = counter("sessions_suspended_total", "Sessions that a new login suspended.", "instance")
	metricResume = counter("sessions_resumed_total", "Suspended sessions that went on.", "instance")
	metricEnded  = counter("sessions_ended_total", "Sessions that ended before their time, by why.", "instance", "reason")
	metricStream = counter("streams_closed_total", "WebSockets, streams and long transfers that were closed since their session ended, or since the store could not say.", "instance", "reason")
	metricDevice = counter("devices_total", "What became of remembered browsers: remembered, forgotten by an operator, or stolen, since an old token came back.", "instance", "result")
	metricStore  = counter("store_errors_total", "Failures of the store, by instance; each kept something closed.", "instance")
	metricImport = counter("accounts_imported_total", "Accounts that imports made or changed.", "instance", "result")
	metricAdmin  = counter("operator_actions_total", "What operators did through the admin API.", "action")
	metricAudit  = counter("audit_events_total", "Events for the audit log, by whether they were written; the others went to Caddy's log or were dropped.", "result")
	metricGeo    = counter("geo_files_total", "What happened to the files of geoip and network_list: one was loaded, refused since it is broken or gone while the one before stays in use, or a record of it was unreadable.", "file", "result")
)

// collectors are all of them.
var collectors = []*prometheus.CounterVec{
	metricLogins, metricAssess, metricSignal, metricOpened, metricCancel, metricCodes, metricSends, metricNotice, metricPages, metricRefuse, metricCookie,
	metricSusp, metricResume, metricEnded, metricStream, metricDevice, metricStore, metricImport, metricAdmin, metricAudit,
	metricGeo,
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "two_factor", Name: name, Help: help,
	}, labels)
}

// registerMetrics puts the collectors into the registry of a config.
func registerMetrics(registry *prometheus.Registry) error {
	if registry == nil {
		return nil
	}
	for _, result := range []string{auditWritten, auditFailed, auditDropped} {
		// An alarm needs the counter before its first event.
		metricAudit.WithLabelValues(result)
	}
	for _, c := range collectors {
		var there prometheus.AlreadyRegisteredError
		if err := registry.Register(c); errors.As(err, &there) && there.ExistingCollector == prometheus.Collector(c) {
			continue
		} else if err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	return nil
}

// The results of metricAudit.
const (
	auditWritten = "written"
	auditFailed  = "failed"
	auditDropped = "dropped"
)

// count counts an event.
func count(e *handler.Event) {
	result := string(e.Result)
	if !slices.Contains(kindInfos[e.Kind].Results, e.Result) {
		result = "other"
	}
	factor := string(e.Factor)
	switch e.Kind {
	case handler.LoginSucceeded:
		metricLogins.WithLabelValues(e.Instance, result).Inc()
	case handler.LoginFailed:
		if factor == "" || e.Result == handler.Result(page.HoldLost) {
			metricLogins.WithLabelValues(e.Instance, result).Inc()
		} else {
			metricCodes.WithLabelValues(e.Instance, factor, result).Inc()
		}
	case handler.LoginAssessed:
		countDecision(e)
	case handler.ChallengePassed:
		metricCodes.WithLabelValues(e.Instance, factor, result).Inc()
	case handler.TriesUsedUp:
		metricCodes.WithLabelValues(e.Instance, factor, "tries_used_up").Inc()
	case handler.FactorPaused:
		metricCodes.WithLabelValues(e.Instance, factor, "paused").Inc()
	case handler.LoginUnread:
		metricLogins.WithLabelValues(e.Instance, "unreadable").Inc()
	case handler.ChallengeOpened:
		reason := "login"
		if e.Result != handler.Opened {
			reason = result
		}
		metricOpened.WithLabelValues(e.Instance, factor, reason).Inc()
	case handler.ChallengeCancelled:
		metricCancel.WithLabelValues(e.Instance).Inc()
	case handler.CodeSent:
		metricSends.WithLabelValues(e.Instance, result).Inc()
	case handler.NoticeSent:
		metricNotice.WithLabelValues(e.Instance, result).Inc()
	case handler.PageShown:
		metricPages.WithLabelValues(e.Instance, result).Inc()
	case handler.Refused:
		metricRefuse.WithLabelValues(e.Instance, result).Inc()
	case handler.FromElsewhere:
		metricRefuse.WithLabelValues(e.Instance, "cross_origin_"+result).Inc()
	case handler.CookieWithheld:
		metricCookie.WithLabelValues(e.Instance, result).Inc()
	case handler.SessionSuspended:
		metricSusp.WithLabelValues(e.Instance).Inc()
	case handler.SessionResumed:
		metricResume.WithLabelValues(e.Instance).Inc()
	case handler.SessionExpired:
		metricEnded.WithLabelValues(e.Instance, result).Inc()
	case handler.StreamClosed:
		metricStream.WithLabelValues(e.Instance, result).Inc()
	case handler.TokenCreated:
		metricDevice.WithLabelValues(e.Instance, "remembered").Inc()
	case handler.TokenRevoked:
		metricDevice.WithLabelValues(e.Instance, "forgotten").Inc()
	case handler.TokenReused:
		metricDevice.WithLabelValues(e.Instance, "stolen").Inc()
	case handler.StoreFailed:
		metricStore.WithLabelValues(e.Instance).Inc()
	case handler.UserCreated, handler.UserUpdated:
		countImported(e)
	case handler.OperatorActed:
		metricAdmin.WithLabelValues(result).Inc()
	}
}

// countImported counts an account that an import has made or changed.
func countImported(e *handler.Event) {
	if e.Result != handler.Imported {
		return
	}
	what := "new"
	if e.Kind == handler.UserUpdated {
		what = "changed"
	}
	metricImport.WithLabelValues(e.Instance, what).Inc()
}

// countDecision counts a decision and what it rests on.
func countDecision(e *handler.Event) {
	mode := "login"
	switch e.Detail {
	case handler.ObservedDetail:
		mode = "observed"
	case handler.SessionDetail:
		mode = "session"
	}
	metricAssess.WithLabelValues(e.Instance, string(e.Result), mode).Inc()
	if e.Decision == nil {
		return
	}
	for _, s := range e.Decision.Assessment.Signals {
		if s.State != policy.Quiet {
			metricSignal.WithLabelValues(e.Instance, s.Name, string(s.State)).Inc()
		}
	}
}
