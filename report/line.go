package report

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// The events that are looked at, and what of them is told apart. A test of the
// root package holds them to what the recorder writes.
const (
	eventAssessed  = "authn_assessed"
	eventOpened    = "authn_challenge"
	eventPassed    = "authn_challenge_passed"
	eventCancelled = "authn_challenge_cancelled"
	eventSent      = "authn_code_send"
	eventSucceeded = "authn_login_success"
	eventFailed    = "authn_login_fail"
	eventUsedUp    = "authn_login_fail_max"
	eventPaused    = "authn_login_lock"

	resultOpened   = "opened"
	resultTaken    = "taken"
	resultUnknown  = "unknown"
	resultNoFactor = "no_usable_factor"

	detailObserved  = "observed"
	detailInSession = "in a session"
)

// maxText bounds, in bytes, a name of the log.
const maxText = 300

// maxScore is more than any score can be.
const maxScore = 100_000

var (
	errNoEvent    = errors.New("a line without time or event")
	errNoDecision = errors.New("a line with a verdict or score that there is not")
)

// line is what is read of a line of the audit log.
type line struct {
	Time      time.Time       `json:"time"`
	Event     string          `json:"event"`
	Result    string          `json:"result"`
	Instance  string          `json:"instance"`
	User      string          `json:"user"`
	Account   string          `json:"account"`
	Challenge string          `json:"challenge"`
	Verdict   policy.Verdict  `json:"verdict"`
	Score     int             `json:"score"`
	Signals   []policy.Signal `json:"signals"`
	Policy    string          `json:"policy"`
	Reason    string          `json:"reason"`
	High      bool            `json:"high"`
	Facts     *policy.Facts   `json:"facts"`
	Detail    string          `json:"detail"`
}

// parse reads a line. What it does not know it leaves out: a later version may
// say more.
func parse(raw []byte, l *line) error {
	*l = line{}
	if err := json.Unmarshal(raw, l); err != nil {
		return err
	}
	if l.Time.IsZero() || l.Event == "" {
		return errNoEvent
	}
	if l.Event == eventAssessed {
		switch l.Verdict {
		case policy.Allow, policy.Challenge, policy.Deny:
		default:
			return errNoDecision
		}
		if l.Score < 0 || l.Score > maxScore {
			return errNoDecision
		}
	}
	for _, s := range []*string{&l.Instance, &l.User, &l.Account, &l.Challenge, &l.Policy} {
		*s = clean(*s)
	}
	return nil
}

// clean makes a text of the log harmless for whoever reads it on a terminal or a
// page: bounded, without control characters and without the invisible ones that
// turn what follows around.
func clean(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '�'
		}
		return r
	}, s)
}

// texts keeps one copy of each text, since a log repeats them.
type texts map[string]string

func (t texts) one(s *string) {
	if kept, ok := t[*s]; ok {
		*s = kept
		return
	}
	t[*s] = *s
}
