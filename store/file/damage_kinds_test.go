package file

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// errCannotSay is what a probe wants where absence would open.
var errCannotSay = errors.New("an error that is not an answer")

// probe is a call of a method that reads a damaged record.
type probe struct {
	method string
	// how says which of several calls of the method it is.
	how    string
	before func(*scene)
	call   func(*scene) error
	// want is errCannotSay, an answer, or nil where the call goes on.
	want error
	// inMemory is true for a call that reads nothing from the disk.
	inMemory bool
}

func (p probe) name() string {
	if p.how == "" {
		return p.method
	}
	return p.method + " " + p.how
}

func (p probe) try(t *testing.T, sc *scene, tg target, bad []byte) {
	err := p.call(sc)
	switch {
	case errors.Is(p.want, errCannotSay):
		cannotSay(t, p.method, err)
		cannotSay(t, p.method, p.call(sc))
		if now := rawOf(t, sc.s, tg.bucket, tg.key(sc)); !bytes.Equal(now, bad) {
			t.Errorf("the record was changed from %q to %q", bad, now)
		}
	case p.want == nil:
		must(t, err)
	case !errors.Is(err, p.want):
		t.Errorf("got %v, want %v", err, p.want)
	}
	if p.want != nil {
		sc.closed()
	}
}

// target is a kind of record and all methods that read it.
type target struct {
	name   string
	bucket string
	key    func(*scene) []byte
	// restart opens the store again after the damage was done.
	restart bool
	probes  []probe
}

func targets() []target {
	return slices.Concat(loginTargets(), stepTargets(), deviceTargets(), changeTargets())
}

