package handler

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/hold"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// What is recognised here went to the browser already, and nothing of it is
// asked for again: a proof would be a request of the gateway's own in the
// session that the browser has just got, and where an app gives its session a
// new value at every answer, that request would burn the browser's. So a login
// of which only a proof tells stays undecided; that is said.

// seeCookies notes the cookies that an answer sets; those of a login when it is
// known what they answer.
func (v *visit) seeCookies(s *sighting, h http.Header, before int) {
	sets := v.appCookies(h, before)
	if s.isRead() {
		s.sets = sets
		for _, c := range sets {
			v.g.watch.isSet(c.Name)
		}
		return
	}
	v.g.noteSet(sets, v.now, store.SeenElsewhere)
}

// isWhoPage reports whether the browser asks for the page by which a proof
// tells who is logged in: then the app says it by itself.
func (v *visit) isWhoPage() bool {
	p := v.g.whoProof
	if p == nil || v.r.Method != http.MethodGet {
		return false
	}
	ref, err := url.Parse(p.Address)
	return err == nil && ref.Path == v.orig.Path && ref.RawQuery == v.orig.RawQuery
}

// lookWho notes whom the page of a proof names, once a name.
func (g *Gate) lookWho(at *url.URL, p *peek) {
	plain, whole := decoded(p.header, p.body.Bytes())
	if !whole || p.over {
		return
	}
	var said said
	g.whoProof.read(&answer{status: p.status, at: at, now: g.Clock()}, hold.Answer{Status: p.status, Body: plain}, &said)
	if said.user != "" && !g.watch.isKnown(store.SeenUser, account.Fold(said.user)) {
		g.sawYes(&sighting{}, p.status, said.user)
	}
}

// recognise looks at the answer to a login, when it has gone to the browser.
func (g *Gate) recognise(s *sighting, p *peek) {
	where := store.SeenElsewhere
	yes, why := g.judge(s, p)
	if yes {
		where = store.SeenAtYes
	}
	g.noteSet(s.sets, g.Clock(), where)
	switch {
	case why != "":
		g.unrecognised(s, p.status, why)
	case yes:
		g.sawYes(s, p.status, s.login.User)
	default:
		g.sawNo(s)
	}
}

// sawNo counts a wrong password.
func (g *Gate) sawNo(s *sighting) {
	lease, err := g.Lease()
	if err != nil {
		g.watch.fails("a wrong password cannot be counted", err)
		return
	}
	defer lease.Release()
	parts := lease.Parts()
	g.noteTry(parts, g.typedName(parts.Ring, s.login.User), s.clientIP, g.Clock())
}

const tooLarge = "the answer is larger than 262144 bytes, which enforcing does not hold"

// judge says whether the answer is a yes, or why it is neither a yes nor a no.
func (g *Gate) judge(s *sighting, p *peek) (isYes bool, why string) {
	if p.status == 0 {
		return false, "the app did not answer"
	}
	a := &attempt{visit: &visit{g: g, orig: s.at, now: g.Clock()}, login: s.login}
	ans := &answer{status: p.status, header: p.header, at: s.at, sets: s.sets, now: a.now}
	yes, no := a.look(ans)
	if yes == unknown || no == unknown {
		plain, whole := decoded(p.header, p.body.Bytes())
		switch {
		case p.over:
			return false, tooLarge
		case !whole:
			return false, "the answer came in a Content-Encoding in which no sign can be seen; enforcing would ask for none"
		}
		if plain == nil {
			plain = []byte{}
		}
		ans.body = plain
		yes, no = a.look(ans)
	}
	switch {
	case yes == seen && no == unseen && p.over:
		return false, tooLarge
	case yes == seen && no == unseen:
		return true, ""
	case no == seen && yes == unseen:
		return false, ""
	case yes == unseen && s.login.Proof.decides():
		return false, "only a proof would tell, and observing asks for none: see that its page tells right from wrong"
	default:
		return false, "the answer shows " + shown(yes, no)
	}
}

