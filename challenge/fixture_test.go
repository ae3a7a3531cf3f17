package challenge

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

const (
	testNumber = "+4915112345678"
	testApp    = "app"
	testPhone  = "phone"
)

var start = time.Date(2026, 11, 22, 12, 0, 7, 0, time.UTC)

// testClock is a clock that stands until it is moved.
type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *testClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// keyRing is the gateway's key ring as a Sealer.
type keyRing struct{ *seal.Ring }

func (k keyRing) Seal(purpose string, aad, plaintext []byte, now time.Time) ([]byte, error) {
	return k.Ring.Seal(seal.Purpose(purpose), aad, plaintext, now), nil
}

func (k keyRing) Open(purpose string, aad, sealed []byte, now time.Time) ([]byte, error) {
	return k.Ring.Open(seal.Purpose(purpose), aad, sealed, now)
}

func (k keyRing) MAC(purpose string, parts ...[]byte) [32]byte {
	return k.Ring.MAC(seal.Purpose(purpose), parts...)
}

func (k keyRing) VerifyMAC(purpose string, mac [32]byte, parts ...[]byte) bool {
	return k.Ring.VerifyMAC(seal.Purpose(purpose), mac[:], parts...)
}

// ring returns a key ring whose keys have the given names, newest first.
func ring(t *testing.T, names ...string) keyRing {
	t.Helper()
	var keys []seal.Key
	for _, name := range names {
		secret := sha256.Sum256([]byte(name))
		key, err := seal.ParseKey(name, hex.EncodeToString(secret[:]))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	r, err := seal.NewRing(keys, seal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return keyRing{r}
}

// phone is a sender that keeps what it was given and does as it is told.
type phone struct {
	mu    sync.Mutex
	texts []sms.Message
	do    func(context.Context, sms.Message) (sms.Receipt, error)
}

func (p *phone) Send(ctx context.Context, m sms.Message) (sms.Receipt, error) {
	p.mu.Lock()
	p.texts = append(p.texts, m)
	n, do := len(p.texts), p.do
	p.mu.Unlock()
	if do != nil {
		return do(ctx, m)
	}
	return sms.Receipt{ProviderID: fmt.Sprintf("p-%d", n)}, m.Check()
}

func (p *phone) got() []sms.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]sms.Message(nil), p.texts...)
}

var codeInText = regexp.MustCompile(`^([0-9]{6}) `)

// lastCode returns the code of the last text that arrived.
func (p *phone) lastCode(t *testing.T) string {
	t.Helper()
	texts := p.got()
	if len(texts) == 0 {
		t.Fatal("no text arrived")
	}
	m := codeInText.FindStringSubmatch(texts[len(texts)-1].Text)
	if m == nil {
		t.Fatal("the text does not begin with a code")
	}
	return m[1]
}

// fixture is a service over a real store, with one account.
type fixture struct {
	t       *testing.T
	store   store.Store
	clock   *testClock
	sealer  keyRing
	phone   *phone
	logs    *observer.ObservedLogs
	service *Service
	secret  []byte
	logins  int
}

// newFixture returns a fixture whose account has an authenticator and a phone;
// change may change the configuration.
func newFixture(t *testing.T, change ...func(*Config)) *fixture {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	f := &fixture{
		t:      t,
		clock:  &testClock{t: start},
		sealer: ring(t, "first"),
		phone:  &phone{},
		logs:   logs,
		secret: []byte("12345678901234567890"),
	}
	f.store = openStore(t, f.clock)
	f.service = f.newService(zap.New(core), change...)
	f.putAccount("alice", account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30})
	return f
}

func (f *fixture) newService(log *zap.Logger, change ...func(*Config)) *Service {
	f.t.Helper()
	c := Config{Store: f.store, Sealer: f.sealer, Sender: f.phone, Clock: f.clock.now, Logger: log}
	for _, ch := range change {
		ch(&c)
	}
	s, err := New(c)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			f.t.Errorf("close the service: %v", err)
		}
	})
	return s
}

