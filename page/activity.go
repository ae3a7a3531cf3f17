package page

import (
	"html/template"
	"strconv"
	"time"
)

// SessionRow is one session of the user.
type SessionRow struct {
	// Current says that it is the one that the page is shown in.
	Current bool
	// Country (ISO 3166-1, "SE"), IP and Browser are where it was last seen. Each
	// may be empty.
	Country, IP, Browser string
	// Since is when it began, Seen when it was last seen; zero: not said.
	Since, Seen time.Time
	// Factor is what it was confirmed with; 0: by none.
	Factor Factor
	// End ends it; nil: no button.
	End *Post
}

// DeviceRow is one remembered browser of the user.
type DeviceRow struct {
	// Current says that it is the one that the page is shown in.
	Current bool
	// Country (ISO 3166-1, "SE"), IP and Browser are where it was last seen. Each
	// may be empty.
	Country, IP, Browser string
	// Since is when it was remembered, Seen when it was last seen, Until when it is
	// forgotten by itself; zero: not said.
	Since, Seen, Until time.Time
	// Forget forgets it; nil: no button.
	Forget *Post
}

// ActivityPage shows where the user is signed in and which browsers are
// remembered.
type ActivityPage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty.
	User string
	// Done is the change that the page tells of.
	Done SettingsDone
	// Sessions and Devices are shown in their order, at most MaxSessions and MaxDevices:
	// so the current one comes first. Of more the page says how many.
	Sessions []SessionRow
	Devices  []DeviceRow
	// EndAll ends all other sessions and forgets all devices; nil: no button.
	EndAll *Post
	// NotMe is the address of the page for what somebody else did. Empty: no link.
	NotMe string
	// Back is the address to go back to, fetched by GET. Empty: no link.
	Back string
}

// The numbers of rows that the lists show.
const (
	MaxSessions = 4
	MaxDevices  = 3
)

type activityView struct {
	insideView
	Sessions []rowView
	// More and MoreDevices say how many rows are not shown.
	More, MoreDevices []part
	Devices           []rowView
	EndAll            *postView
	NotMe             template.HTMLAttr
}

// rowView is one session or one device.
type rowView struct {
	ID string
	// Current says that it is the browser of this page.
	Current []part
	Name    []part
	Lines   [][]part
	End     *postView
}

// Activity renders the page with sessions and devices.
func (s *Set) Activity(l Lang, p ActivityPage) ([]byte, error) {
	sp, site := s.inside(l), given("site", s.siteOr(p.Host))
	var to target
	v := activityView{
		EndAll: to.post("end all", p.EndAll),
		NotMe:  to.local("href", "not me", p.NotMe),
	}
	for i, row := range p.Sessions[:min(len(p.Sessions), MaxSessions)] {
		v.Sessions = append(v.Sessions, row.view(sp, &to, "session-"+strconv.Itoa(i)))
	}
	for i, row := range p.Devices[:min(len(p.Devices), MaxDevices)] {
		v.Devices = append(v.Devices, row.view(sp, &to, "device-"+strconv.Itoa(i)))
	}
	if more := len(p.Sessions) - MaxSessions; more > 0 {
		v.More = sp.say("activity.more", count(more))
	}
	if more := len(p.Devices) - MaxDevices; more > 0 {
		v.MoreDevices = sp.say("activity.more", count(more))
	}
	v.Heading = sp.say("activity.title")
	v.Who = sp.who(site, p.User)
	v.Status = sp.say("activity.status")
	if key, ok := doneKeys[p.Done]; ok {
		v.Status = sp.say(key)
	}
	v.Back = to.local("href", "back", p.Back)
	return s.renderInside(pageActivity, sp, &to, p.Host, &v.insideView, &v)
}

func (r SessionRow) view(sp *speaker, to *target, id string) rowView {
	v := newRow(sp, id, r.Browser, r.Current)
	v.End = to.post("end", r.End)
	confirmed := map[Factor]string{
		0:             "activity.confirmed.none",
		Authenticator: "activity.confirmed.authenticator",
		TextMessage:   "activity.confirmed.phone",
		RecoveryCode:  "activity.confirmed.recovery",
	}[r.Factor]
	v.add(place(sp, r.Country, r.IP), sp.dated("activity.seen", r.Seen), sp.dated("activity.since", r.Since), sp.say(confirmed))
	return v
}

func (r DeviceRow) view(sp *speaker, to *target, id string) rowView {
	v := newRow(sp, id, r.Browser, r.Current)
	v.End = to.post("forget", r.Forget)
	v.add(place(sp, r.Country, r.IP), sp.dated("activity.seen", r.Seen), sp.dated("activity.since", r.Since), sp.dated("activity.until", r.Until))
	return v
}

// add keeps the lines that say something.
func (v *rowView) add(lines ...[]part) {
	for _, line := range lines {
		if len(line) > 0 {
			v.Lines = append(v.Lines, line)
		}
	}
}

// newRow is a row with the name of the browser.
func newRow(sp *speaker, id, browser string, current bool) rowView {
	v := rowView{ID: id, Name: sp.say("activity.browser.unknown")}
	if browser = tidyTo(browser, maxRow); browser != "" {
		v.Name = []part{{Text: browser, Given: true}}
	}
	if current {
		v.Current = sp.say("activity.current")
	}
	return v
}

// place says where a browser was seen; nothing where that is not known.
func place(sp *speaker, country, ip string) []part {
	place, ip := sp.country(country), tidyTo(ip, maxRow)
	switch {
	case place != "" && ip != "":
		return sp.say("activity.place.ip", given("place", place), given("ip", ip))
	case place == "" && ip == "":
		return nil
	}
	return []part{{Text: place + ip, Given: true}}
}
