package twofactor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// By what an operator has acted, as the audit log says it.
const (
	byAdminAPI = "admin API"
	byCommand  = "command"
)

// event is that of an account which the import makes or changes, with the
// factors that it has by then.
func (im *importer) event(kind handler.Kind, a *account.Account) handler.Event {
	factors := make([]factorView, 0, len(a.Factors))
	for _, f := range viewAccount(*a, im.now).Factors {
		factors = append(factors, factorView{Kind: f.Kind, Hint: f.Hint})
	}
	return handler.Event{
		Time: im.now, Instance: im.instance, Kind: kind, Result: handler.Imported,
		User: a.Name, Account: a.ID, ClientIP: im.from,
		Detail: im.by + ": factors " + factorWords(factors),
	}
}

// record tells of the import, and then of each account. A name of an instance
// that was refused may be anything: it is not told.
func (im *importer) record(ctx context.Context, result importResult, changes []handler.Event, err error) {
	e := handler.Event{
		Time: im.now, Instance: im.instance, Kind: handler.OperatorActed, Result: handler.Imported, ClientIP: im.from,
		Detail: fmt.Sprintf("%s: %d new, %d changed, %d unchanged", im.by, result.New, result.Changed, result.Unchanged),
	}
	if err != nil {
		e.Result, e.Detail, changes = handler.ImportRefused, im.by, nil
	}
	if !shortName.MatchString(im.instance) {
		e.Instance = ""
	}
	im.events.recordAll(ctx, append([]handler.Event{e}, changes...))
}

// recordListed tells that an operator has listed the accounts.
func (r *recorder) recordListed(ctx context.Context, instance, by, from string) {
	if !shortName.MatchString(instance) {
		instance = ""
	}
	r.recordAll(context.WithoutCancel(ctx), []handler.Event{{
		Time: time.Now(), Instance: instance, Kind: handler.OperatorActed, Result: handler.Listed, ClientIP: from, Detail: by,
	}})
}

// remoteIP is the address of whoever asks the admin API; empty on a Unix
// socket.
func remoteIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}
