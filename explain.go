package twofactor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// Limits of a question to explain a login.
const (
	maxExplainBytes = 64 << 10
	// maxExplainAgent is how much of a user agent counts, as at a login.
	maxExplainAgent = 512
)

// explainRequest is what the admin API takes.
type explainRequest struct {
	// User is a name or alias, as the user types it.
	User string `json:"user"`
	// IP is the client's address; empty is unknown.
	IP        string `json:"ip,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	// Device is known, none or stolen. Default: none; of a step-up known, and in
	// mode observe what the history says.
	Device string `json:"device,omitempty"`
	// Time is when the login would be. Default: now.
	Time time.Time `json:"time,omitzero"`
	// Login and StepUp are the number of the login, or of the step-up, by whose
	// own policy it is decided. Default: the instance's.
	Login  int `json:"login,omitempty"`
	StepUp int `json:"step_up,omitempty"`
}

// explainResult is what a login would come to, and why.
type explainResult struct {
	Instance string `json:"instance"`
	User     string `json:"user"`
	// Known says that the user has an account here.
	Known bool `json:"known"`
	// By is whose policy decides: instance, "login N" or "step_up N".
	By       string          `json:"by"`
	Decision policy.Decision `json:"decision"`
	// Outcome says in words what the decision comes to, and Factors are those of
	// the account that could answer.
	Outcome string       `json:"outcome"`
	Factors []string     `json:"factors,omitempty"`
	Facts   policy.Facts `json:"facts"`
	// Notes say what else there is to know.
	Notes []string `json:"notes,omitempty"`
}

// question checks what was asked. It returns an inputError that says what is
// wrong.
func (q *explainRequest) question(now time.Time) (handler.Question, []string, error) {
	out := handler.Question{User: q.User, UserAgent: q.UserAgent, Device: q.Device, Time: q.Time, Login: q.Login, StepUp: q.StepUp}
	var notes []string
	switch {
	case q.IP == "":
		notes = append(notes, "No address was given, and an unknown one is new to everybody.")
	default:
		a, err := netip.ParseAddr(q.IP)
		if err != nil || a.Zone() != "" {
			return out, nil, inputErrorf("%s is no IP address", clip(q.IP))
		}
		out.Address = a.Unmap()
	}
	switch {
	case !utf8.ValidString(q.UserAgent) || !httpguts.ValidHeaderFieldValue(q.UserAgent):
		return out, nil, inputErrorf("the user agent %s cannot stand in a request: it has a control character or is not UTF-8", clip(q.UserAgent))
	case len(q.UserAgent) > maxExplainAgent:
		notes = append(notes, fmt.Sprintf("Of the user agent %d bytes count, as at a login.", maxExplainAgent))
	}
	if out.Time.IsZero() {
		out.Time = now
	}
	if y := out.Time.UTC().Year(); y < 2000 || y > 2200 {
		return out, nil, inputErrorf("the time is in the year %d: want one from 2000 to 2200", y)
	}
	return out, notes, nil
}

// explainer says what logins would come to.
type explainer struct {
	gate  *handler.Gate
	parts *handler.Parts
	now   time.Time
	// events are told; by says by what it came, and from which address, if there
	// is one.
	events   *recorder
	by, from string
}

// run explains. It returns an inputError for what is wrong with the question.
func (x *explainer) run(ctx context.Context, ask explainRequest) (explainResult, error) {
	q, notes, err := ask.question(x.now)
	if err != nil {
		return explainResult{}, err
	}
	e, err := x.gate.Explain(ctx, x.parts, q)
	switch {
	case errors.Is(err, handler.ErrQuestion):
		return explainResult{}, &inputError{err}
	case err != nil:
		return explainResult{}, fmt.Errorf("asking the store: %w", err)
	}
	switch {
	case e.Known:
	case e.Used:
		notes = append(notes, "There is no account of this name: it is explained by what was observed of the name.")
	default:
		notes = append(notes, "There is no account of this name: the signals are those of a new user.")
	}
	if len(e.Unasked) > 0 {
		notes = append(notes, "Matchers cannot be asked without a request and were taken as not matching: "+strings.Join(e.Unasked, ", ")+".")
	}
	x.events.recordAll(context.WithoutCancel(ctx), []handler.Event{{
		Time: x.now, Instance: x.gate.Instance, Kind: handler.OperatorActed, Result: handler.Explained,
		User: ask.User, Account: e.Facts.Account, ClientIP: x.from, Detail: x.by,
	}})
	return explainResult{
		Instance: x.gate.Instance, User: ask.User, Known: e.Known, By: e.By, Decision: e.Decision,
		Outcome: e.Outcome, Factors: e.Factors, Facts: e.Facts, Notes: notes,
	}, nil
}

// readExplain reads what the admin API is sent.
func readExplain(body io.Reader) (explainRequest, error) {
	var in explainRequest
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, inputErrorf(`want a JSON object such as {"user": "anna", "ip": "192.0.2.7"} of at most %d KiB: %w`, maxExplainBytes>>10, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return in, inputErrorf("want one JSON object and nothing after it")
	}
	return in, nil
}