// loginTargets are the records of a login.
func loginTargets() []target {
	return []target{
		{
			name: "accounts", bucket: accounts.bucket,
			key: func(sc *scene) []byte { return accountKey("crm", sc.acc) },
			probes: []probe{
				{method: "Account", call: (*scene).account, want: errCannotSay},
				{method: "Account", how: "by its alias", want: errCannotSay, call: func(sc *scene) error {
					return second(sc.s.Account(sc.t.Context(), "crm", sc.alias()))
				}},
				{method: "ListAccounts", call: (*scene).listed, want: errCannotSay},
				{method: "PutAccounts", call: func(sc *scene) error { return sc.put(sc.acc) }, want: errCannotSay},
				{method: "CountAttempt", call: (*scene).attempt, want: errCannotSay},
				{method: "PassChallenge", call: (*scene).pass, want: errCannotSay},
				{method: "ReserveSend", call: (*scene).reserve, want: errCannotSay},
			},
		},
		{
			name: "names", bucket: names.bucket,
			key: func(sc *scene) []byte { return accountKey("crm", sc.acc) },
			probes: []probe{
				{method: "Account", call: (*scene).account, want: errCannotSay},
				{method: "PutAccounts", how: "of this account", call: func(sc *scene) error { return sc.put(sc.acc) }, want: errCannotSay},
				{method: "PutAccounts", how: "of another one that wants the name", want: errCannotSay,
					call: func(sc *scene) error { return sc.put(newName(), sc.acc) }},
			},
		},
		{
			name: "locks", bucket: locks.bucket,
			key: func(sc *scene) []byte { return lineKey(sc.line) },
			probes: []probe{
				{method: "LineState", want: errCannotSay, call: func(sc *scene) error {
					return second(sc.s.LineState(sc.t.Context(), sc.line, sc.now))
				}},
				{method: "LineState", how: "after the lock's time", want: errCannotSay, call: func(sc *scene) error {
					return second(sc.s.LineState(sc.t.Context(), sc.line, sc.now.Add(1000*time.Hour)))
				}},
				{method: "LockLine", want: errCannotSay, call: func(sc *scene) error {
					return second(sc.s.LockLine(sc.t.Context(), sc.line, newLogin(), sc.now, sc.now.Add(time.Hour)))
				}},
				{method: "LiftLine", want: errCannotSay, call: func(sc *scene) error {
					return sc.s.LiftLine(sc.t.Context(), sc.line, sc.login, sc.now)
				}},
				{method: "StandLine", want: errCannotSay, call: func(sc *scene) error {
					return sc.s.StandLine(sc.t.Context(), sc.line, sc.now, sc.now.Add(time.Hour))
				}},
				{method: "BeginSession", want: errCannotSay, call: func(sc *scene) error {
					return sc.begin(func(b *store.Begin) { b.Line = &sc.line })
				}},
			},
		},
		{
			name: "sessions at a start", bucket: sessions.bucket, restart: true,
			key:    func(sc *scene) []byte { return sc.b.Session.ID[:] },
			probes: lostSession(),
		},
		{
			name: "sessions of a gateway that runs", bucket: sessions.bucket,
			key:    func(sc *scene) []byte { return sc.b.Session.ID[:] },
			probes: keptSession(),
		},
		{
			name: "challenges", bucket: challenges.bucket,
			key: func(sc *scene) []byte { return []byte(sc.b.Challenge.ID) },
			probes: []probe{
				{method: "Challenge", want: errCannotSay, call: func(sc *scene) error {
					return second(sc.s.Challenge(sc.t.Context(), sc.b.Challenge.ID, sc.now))
				}},
				{method: "CountAttempt", call: (*scene).attempt, want: errCannotSay},
				{method: "PassChallenge", call: (*scene).pass, want: errCannotSay},
				{method: "ReserveSend", call: (*scene).reserve, want: errCannotSay},
				{method: "RecordSend", want: errCannotSay, call: func(sc *scene) error {
					return sc.s.RecordSend(sc.t.Context(), sc.b.Challenge.ID, "phone", 1, account.SendTaken)
				}},
				{method: "BeginSession", how: "with this challenge", want: errCannotSay, call: func(sc *scene) error {
					return sc.begin(func(b *store.Begin) {
						b.Session.Challenge, b.Challenge.ID, b.Hold.Challenge = sc.b.Challenge.ID, sc.b.Challenge.ID, sc.b.Challenge.ID
					})
				}},
				{method: "CancelSession", call: (*scene).cancel, want: errCannotSay},
				{method: "EndSession", call: (*scene).end},
				{method: "EndSessions", call: (*scene).endAll},
				{method: "SuspendSession", how: "after a login that is too old", before: (*scene).suspend, want: store.ErrNotFound,
					call: func(sc *scene) error {
						return second(sc.s.SuspendSession(sc.t.Context(), sc.b.Session.ID, newLogin(), sc.now.Add(account.RunningFor)))
					}},
				{method: "BeginSession", how: "in its session's place", before: (*scene).suspend, call: (*scene).replace},
			},
		},
		{
			name: "holds", bucket: holds.bucket,
			key: func(sc *scene) []byte { return []byte(sc.b.Challenge.ID) },
			probes: []probe{
				{method: "PassChallenge", call: (*scene).passUnspent, want: store.ErrNotFound},
				{method: "CancelSession", call: (*scene).cancel},
				{method: "EndSession", call: (*scene).end},
				{method: "EndSessions", call: (*scene).endAll},
				{method: "BeginSession", how: "in its session's place", before: (*scene).suspend, call: (*scene).replace},
			},
		},
		{
			name: "values", bucket: values.bucket,
			key: func(sc *scene) []byte { return []byte(sc.handle) },
			probes: []probe{
				{method: "Value", want: store.ErrNotFound, call: func(sc *scene) error {
					return second(sc.s.Value(sc.t.Context(), sc.handle, sc.now))
				}},
				{method: "PutValue", call: func(sc *scene) error {
					must(sc.t, sc.s.PutValue(sc.t.Context(), sc.handle, []byte("new"), sc.now.Add(time.Hour)))
					got, err := sc.s.Value(sc.t.Context(), sc.handle, sc.now)
					if string(got) != "new" {
						sc.t.Errorf("got %q", got)
					}
					return err
				}},
			},
		},
	}
}

