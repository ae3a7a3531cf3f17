package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func newDeviceID() account.DeviceID   { return account.DeviceID(random(16)) }
func newTokenHash() account.TokenHash { return account.TokenHash(random(32)) }

// newDevice is a browser that is to be remembered, not stored.
func (f *fixture) newDevice(acc string) account.Device {
	return account.Device{
		ID: newDeviceID(), Instance: instance, Account: acc, Token: newTokenHash(),
		Created: f.now, LastUsed: f.now, Expires: f.now.Add(30 * 24 * time.Hour),
		ClientIP: "203.0.113.9", UserAgent: "browser",
	}
}

// nextStep is a time step of the authenticator that is not spent.
func (f *fixture) nextStep(acc string) int64 { return f.factor(acc, totpID).LastStep + 1 }

// remember has a browser remembered with a right code.
func (f *fixture) remember(d account.Device) account.Device {
	f.t.Helper()
	b := f.beginPending(d.Account)
	p := f.passOf(b, f.nextStep(d.Account))
	p.Device = &d
	f.released(b, p)
	return d
}

// remembered enrols somebody whose browser is remembered.
func (f *fixture) remembered(acc string) account.Device {
	f.t.Helper()
	f.enrol(acc)
	return f.remember(f.newDevice(acc))
}

func useOf(d account.Device, token account.TokenHash) store.DeviceUse {
	return store.DeviceUse{
		Instance: d.Instance, Account: d.Account, Device: d.ID, Token: token, Next: newTokenHash(),
		ClientIP: "198.51.100.7", UserAgent: "newer browser",
	}
}

func (f *fixture) use(u store.DeviceUse, now time.Time) store.DeviceResult {
	f.t.Helper()
	r, err := f.s.UseDevice(f.ctx, u, now)
	f.must(err)
	return r
}

// state uses a device, which must be in a state.
func (f *fixture) state(u store.DeviceUse, now time.Time, want account.DeviceState) {
	f.t.Helper()
	if r := f.use(u, now); r.State != want {
		f.t.Errorf("the device is %s, want %s", r.State, want)
	}
}

func (f *fixture) devices(acc string) []account.Device {
	f.t.Helper()
	list, err := f.s.Devices(f.ctx, instance, acc, f.now)
	f.must(err)
	return list
}

func (f *fixture) forget(acc string, want int, ids ...account.DeviceID) {
	f.t.Helper()
	n, err := f.s.ForgetDevices(f.ctx, instance, acc, ids...)
	f.must(err)
	if n != want {
		f.t.Errorf("%d devices are forgotten, want %d", n, want)
	}
}

