package storetest

import (
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// deviceRaces are races of those who use a remembered browser with each other,
// and with what ends it.
func deviceRaces() []raceTest {
	return []raceTest{
		{"UseDevice", "of many uses of one token each is known and brings a token, of which the newest are kept", func(t *testing.T, f *fixture) {
			d := f.remembered("ada")
			uses := make([]store.DeviceUse, racers)
			for i := range uses {
				uses[i] = useOf(d, d.Token)
			}
			for i, r := range race(func(i int) store.DeviceResult { return f.use(uses[i], f.now) }) {
				if r.State != account.DeviceKnown || !r.Issued {
					t.Errorf("use %d: %+v", i, r)
				}
			}
			now := f.devices("ada")[0]
			if now.Token != d.Token || len(now.Issued) != account.MaxIssued || len(now.Retired) != account.MaxRetired {
				t.Fatalf("the device is %+v", now)
			}
			// Each of those that are kept was given to one of them.
			given := map[account.TokenHash]bool{}
			for _, u := range uses {
				given[u.Next] = true
			}
			for _, token := range append(now.Issued, now.Retired...) {
				if !given[token.Hash] {
					t.Error("a token is kept that nobody was given, or twice")
				}
				delete(given, token.Hash)
			}
			f.state(useOf(d, now.Issued[0].Hash), f.now, account.DeviceKnown)
		}},
		{"UseDevice", "of many uses of one token that was given out, one makes it the token", func(t *testing.T, f *fixture) {
			d := f.remembered("ada")
			first := useOf(d, d.Token)
			f.use(first, f.now)
			for i, r := range race(func(int) store.DeviceResult { return f.use(useOf(d, first.Next), f.now) }) {
				if r.State != account.DeviceKnown || !r.Issued || r.Device.Token != first.Next {
					t.Errorf("use %d: %+v", i, r)
				}
			}
			if now := f.devices("ada")[0]; now.Token != first.Next {
				t.Errorf("the device is %+v", now)
			}
		}},
		{"UseDevice", "of many old tokens that come back at once one forgets the device", func(t *testing.T, f *fixture) {
			d := f.remembered("ada")
			stolen := 0
			for _, r := range race(func(int) store.DeviceResult { return f.use(useOf(d, newTokenHash()), f.now) }) {
				if r.State == account.DeviceStolen {
					stolen++
				} else if r.State != account.DeviceNone {
					t.Errorf("got %+v", r)
				}
			}
			if stolen != 1 || len(f.devices("ada")) != 0 {
				t.Errorf("%d have found it stolen, and %v is left", stolen, f.devices("ada"))
			}
		}},
		{"UseDevice ForgetDevices", "a device that is used while it is forgotten is not there afterwards", func(t *testing.T, f *fixture) {
			for range 4 {
				d := f.remembered("ada")
				total := 0
				for _, n := range race(func(i int) int {
					if i%2 == 0 {
						f.use(useOf(d, d.Token), f.now)
						return 0
					}
					n, err := f.s.ForgetDevices(f.ctx, instance, "ada", d.ID)
					f.wants(err, nil)
					return n
				}) {
					total += n
				}
				if total != 1 || len(f.devices("ada")) != 0 {
					t.Errorf("%d are forgotten, and %v is left", total, f.devices("ada"))
				}
			}
		}},
		{"UseDevice PutAccounts", "a device that is used while a factor changes is not there afterwards", func(t *testing.T, f *fixture) {
			d := f.remembered("ada")
			a := f.account("ada")
			a.Factors = a.Factors[:1]
			f.allWin(race(func(i int) error {
				if i == racers/2 {
					return f.s.PutAccounts(f.ctx, []account.Account{a})
				}
				_, err := f.s.UseDevice(f.ctx, useOf(d, d.Token), f.now)
				return err
			}))
			f.state(useOf(d, d.Token), f.now, account.DeviceNone)
		}},
		{"PassChallenge EndSessions", "a browser that is remembered at that moment is there whole or gone whole", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			passes := make([]store.Pass, racers)
			for i := range passes {
				passes[i] = f.passOf(b, int64(100+i))
				d := f.newDevice("ada")
				passes[i].Device = &d
			}
			passed := race(func(i int) bool {
				if i%8 == 0 {
					_, err := f.s.EndSessions(f.ctx, instance, "ada")
					f.wants(err, nil)
					return false
				}
				_, err := f.s.PassChallenge(f.ctx, passes[i], f.now)
				return f.won(err, store.ErrSpent, store.ErrNotFound)
			})
			won := 0
			for i, p := range passes {
				if passed[i] {
					won++
				}
				_, err := f.s.Session(f.ctx, p.Next.ID, f.now)
				there := f.won(err, store.ErrNotFound)
				if known := f.use(useOf(*p.Device, p.Device.Token), f.now).State == account.DeviceKnown; known != there || there && !passed[i] {
					t.Errorf("pass %d: passed %t, its session is there: %t, its device: %t", i, passed[i], there, known)
				}
			}
			if won > 1 {
				t.Errorf("%d have passed", won)
			}
		}},
	}
}