// putAccount stores an account with a phone, enrolled first, and an
// authenticator.
func (f *fixture) putAccount(id string, params account.TOTP) {
	f.t.Helper()
	seal := func(factor string, kind account.Kind, secret []byte) []byte {
		sealed, err := SealFactorSecret(f.sealer, "main", id, factor, kind, secret, start)
		if err != nil {
			f.t.Fatal(err)
		}
		return sealed
	}
	acc := account.Account{
		Instance: "main", ID: id, Name: id, Created: start, Updated: start,
		Factors: []account.Factor{
			{ID: testPhone, Kind: account.KindPhone, Label: "my phone", Hint: "78", Created: start,
				Secret: seal(testPhone, account.KindPhone, []byte(testNumber))},
			{ID: testApp, Kind: account.KindTOTP, Label: "my app", Created: start, TOTP: &params,
				Secret: seal(testApp, account.KindTOTP, f.secret)},
		},
	}
	if err := f.store.PutAccounts(f.t.Context(), []account.Account{acc}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) account(id string) *account.Account {
	f.t.Helper()
	acc, err := f.store.Account(f.t.Context(), "main", id)
	if err != nil {
		f.t.Fatal(err)
	}
	return &acc
}

// login is one right password of a user: a pending session and its challenge.
type login struct {
	f         *fixture
	user      string
	session   account.SessionID
	challenge account.Challenge
}

// login records a right password, as the handler does.
func (f *fixture) login(user string) *login {
	f.t.Helper()
	f.logins++
	session := sessionID(f.logins, "pending")
	now := f.clock.now()
	ch, err := f.service.Open(f.account(user), "main", session, account.PurposeLogin, "/login", now)
	if err != nil {
		f.t.Fatal(err)
	}
	begin := store.Begin{
		Session: account.Session{
			ID: session, Instance: "main", State: account.StatePending, Account: user, User: user,
			Standing:  account.StandingID(session[:16]),
			Challenge: ch.ID, Created: now, LastSeen: now, Expires: ch.Expires,
		},
		Challenge: &ch,
		Hold:      &account.Hold{Challenge: ch.ID, Instance: "main", Sealed: []byte("held for " + user), Expires: ch.Expires},
	}
	if err := f.store.BeginSession(f.t.Context(), begin, now); err != nil {
		f.t.Fatal(err)
	}
	return &login{f: f, user: user, session: session, challenge: ch}
}

func sessionID(n int, kind string) account.SessionID {
	return sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, n))
}

func (l *login) fresh() account.Challenge {
	l.f.t.Helper()
	ch, err := l.f.store.Challenge(l.f.t.Context(), l.challenge.ID, l.f.clock.now())
	if err != nil {
		l.f.t.Fatal(err)
	}
	return ch
}

func (l *login) sendRequest() SendRequest {
	return SendRequest{Challenge: l.challenge, Account: l.f.account(l.user), Factor: testPhone, Host: "crm.example.com"}
}

func (l *login) send() SendOutcome {
	l.f.t.Helper()
	out, err := l.f.service.Send(l.f.t.Context(), l.sendRequest())
	if err != nil {
		l.f.t.Fatal(err)
	}
	return out
}

// mustSend sends and returns the code that arrived.
func (l *login) mustSend() string {
	l.f.t.Helper()
	if out := l.send(); out.State != SendTaken {
		l.f.t.Fatalf("Send: %+v, want taken", out)
	}
	return l.f.phone.lastCode(l.f.t)
}

func (l *login) checkRequest(factor, input string) CheckRequest {
	now := l.f.clock.now()
	var id account.SessionID
	if _, err := rand.Read(id[:]); err != nil {
		l.f.t.Fatal(err)
	}
	return CheckRequest{
		Challenge: l.challenge.ID, Session: l.session, Account: l.f.account(l.user), Factor: factor, Input: input,
		Next: account.Session{
			ID: id, Instance: "main", State: account.StateVerified, Account: l.user, User: l.user,
			Standing: account.StandingID(id[:16]),
			Created:  now, LastSeen: now, IdleFor: 8 * time.Hour, Expires: now.Add(24 * time.Hour),
		},
	}
}

func (l *login) check(factor, input string) Result {
	l.f.t.Helper()
	res, err := l.f.service.Check(l.f.t.Context(), l.checkRequest(factor, input))
	if err != nil {
		l.f.t.Fatal(err)
	}
	return res
}

// totp returns the authenticator's code some steps from now.
func (f *fixture) totp(params account.TOTP, offset int64) string {
	f.t.Helper()
	step := f.clock.now().Unix()/int64(params.Period) + offset
	return codeAt(f.t, f.secret, params, step)
}

func (f *fixture) appCode(offset int64) string {
	return f.totp(account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30}, offset)
}

// other returns a code of the same length that is not the given one.
func other(code string) string {
	b := []byte(code)
	b[0] = '0' + (b[0]-'0'+1)%10
	return string(b)
}

func wantResult[T Result](t *testing.T, got Result) T {
	t.Helper()
	r, ok := got.(T)
	if !ok {
		var want T
		t.Fatalf("Check = %T%+v, want %T", got, got, want)
	}
	return r
}
