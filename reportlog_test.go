package twofactor

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// allData is what the recorded logins have.
var allData = policy.Data{Country: true, Location: true, Network: true, Anonymous: true}

// gateway records logins as the gateway would, by the real recorder.
type gateway struct {
	t         *testing.T
	instance  string
	policy    *policy.Policy
	observes  bool
	histories map[string]*policy.History
	events    []handler.Event
	// challenges is how many there were.
	challenges int
}

func newGateway(t *testing.T, instance, rules string, observes bool) *gateway {
	t.Helper()
	return &gateway{t: t, instance: instance, policy: mustPolicy(t, rules), observes: observes, histories: map[string]*policy.History{}}
}

// mustPolicy is a policy by its text in a Caddyfile.
func mustPolicy(t *testing.T, text string) *policy.Policy {
	t.Helper()
	r, err := parsePolicy([]byte(text), "test")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.New(r, allData)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ending is what becomes of a challenge.
type ending string

const (
	passes   ending = "passes"
	fails    ending = "fails"
	usesUp   ending = "uses all tries up"
	isPaused ending = "meets a factor that is paused"
	cancels  ending = "cancels"
	abandons ending = "abandons"
)

// usually is where everybody logs in from by default.
func usually(at time.Time, user string) policy.Facts {
	return policy.Facts{
		Time: at, User: user, Account: account.Fold(user), Address: netip.MustParseAddr("192.0.2.7"),
		Place: policy.Place{Country: "DE", Located: true, Latitude: 52.5, Longitude: 13.4, Radius: 20, Network: 64500, AnonymousKnown: true},
		Agent: policy.Agent{Browser: "Firefox", System: "Windows"},
	}
}

// login records a right password.
func (g *gateway) login(f policy.Facts, end ending) policy.Decision {
	g.t.Helper()
	h := g.histories[f.Account]
	if h == nil {
		h = new(policy.History)
		g.histories[f.Account] = h
	}
	if g.observes {
		f.Device = policy.DeviceUnwatched
	}
	h.Age(policy.DefaultRetention, f.Time)
	d := g.policy.Decide(&f, h)
	assessed := handler.Event{Kind: handler.LoginAssessed, Result: handler.Result(d.Verdict), Decision: &d, Facts: &f}
	if g.observes {
		assessed.Detail = "observed"
		g.add(f, 0, assessed)
		h.Learn(&f)
		return d
	}
	g.add(f, 0, assessed)
	switch d.Verdict {
	case policy.Allow:
		g.add(f, 0, handler.Event{Kind: handler.LoginSucceeded, Result: handler.ByPassword})
		h.Learn(&f)
	case policy.Challenge:
		if g.challenge(f, end) {
			h.Learn(&f)
		}
	default:
		g.add(f, 0, handler.Event{Kind: handler.LoginFailed, Result: "denied"})
	}
	return d
}

// challenge records a challenge by a text, and reports whether it is passed.
func (g *gateway) challenge(f policy.Facts, end ending) bool {
	g.challenges++
	id := hex.EncodeToString([]byte{byte(g.challenges >> 8), byte(g.challenges), 1, 1})
	g.add(f, 0, handler.Event{Kind: handler.ChallengeOpened, Result: handler.Opened, Challenge: id, Factor: account.KindPhone, Hint: "89"})
	result := handler.SendTaken
	if end == usesUp {
		result = handler.SendUnknown
	}
	g.add(f, time.Second, handler.Event{Kind: handler.CodeSent, Result: result, Challenge: id})
	switch end {
	case passes:
		g.add(f, 20*time.Second, handler.Event{Kind: handler.ChallengePassed, Result: handler.Right, Challenge: id, Factor: account.KindPhone})
		g.add(f, 20*time.Second, handler.Event{Kind: handler.LoginSucceeded, Result: handler.ByCode, Challenge: id, Factor: account.KindPhone})
	case fails:
		g.add(f, 30*time.Second, handler.Event{Kind: handler.LoginFailed, Result: handler.WrongCode, Challenge: id, Factor: account.KindPhone})
	case usesUp:
		g.add(f, 30*time.Second, handler.Event{Kind: handler.TriesUsedUp, Result: handler.MaxRetries, Challenge: id, Factor: account.KindPhone})
	case isPaused:
		g.add(f, 30*time.Second, handler.Event{Kind: handler.FactorPaused, Result: handler.MaxRetries, Challenge: id, Factor: account.KindPhone})
	case cancels:
		g.add(f, 30*time.Second, handler.Event{Kind: handler.ChallengeCancelled, Result: handler.ByUser, Challenge: id})
	}
	return end == passes
}

// add adds an event of a login, some time after it.
func (g *gateway) add(f policy.Facts, later time.Duration, e handler.Event) {
	e.Time, e.Instance, e.User, e.Account, e.ClientIP = f.Time.Add(later), g.instance, f.User, f.Account, f.Address.String()
	g.events = append(g.events, e)
}

// record adds events to the audit log of a folder, as the gateway writes them.
// What is old by the clock of this machine is neither put aside nor removed.
func record(t *testing.T, dir string, events []handler.Event) {
	t.Helper()
	fresh := t.TempDir()
	r, err := newRecorder(fresh)
	if err != nil {
		t.Fatal(err)
	}
	r.recordAll(t.Context(), events)
	if err := r.flush(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := r.release(); err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(filepath.Join(fresh, auditName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(filepath.Join(dir, auditName), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := out.Write(lines); err != nil {
		t.Fatal(err)
	}
}

// putAside puts the audit log aside as it is when it is full.
func putAside(t *testing.T, dir string, at time.Time) {
	t.Helper()
	name := "audit-" + at.UTC().Format("2006-01-02T15-04-05.000") + "-size.log"
	if err := os.Rename(filepath.Join(dir, auditName), filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// november is the first day of what is recorded.
var november = time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)

// anyLogins records logins of many users as chance will have it.
func (g *gateway) anyLogins(r *rand.Rand, n, users int, each time.Duration) {
	at := november
	for range n {
		at = at.Add(time.Duration(r.ExpFloat64() * float64(each)))
		who := r.IntN(users)
		f := usually(at, "user"+string(rune('a'+who%26))+strings.Repeat("x", who/26))
		f.Address = netip.AddrFrom4([4]byte{192, 0, byte(who >> 8), byte(who)})
		f.Device = policy.DeviceKnown
		if r.IntN(6) == 0 {
			f.Address = netip.AddrFrom4([4]byte{198, 51, 100, byte(r.IntN(4))})
			f.Place.Network = uint32(64501 + r.IntN(3))
		}
		if r.IntN(25) == 0 {
			f.Address = netip.AddrFrom4([4]byte{203, 0, 113, byte(r.IntN(200))})
			f.Place.Country, f.Place.Latitude, f.Place.Longitude = "US", 40, -74
		}
		if r.IntN(9) == 0 {
			f.Agent, f.Device = policy.Agent{Browser: "Safari", System: "iOS"}, policy.DeviceNone
		}
		if r.IntN(30) == 0 {
			f.NameFailures = 6
		}
		if r.IntN(40) == 0 {
			f.Place.Anonymous = "vpn"
		}
		end := passes
		if r.IntN(8) == 0 {
			end = []ending{fails, cancels, abandons}[r.IntN(3)]
		}
		g.login(f, end)
	}
}
