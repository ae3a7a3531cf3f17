package handler

import (
	"cmp"
	"encoding/hex"
	"net/url"
	"strconv"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// fieldOf names a session or a device in addresses and forms: by the standing of
// the one, which never changes and opens nothing, and the id of the other.
const fieldOf = "of"

// showActivity shows where the user is signed in and which browsers are
// remembered.
func (p *person) showActivity() error {
	sessions, devices, err := p.readActivity()
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	all := p.form(pageEndAll)
	v := page.ActivityPage{
		Host: p.site(), User: p.session.User, Done: settingsDone(p.orig.Query().Get(fieldDone)),
		EndAll: &all, NotMe: p.to(pageNotMe), Back: p.g.Prefix,
	}
	for i := range sessions {
		s := &sessions[i]
		row := page.SessionRow{
			Current: s.Standing == p.session.Standing, IP: s.ClientIP, Browser: p.browserName(s.UserAgent), Country: p.country(s.ClientIP),
			Since: s.Created, Seen: s.LastSeen,
		}
		if kind, _ := s.LastFactor(); kind != "" {
			row.Factor = factorOfPage(kind)
		}
		end := p.form(pageEnd, fieldOf, hex.EncodeToString(s.Standing[:]))
		row.End = &end
		v.Sessions = append(v.Sessions, row)
	}
	here, _ := p.deviceOf(p.acc.ID)
	for i := range devices {
		d := &devices[i]
		forget := p.form(pageForget, fieldOf, hex.EncodeToString(d.ID[:]))
		v.Devices = append(v.Devices, page.DeviceRow{
			Current: d.ID == here.id, IP: d.ClientIP, Browser: p.browserName(d.UserAgent), Country: p.country(d.ClientIP),
			Since: d.Created, Seen: d.LastUsed, Until: d.Expires, Forget: &forget,
		})
	}
	return p.show(p.g.Pages.Activity(p.language(), v))
}

func (p *person) readActivity() ([]account.Session, []account.Device, error) {
	ctx := p.r.Context()
	sessions, err := p.parts.Store.SessionsOf(ctx, p.g.Instance, p.acc.ID, p.now)
	if err != nil {
		return nil, nil, err
	}
	devices, err := p.parts.Store.Devices(ctx, p.g.Instance, p.acc.ID, p.now)
	return sessions, devices, err
}

// browserName is what people call the browser: "Firefox, Windows".
func (p *person) browserName(userAgent string) string {
	a := p.g.Agents.read(userAgent)
	if a.System == "" || a.Browser == "" {
		return cmp.Or(a.Browser, a.System)
	}
	return a.Browser + ", " + a.System
}

// country is the code of the country that an address is in; empty if nobody
// knows.
func (p *person) country(ip string) string {
	c := p.g.placeOf(addressIn(ip)).Country
	if c == "ZZ" {
		return ""
	}
	return c
}

func factorOfPage(k account.Kind) page.Factor {
	switch k {
	case account.KindPhone:
		return page.TextMessage
	case account.KindRecovery:
		return page.RecoveryCode
	default:
		return page.Authenticator
	}
}

// end ends one session: that may be the one in which it is said.
func (p *person) end(form url.Values) error {
	sessions, _, err := p.readActivity()
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	for i := range sessions {
		s := &sessions[i]
		if hex.EncodeToString(s.Standing[:]) != form.Get(fieldOf) {
			continue
		}
		ctx, cancel := p.ctx()
		defer cancel()
		if err := p.parts.Store.EndSession(ctx, s.ID); err != nil {
			return p.refuse(page.StoreUnavailable, err)
		}
		p.recordSession(SessionExpired, ByUser, s)
		if s.Standing == p.session.Standing {
			p.dropOwn(p.w.Header())
			return p.redirect(cmp.Or(p.g.LoginPage, "/"))
		}
	}
	return p.redirect(p.to(pageActivity, fieldDone, doneSession))
}

// forget forgets one remembered browser.
func (p *person) forget(form url.Values) error {
	var id account.DeviceID
	if err := id.UnmarshalText([]byte(form.Get(fieldOf))); err != nil {
		return p.refuse(page.FormExpired, nil)
	}
	ctx, cancel := p.ctx()
	defer cancel()
	n, err := p.parts.Store.ForgetDevices(ctx, p.g.Instance, p.acc.ID, id)
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	if n > 0 {
		p.record(Event{Kind: TokenRevoked, Result: OfDevice, User: p.acc.Name, Account: p.acc.ID, Detail: id.String()})
	}
	return p.redirect(p.to(pageActivity, fieldDone, doneForgotten))
}

// endAll ends all other sessions and forgets all devices.
func (p *person) endAll(url.Values) error {
	ctx, cancel := p.ctx()
	defer cancel()
	done, err := p.apply(ctx, store.Change{End: store.EndOthers, Forget: true})
	if err != nil {
		return p.notApplied(err)
	}
	p.record(Event{Kind: SessionExpired, Result: ByUser, User: p.acc.Name, Account: p.acc.ID, Detail: strconv.Itoa(done.Ended) + " others"})
	return p.redirect(p.to(pageActivity, fieldDone, doneSessions))
}