// lostSession is what becomes of a session that could not be read at the start:
// it was never there.
func lostSession() []probe {
	gone := func(method string, want error, call func(*scene) error) probe {
		return probe{method: method, want: want, call: call}
	}
	return []probe{
		gone("Session", store.ErrNotFound, (*scene).session),
		gone("TouchSession", store.ErrNotFound, (*scene).touch),
		gone("BindToken", store.ErrNotFound, (*scene).bind),
		gone("SuspendSession", store.ErrNotFound, func(sc *scene) error {
			return second(sc.s.SuspendSession(sc.t.Context(), sc.b.Session.ID, sc.login, sc.now))
		}),
		gone("ResumeSession", store.ErrNotFound, func(sc *scene) error {
			return sc.s.ResumeSession(sc.t.Context(), sc.b.Session.ID, sc.login, sc.now)
		}),
		gone("CancelSession", store.ErrNotFound, (*scene).cancel),
		gone("CountAttempt", store.ErrNotFound, (*scene).attempt),
		gone("PassChallenge", store.ErrNotFound, (*scene).pass),
		gone("ReserveSend", store.ErrNotFound, (*scene).reserve),
		gone("BeginSession", store.ErrConflict, (*scene).replace),
		{method: "EndSession", call: (*scene).end},
		{method: "EndSessions", call: func(sc *scene) error {
			n, err := sc.s.EndSessions(sc.t.Context(), "crm", sc.acc)
			if n != 0 {
				sc.t.Errorf("%d sessions have ended that were never there", n)
			}
			return err
		}},
	}
}

// keptSession is what becomes of a session whose record is damaged while it is
// in memory: it goes on, and is written anew.
func keptSession() []probe {
	kept := func(method, how string, before func(*scene), call func(*scene) error) probe {
		return probe{method: method, how: how, before: before, call: func(sc *scene) error {
			if err := call(sc); err != nil {
				return err
			}
			key := sc.b.Session.ID[:]
			v, there := sc.s.table.get(sc.b.Session.ID)
			raw := rawOf(sc.t, sc.s, sessions.bucket, key)
			if there != (raw != nil) {
				return fmt.Errorf("the session is in memory: %t, on the disk: %q", there, raw)
			}
			if !there {
				return nil
			}
			disk, err := sessions.decode(key, raw)
			if err == nil && disk.State != v.State {
				return fmt.Errorf("the session is %s in memory and %s on the disk", v.State, disk.State)
			}
			return err
		}}
	}
	return []probe{
		{method: "Session", call: (*scene).session, inMemory: true},
		kept("TouchSession", "written later", nil, func(sc *scene) error {
			must(sc.t, sc.touch())
			return sc.s.flush(sc.t.Context())
		}),
		kept("SuspendSession", "", nil, func(sc *scene) error { sc.suspend(); return nil }),
		kept("ResumeSession", "", (*scene).suspend, func(sc *scene) error {
			return sc.s.ResumeSession(sc.t.Context(), sc.b.Session.ID, sc.login, sc.now)
		}),
		kept("CancelSession", "", nil, (*scene).cancel),
		kept("EndSession", "", nil, (*scene).end),
		kept("EndSessions", "", nil, (*scene).endAll),
		kept("PassChallenge", "", nil, (*scene).pass),
		kept("BeginSession", "in its place", (*scene).suspend, (*scene).replace),
	}
}

func (sc *scene) session() error {
	return second(sc.s.Session(sc.t.Context(), sc.b.Session.ID, sc.now))
}

func (sc *scene) touch() error {
	return sc.s.TouchSession(sc.t.Context(), sc.b.Session.ID, sc.now.Add(time.Minute))
}

func (sc *scene) bind() error {
	return sc.s.BindToken(sc.t.Context(), sc.b.Session.ID, account.Fingerprint{1}, sc.now)
}

func (sc *scene) cancel() error { return sc.s.CancelSession(sc.t.Context(), sc.b.Session.ID) }

// end ends the session, which must then be gone.
func (sc *scene) end() error {
	err := sc.s.EndSession(sc.t.Context(), sc.b.Session.ID)
	if got := sc.session(); !errors.Is(got, store.ErrNotFound) {
		sc.t.Errorf("the session has not ended: %v", got)
	}
	return err
}

// endAll ends all sessions of the user, of which there is one.
func (sc *scene) endAll() error {
	n, err := sc.s.EndSessions(sc.t.Context(), "crm", sc.acc)
	if got := sc.session(); n != 1 || !errors.Is(got, store.ErrNotFound) {
		sc.t.Errorf("%d sessions have ended, and this one: %v", n, got)
	}
	return err
}