// sawYes says what enforcing would make of a right password, and notes the
// name. Whoever typed it may not be who the app has let in where a proof says
// who.
func (g *Gate) sawYes(s *sighting, status int, user string) {
	folded := account.Fold(user)
	if folded == "" {
		g.unrecognised(s, status, "the user name cannot be read for certain")
		return
	}
	now := g.Clock()
	first := g.watch.note(store.Seen{Instance: g.Instance, Kind: store.SeenUser, Key: folded, Detail: user, Count: 1, First: now, Last: now})
	if !first && s.login == nil {
		return
	}
	would, err := g.wouldBe(s, folded, user, now)
	if err != nil {
		g.watch.fails("an account cannot be asked for", err)
		return
	}
	if first {
		g.Logger.Info("observed: a user has logged in", zap.String("user", user), zap.String("client_ip", s.clientIP), zap.String("would_be", would))
	}
}

// wouldBe says what enforcing would answer a right password with. Of a login it
// records the decision, and lets the account get used to it.
func (g *Gate) wouldBe(s *sighting, folded, user string, now time.Time) (string, error) {
	lease, err := g.Lease()
	if err != nil {
		return "", err
	}
	defer lease.Release()
	ctx, cancel := context.WithTimeout(context.Background(), storeWait)
	defer cancel()
	parts := lease.Parts()
	acc, err := parts.Store.Account(ctx, g.Instance, folded)
	unknown := errors.Is(err, store.ErrNotFound)
	if err != nil && !unknown {
		return "", err
	}
	if unknown {
		acc = account.Account{Instance: g.Instance, ID: folded}
	}
	decision, err := g.observeDecision(ctx, parts, s, &acc, user, now)
	if err != nil {
		return "", err
	}
	would, _, err := g.outcome(ctx, parts, &acc, !unknown, decision, now)
	return would, err
}

// observeDecision decides as enforcing would. Of a login the decision is
// recorded, and what was seen is learnt, apart from what enforcing learns.
func (g *Gate) observeDecision(ctx context.Context, parts *Parts, s *sighting, acc *account.Account, user string, now time.Time) (policy.Decision, error) {
	var l *Login
	if s.login != nil {
		l = s.login.Login
	}
	p := g.policyOf(l)
	f := g.factsOf(client{s.clientIP, s.userAgent}, user, acc, p, s.told, now)
	f.Device = policy.DeviceUnwatched
	if s.login != nil {
		if err := g.addTries(ctx, parts, &f, s.login.User, acc); err != nil {
			return policy.Decision{}, err
		}
	}
	h, err := g.historyOf(ctx, parts.Store, acc.ID, now)
	if err != nil {
		return policy.Decision{}, err
	}
	d := p.rules.Decide(&f, &h)
	if l == nil {
		return d, nil
	}
	if len(acc.Factors) > 0 || g.watch.isKnown(store.SeenUser, acc.ID) {
		// Of other names nothing is kept: there can be any number of them.
		err = parts.Store.LearnHistory(ctx, g.historyOwner(), acc.ID, g.lesson(f))
	}
	g.Recorder.Record(Event{
		Time: now, Instance: g.Instance, Kind: LoginAssessed, Result: Result(d.Verdict), User: user, Account: acc.ID,
		ClientIP: s.clientIP, UserAgent: s.userAgent, Decision: &d, Facts: &f, Detail: ObservedDetail,
	})
	return d, err
}

// unrecognised notes a login of which nobody knows whether it was one.
func (g *Gate) unrecognised(s *sighting, status int, why string) {
	now := g.Clock()
	key := bounded(s.method, 16) + " " + s.path
	if status != 0 {
		key += " " + strconv.Itoa(status)
	}
	why = bounded(why, store.MaxSeenDetail)
	first := g.watch.note(store.Seen{Instance: g.Instance, Kind: store.SeenUnrecognised, Key: key, Detail: why, Count: 1, First: now, Last: now})
	if first {
		g.Logger.Warn("observed: a login was not recognised, and would be refused: check the user, yes and no of this login",
			zap.String("method", bounded(s.method, 16)), zap.String("path", s.path), zap.Int("status", status), zap.String("why", why))
	}
}