func deviceTests() []test {
	return []test{
		{"a browser is remembered by the code that was right, and by nothing else", func(t *testing.T, f *fixture) {
			d := f.remembered("ada")
			same(t, f.devices("ada"), []account.Device{d})
			b := f.beginPending("ada")
			p := f.passOf(b, 1) // spent
			other := f.newDevice("ada")
			p.Device = &other
			_, err := f.s.PassChallenge(f.ctx, p, f.now)
			f.wants(err, store.ErrSpent)
			same(t, f.devices("ada"), []account.Device{d})
		}},
		{"a use brings the next token, and is kept", func(t *testing.T, f *fixture) {
			d := f.remembered("ada")
			u, later := useOf(d, d.Token), f.now.Add(time.Hour)
			r := f.use(u, later)
			want := d
			want.Issued = []account.DeviceToken{{Hash: u.Next, At: later}}
			want.LastUsed, want.ClientIP, want.UserAgent = later, u.ClientIP, u.UserAgent
			same(t, r, store.DeviceResult{State: account.DeviceKnown, Issued: true, Device: want})
			same(t, f.devices("ada"), []account.Device{want})
			second := useOf(d, u.Next)
			r = f.use(second, later)
			want.Token, want.Issued = u.Next, []account.DeviceToken{{Hash: second.Next, At: later}}
			want.Retired = []account.DeviceToken{{Hash: d.Token, At: later}}
			same(t, r, store.DeviceResult{State: account.DeviceKnown, Issued: true, Device: want})
		}},
		{"a token that was over counts within its grace, and brings none", func(t *testing.T, f *fixture) {
			d := f.remembered("ada")
			u := useOf(d, d.Token)
			f.use(u, f.now)
			f.use(useOf(d, u.Next), f.now)
			if r := f.use(useOf(d, d.Token), f.now.Add(account.DeviceGrace-time.Nanosecond)); r.State != account.DeviceKnown || r.Issued {
				t.Errorf("got %+v", r)
			}
		}},
		{"an old token that comes back forgets the device at once", func(t *testing.T, f *fixture) {
			d := f.remembered("ada")
			u := useOf(d, d.Token)
			f.use(u, f.now)
			third := useOf(d, u.Next)
			f.use(third, f.now)
			r := f.use(useOf(d, d.Token), f.now.Add(account.DeviceGrace))
			if r.State != account.DeviceStolen || r.Issued || r.Device.ID != d.ID || r.Device.ClientIP != u.ClientIP {
				t.Errorf("got %+v", r)
			}
			same(t, f.devices("ada"), []account.Device(nil))
			for _, token := range []account.TokenHash{d.Token, u.Next, third.Next} {
				f.state(useOf(d, token), f.now, account.DeviceNone)
			}
		}},
		{"a device of another account or instance, and one that nobody knows, is none and stays untouched", func(t *testing.T, f *fixture) {
			d := f.remembered("ada")
			f.enrol("bob")
			for what, turn := range map[string]func(*store.DeviceUse){
				"another account":  func(u *store.DeviceUse) { u.Account = "bob" },
				"a longer name":    func(u *store.DeviceUse) { u.Account = "adam" },
				"no account":       func(u *store.DeviceUse) { u.Account = "" },
				"another instance": func(u *store.DeviceUse) { u.Instance = "shop" },
				"another device":   func(u *store.DeviceUse) { u.Device = newDeviceID() },
				"no device":        func(u *store.DeviceUse) { u.Device = account.DeviceID{} },
			} {
				for _, token := range []account.TokenHash{d.Token, newTokenHash()} {
					u := useOf(d, token)
					turn(&u)
					same(t, fmt.Sprint(what, f.use(u, f.now)), fmt.Sprint(what, store.DeviceResult{State: account.DeviceNone}))
				}
			}
			same(t, f.devices("ada"), []account.Device{d})
			same(t, f.devices("bob"), []account.Device(nil))
		}},
		{"devices are listed with the one used last in front, and forgotten by their ids or all", func(t *testing.T, f *fixture) {
			a := f.remembered("ada")
			b, c := f.remember(f.newDevice("ada")), f.remember(f.newDevice("ada"))
			other := f.remembered("adam")
			f.use(useOf(b, b.Token), f.now.Add(2*time.Second))
			f.use(useOf(a, a.Token), f.now.Add(time.Second))
			var got []account.DeviceID
			for _, d := range f.devices("ada") {
				got = append(got, d.ID)
			}
			same(t, got, []account.DeviceID{b.ID, a.ID, c.ID})
			f.forget("ada", 1, a.ID, a.ID, newDeviceID(), other.ID)
			f.state(useOf(a, a.Token), f.now, account.DeviceNone)
			f.state(useOf(b, b.Token), f.now, account.DeviceKnown)
			f.forget("ada", 2)
			f.forget("ada", 0)
			f.forget("nobody", 0)
			f.state(useOf(b, b.Token), f.now, account.DeviceNone)
			same(t, f.devices("adam"), []account.Device{other})
		}},
		{"of an account's devices the one used longest ago makes room", func(t *testing.T, f *fixture) {
			first := f.remembered("ada")
			all := []account.Device{first}
			for i := range account.MaxDevices - 1 {
				d := f.newDevice("ada")
				d.LastUsed = f.now.Add(time.Duration(i+1) * time.Second)
				all = append(all, f.remember(d))
			}
			if n := len(f.devices("ada")); n != account.MaxDevices {
				t.Fatalf("%d devices, want %d", n, account.MaxDevices)
			}
			f.use(useOf(first, first.Token), f.now.Add(time.Minute))
			more := f.newDevice("ada")
			more.LastUsed = f.now.Add(time.Hour)
			f.remember(more)
			if n := len(f.devices("ada")); n != account.MaxDevices {
				t.Errorf("%d devices, want %d", n, account.MaxDevices)
			}
			f.state(useOf(all[1], all[1].Token), f.now, account.DeviceNone)
			for _, d := range []account.Device{all[2], more} {
				f.state(useOf(d, d.Token), f.now, account.DeviceKnown)
			}
			if list := f.devices("ada"); list[len(list)-1].ID == first.ID {
				t.Error("the first one, which was used since, is the next to go")
			}
		}},
		{"a device takes the place of the one that the browser had", func(t *testing.T, f *fixture) {
			old, other := f.remembered("ada"), f.remember(f.newDevice("ada"))
			d := f.newDevice("ada")
			b := f.beginPending("ada")
			p := f.passOf(b, f.nextStep("ada"))
			p.Device, p.Replaces = &d, old.ID
			f.released(b, p)
			f.state(useOf(old, old.Token), f.now, account.DeviceNone)
			f.state(useOf(other, other.Token), f.now, account.DeviceKnown)
			f.state(useOf(d, d.Token), f.now, account.DeviceKnown)
		}},
		{"a device that nothing can have made is refused, and nothing is passed", func(t *testing.T, f *fixture) {
			there := f.remembered("ada")
			b := f.beginPending("ada")
			for what, spoil := range map[string]func(*account.Device){
				"no id":              func(d *account.Device) { d.ID = account.DeviceID{} },
				"no token":           func(d *account.Device) { d.Token = account.TokenHash{} },
				"a token given out":  func(d *account.Device) { d.Issued = []account.DeviceToken{{Hash: newTokenHash()}} },
				"a token that ended": func(d *account.Device) { d.Retired = []account.DeviceToken{{Hash: newTokenHash()}} },
				"another account":    func(d *account.Device) { d.Account = "bob" },
				"another instance":   func(d *account.Device) { d.Instance = "shop" },
				"no time":            func(d *account.Device) { d.Expires = f.now },
				"a long agent":       func(d *account.Device) { d.UserAgent = strings.Repeat("x", store.MaxAgent+1) },
			} {
				d, p := f.newDevice("ada"), f.passOf(b, f.nextStep("ada"))
				spoil(&d)
				p.Device = &d
				if _, err := f.s.PassChallenge(f.ctx, p, f.now); err == nil || isAnswer(err) {
					t.Errorf("%s: got %v, want an error that is not an answer", what, err)
				}
				f.unpassed(b, p)
			}
			again, p := f.newDevice("ada"), f.passOf(b, f.nextStep("ada"))
			again.ID, p.Device = there.ID, &again
			_, err := f.s.PassChallenge(f.ctx, p, f.now)
			f.wants(err, store.ErrConflict)
			f.unpassed(b, p)
			same(t, f.devices("ada"), []account.Device{there})
		}},
		{"a use without a token, or without a next one, is refused", func(t *testing.T, f *fixture) {
			d := f.remembered("ada")
			for _, turn := range []func(*store.DeviceUse){
				func(u *store.DeviceUse) { u.Token = account.TokenHash{} },
				func(u *store.DeviceUse) { u.Next = account.TokenHash{} },
				func(u *store.DeviceUse) { u.Next = u.Token },
				func(u *store.DeviceUse) { u.UserAgent = strings.Repeat("x", store.MaxAgent+1) },
			} {
				u := useOf(d, d.Token)
				turn(&u)
				_, err := f.s.UseDevice(f.ctx, u, f.now)
				f.wants(err, errRefused)
			}
			same(t, f.devices("ada"), []account.Device{d})
		}},
		{"all devices end where a factor changes, and nobody else's", func(t *testing.T, f *fixture) {
			f.remembered("bob")
			for what, turn := range factorChanges() {
				d := f.remembered("ada")
				f.remember(f.newDevice("ada"))
				a := f.account("ada")
				turn(&a)
				f.must(f.s.PutAccounts(f.ctx, []account.Account{a, f.account("bob")}))
				if n := len(f.devices("ada")); n != 0 {
					t.Errorf("%s: %d devices are left", what, n)
				}
				f.state(useOf(d, d.Token), f.now, account.DeviceNone)
			}
			if n := len(f.devices("bob")); n != 1 {
				t.Errorf("%d devices of another account are left, want 1", n)
			}
		}},
		{"devices stay where anything else of an account changes", func(t *testing.T, f *fixture) {
			d := f.remembered("ada")
			a := f.account("ada")
			a.Name, a.Mail, a.Group, a.Aliases = "Ada", "ada@example.com", "sales", []string{"countess"}
			a.Factors[0], a.Factors[1] = a.Factors[1], a.Factors[0]
			for i := range a.Factors {
				a.Factors[i].Label, a.Factors[i].LastStep, a.Factors[i].Failures = "another", 900, 3
			}
			f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
			same(t, f.devices("ada"), []account.Device{d})
		}},
		{"ending all sessions of an account forgets its devices too", func(t *testing.T, f *fixture) {
			d, other := f.remembered("ada"), f.remembered("adam")
			f.endAll("ada", 1)
			f.state(useOf(d, d.Token), f.now, account.DeviceNone)
			same(t, f.devices("adam"), []account.Device{other})
			f.endAll("ada", 0)
		}},
		{"a session that ends by itself, and a login that begins, forget no device", func(t *testing.T, f *fixture) {
			d := f.remembered("ada")
			b := f.beginPending("ada")
			f.must(f.s.CancelSession(f.ctx, b.Session.ID))
			f.must(f.s.EndSession(f.ctx, f.beginVerified("ada").ID))
			same(t, f.devices("ada"), []account.Device{d})
		}},
	}
}

