package twofactor

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// sessionsRequest lists a user's sessions, or ends some or all of them.
type sessionsRequest struct {
	User string `json:"user"`
	// End are the IDs as they are listed. Either these or All.
	End []string `json:"end,omitempty"`
	All bool     `json:"all,omitempty"`
}

// sessionList are a user's sessions: those that there are, or those that ended.
type sessionList struct {
	Instance string        `json:"instance"`
	User     string        `json:"user"`
	Ended    bool          `json:"ended,omitempty"`
	Sessions []sessionView `json:"sessions"`
}

// sessionView is what an operator is shown of a session: nothing that could be
// used as one.
type sessionView struct {
	ID        string        `json:"id"`
	State     account.State `json:"state"`
	Since     time.Time     `json:"since"`
	LastSeen  time.Time     `json:"last_seen"`
	Until     time.Time     `json:"until"`
	Factor    account.Kind  `json:"factor,omitempty"`
	FactorAt  time.Time     `json:"factor_at,omitzero"`
	ClientIP  string        `json:"client_ip,omitempty"`
	UserAgent string        `json:"user_agent,omitempty"`
}

// sessions lists or ends sessions of a user, who needs no account. If one of the
// IDs is not there, none ends, and it returns a strangersError. Remembered browsers
// stay.
func (o *operator) sessions(ctx context.Context, q sessionsRequest) (*sessionList, error) {
	const most = 1000
	if q.All && len(q.End) > 0 || len(q.End) > most {
		return nil, inputErrorf("want the IDs of 1 to %d sessions, or all of them", most)
	}
	acc, err := o.find(ctx, q.User)
	stranger := isStranger(err)
	if stranger {
		// Where users without an account may come in, they have sessions too.
		acc, err = account.Account{ID: account.Fold(q.User), Name: q.User}, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := o.sessionsOf(ctx, acc)
	if err != nil {
		return nil, err
	}
	if stranger && len(list) == 0 {
		return nil, &strangersError{fmt.Errorf("in instance %s there is neither an account nor a session of %s", o.instance, clip(q.User))}
	}
	if !q.All && len(q.End) == 0 {
		o.record(ctx, acc, handler.ActSessionsListed, "")
		return o.viewSessions(acc, list, false), nil
	}
	if list, err = chosen(acc, list, q); err != nil {
		return nil, err
	}
	for i := range list {
		if err := o.parts.Store.EndSession(ctx, list[i].ID); err != nil {
			o.recordEnded(ctx, acc, i)
			return nil, fmt.Errorf("only %s of %s ended: %w", count1(i, "session"), clip(acc.Name), err)
		}
	}
	o.recordEnded(ctx, acc, len(list))
	return o.viewSessions(acc, list, true), nil
}

// chosen are the sessions that are to end.
func chosen(acc account.Account, list []account.Session, q sessionsRequest) ([]account.Session, error) {
	if q.All {
		return list, nil
	}
	var ends []account.Session
	for _, id := range q.End {
		at := slices.IndexFunc(list, func(v account.Session) bool { return v.ID.String() == strings.ToLower(id) })
		if at < 0 {
			return nil, &strangersError{fmt.Errorf("no session was ended: %s has no session %s", clip(acc.Name), clip(id))}
		}
		ends = append(ends, list[at])
	}
	return ends, nil
}

func (o *operator) recordEnded(ctx context.Context, acc account.Account, n int) {
	o.record(ctx, acc, handler.ActSessionsEnded, fmt.Sprintf("%d ended", n), o.endEvents(acc, n, nil)...)
}

// sessionsOf are the sessions of an account, those too that began under a name
// before it became an alias.
func (o *operator) sessionsOf(ctx context.Context, acc account.Account) (all []account.Session, err error) {
	for _, id := range append([]string{acc.ID}, acc.Aliases...) {
		list, err := o.parts.Store.SessionsOf(ctx, o.instance, id, o.now)
		if err != nil {
			return nil, fmt.Errorf("looking for the sessions of %s: %w", clip(acc.Name), err)
		}
		all = append(all, list...)
	}
	return all, nil
}

func (o *operator) viewSessions(acc account.Account, list []account.Session, ended bool) *sessionList {
	out := &sessionList{Instance: o.instance, User: acc.Name, Ended: ended, Sessions: []sessionView{}}
	for i := range list {
		out.Sessions = append(out.Sessions, viewSession(&list[i]))
	}
	return out
}

func viewSession(s *account.Session) sessionView {
	v := sessionView{
		ID: s.ID.String(), State: s.State, Since: s.Created.UTC(), LastSeen: s.LastSeen.UTC(), Until: s.Expires.UTC(),
		ClientIP: s.ClientIP, UserAgent: s.UserAgent,
	}
	if kind, at := s.LastFactor(); kind != "" {
		v.Factor, v.FactorAt = kind, at.UTC()
	}
	return v
}

// write writes a table for people, or says how many ended.
func (l *sessionList) write(w io.Writer) error {
	if l.Ended || len(l.Sessions) == 0 {
		what := "there is no session"
		switch {
		case l.Ended && len(l.Sessions) > 0:
			what = count1(len(l.Sessions), "session") + " ended"
		case l.Ended:
			what = "there was no session"
		}
		_, err := fmt.Fprintf(w, "%s in instance %s: %s\n", plain(l.User), l.Instance, what)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSTATE\tSINCE\tLAST SEEN\tUNTIL\tFACTOR\tADDRESS\tBROWSER")
	for _, s := range l.Sessions {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.State, day(s.Since), day(s.LastSeen), day(s.Until),
			plain(string(s.Factor)), plain(s.ClientIP), plain(s.UserAgent))
	}
	return t.Flush()
}
