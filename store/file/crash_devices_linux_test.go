package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// crashDevices use a remembered browser twice, with the token that it was given
// the second time, and forget it.
func crashDevices(ctx context.Context, s *Store, d account.Device) []deed {
	first := deviceUse(d, d.Token)
	again := deviceUse(d, first.Next)
	// The next use finds the device by what this one leaves.
	first.UserAgent, again.UserAgent = d.UserAgent, d.UserAgent
	use := func(u store.DeviceUse) deed {
		after := d
		after.Token = u.Token
		return deed{fact{What: "used", ID: d.ID.String(), Device: &after}, func() error {
			r, err := s.UseDevice(ctx, u, time.Now())
			if err == nil && r.State != account.DeviceKnown {
				err = fmt.Errorf("the device is %s", r.State)
			}
			return err
		}}
	}
	return []deed{use(first), use(again), {fact{What: "forgotten", ID: d.ID.String(), Device: &d}, func() error {
		return second(s.ForgetDevices(ctx, "crm", d.Account, d.ID))
	}}}
}

// device looks whether a fact of a remembered browser holds: it is there with
// the token that it has come with, unless it was forgotten.
func (k *known) device(s *Store, f fact, rest []fact) error {
	list, err := s.Devices(k.t.Context(), "crm", f.Device.Account, time.Now())
	if err != nil {
		return err
	}
	var there *account.Device
	for i := range list {
		if list[i].ID == f.Device.ID {
			there = &list[i]
		}
	}
	switch {
	case f.What == "forgotten" && there != nil:
		return errors.New("the device is still there")
	case f.What == "forgotten" || said(rest, "forgotten"):
		return nil
	case there == nil:
		return errors.New("the device is not there")
	case there.Token != f.Device.Token && !said(rest, "used"):
		return errors.New("the device has another token")
	case f.What == "used" && len(there.Issued) == 0:
		return errors.New("the token that was given out is not there")
	}
	return nil
}

// devices checks that a browser is remembered only where its challenge was
// passed.
func (h *half) devices(all map[string]*account.Device) {
	for _, d := range all {
		h.found["devices"]++
		if c := h.challenges[d.UserAgent]; c == nil || c.State != account.ChallengePassed {
			h.t.Errorf("a browser is remembered whose challenge is %+v", c)
		}
	}
}