// replace begins a session in the place of the suspended one.
func (sc *scene) replace() error {
	return sc.begin(func(b *store.Begin) { b.Old = &sc.b.Session.ID })
}

// passUnspent passes nothing, and checks that nothing was spent.
func (sc *scene) passUnspent() error {
	err := sc.pass()
	a, readErr := sc.s.Account(sc.t.Context(), "crm", sc.acc)
	must(sc.t, readErr)
	if totp, _ := a.Factor("totp"); totp.LastStep != 0 {
		sc.t.Errorf("step %d was spent", totp.LastStep)
	}
	return err
}

// listed lists all accounts, among which this one must be an error and the
// healthy one be there.
func (sc *scene) listed() error {
	var mine error
	healthy := false
	for a, err := range sc.s.ListAccounts(sc.t.Context(), "") {
		var g *garbageError
		switch {
		case errors.As(err, &g) && g.key == shownKey(accounts.bucket, accountKey("crm", sc.acc)):
			mine = err
		case err == nil:
			healthy = healthy || a.ID == "healthy"
		}
	}
	if !healthy {
		sc.t.Error("the list did not go on")
	}
	return mine
}

// readNothing are the methods that read no record of a target, with the reason.
func readNothing() map[string]string {
	return map[string]string{
		"Close": "it writes what is in memory only",
		"Epoch": "Open has read it; see TestADamagedEpochIsRefused",

		"NoteSeen": "see TestWhatWasSeenAndCannotBeReadCountsAsNotSeen",
		"ListSeen": "see TestWhatWasSeenAndCannotBeReadCountsAsNotSeen",

		"History":      "see TestAHistoryThatCannotBeReadCountsAsNone",
		"LearnHistory": "see TestAHistoryThatCannotBeReadCountsAsNone",
		"AgeHistories": "see TestAHistoryThatCannotBeReadCountsAsNone",

		"SessionsOf": "it is a look-up in memory",
		"Waiting":    "see TestADamagedIndexOfNoticesAndEnrolmentsStopsNothing",

		"NoteTry": "see TestTriesThatCannotBeReadCountNoMore",
		"Tries":   "see TestTriesThatCannotBeReadCountNoMore",
	}
}

// notRecords are the buckets whose values are not read, with the test that
// damages them.
func notRecords() map[string]string {
	return map[string]string{
		bucketRunning: "TestADamagedIndexRemovesNothingThatLives",
		bucketExpiry:  "TestADamagedIndexRemovesNothingThatLives",

		sightings.bucket: "TestWhatWasSeenAndCannotBeReadCountsAsNotSeen",
		histories.bucket: "TestAHistoryThatCannotBeReadCountsAsNone",

		bucketEnrolling: "TestADamagedIndexOfNoticesAndEnrolmentsStopsNothing",
		bucketDue:       "TestADamagedIndexOfNoticesAndEnrolmentsStopsNothing",

		tryRecords.bucket: "TestTriesThatCannotBeReadCountNoMore",
	}
}

func TestEveryMethodAndEveryBucketIsTriedWithDamage(t *testing.T) {
	tried := map[string]bool{}
	buckets := map[string]bool{}
	for _, tg := range targets() {
		buckets[tg.bucket] = true
		for _, p := range tg.probes {
			tried[p.method] = true
		}
	}
	contract := reflect.TypeFor[store.Store]()
	for i := range contract.NumMethod() {
		name := contract.Method(i).Name
		if _, none := readNothing()[name]; !none && !tried[name] {
			t.Errorf("%s is not tried with a damaged record: give it a probe at each kind that it reads in targets, or say in readNothing why not", name)
		}
	}
	for name := range tried {
		if _, ok := contract.MethodByName(name); !ok {
			t.Errorf("the store has no method %s", name)
		}
	}
	all := append(recordBuckets(), laterBuckets()...)
	for _, b := range all {
		if _, none := notRecords()[b]; !none && !buckets[b] {
			t.Errorf("no record of %s is damaged: add the kind to targets", b)
		}
	}
	if got := len(slices.Compact(all)); got != len(buckets)+len(notRecords()) {
		t.Errorf("%d buckets, but %d are tried and %d are not records", got, len(buckets), len(notRecords()))
	}
}