// factorChanges are changes of an account's factors.
func factorChanges() map[string]func(*account.Account) {
	return map[string]func(*account.Account){
		"another secret": func(a *account.Account) { a.Factors[0].Secret = []byte("another") },
		"another number": func(a *account.Account) { a.Factors[1].Secret = []byte("another") },
		"another id":     func(a *account.Account) { a.Factors[1].ID = "phone-2" },
		"other parameters": func(a *account.Account) {
			a.Factors[0].TOTP = &account.TOTP{Algorithm: "SHA256", Digits: 6, Period: 30}
		},
		"one more": func(a *account.Account) {
			a.Factors = append(a.Factors, account.Factor{ID: "third", Kind: account.KindPhone})
		},
		"one less":           func(a *account.Account) { a.Factors = a.Factors[:1] },
		"none":               func(a *account.Account) { a.Factors = nil },
		"another kind of it": func(a *account.Account) { a.Factors[1].Kind = account.KindTOTP },
	}
}

func deviceExpiries() []expiryTest {
	return []expiryTest{
		{"UseDevice", "a device is known until it expires", true, func(f *fixture) thing {
			d := f.remember(f.newDevice("ada"))
			return thing{d.Expires, func(now time.Time) bool {
				return f.use(useOf(d, d.Token), now).State == account.DeviceKnown
			}, func(now time.Time) {
				_, err := f.s.Devices(f.ctx, instance, "ada", now)
				f.must(err)
			}}
		}},
		{"UseDevice", "a token that is over counts until its grace is", true, func(f *fixture) thing {
			d := f.newDevice("ada")
			d.Expires = f.now.Add(1000 * 24 * time.Hour)
			f.remember(d)
			u := useOf(d, d.Token)
			f.use(u, f.now)
			f.use(useOf(d, u.Next), f.now)
			return thing{f.now.Add(account.DeviceGrace), func(now time.Time) bool {
				return f.use(useOf(d, d.Token), now).State == account.DeviceKnown
			}, nil}
		}},
		{"Devices", "a device is listed until it expires", false, func(f *fixture) thing {
			d := f.remember(f.newDevice("ada"))
			return thing{d.Expires, func(now time.Time) bool {
				list, err := f.s.Devices(f.ctx, instance, "ada", now)
				f.must(err)
				return len(list) == 1
			}, nil}
		}},
	}
}

func durableDeviceTests() []durableTest {
	return []durableTest{
		{"devices and their tokens are kept, and those that were forgotten stay so", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			d := f.remembered("ada")
			u := useOf(d, d.Token)
			second := useOf(d, u.Next)
			f.use(u, f.now)
			f.use(second, f.now)
			want := f.devices("ada")
			forgotten, stolen, changed, revoked := f.remembered("bob"), f.remembered("eve"), f.remembered("zoe"), f.remembered("max")
			f.forget("bob", 1)
			f.state(useOf(stolen, newTokenHash()), f.now, account.DeviceStolen)
			a := f.account("zoe")
			a.Factors = a.Factors[:1]
			f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
			f.endAll("max", 1)
			return func(t *testing.T, f *fixture) {
				same(t, f.devices("ada"), want)
				for _, gone := range []account.Device{forgotten, stolen, changed, revoked} {
					f.state(useOf(gone, gone.Token), f.now, account.DeviceNone)
				}
				f.state(useOf(d, second.Next), f.now, account.DeviceKnown)
				f.state(useOf(d, d.Token), f.now.Add(account.DeviceGrace), account.DeviceStolen)
			}
		}},
	}
}
