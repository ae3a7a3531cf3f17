package page

import (
	"html/template"
	"time"
)

// Demand says how far a second factor is asked of the user.
type Demand int

const (
	// DemandNone: nothing is asked; the person came from the settings.
	DemandNone Demand = iota
	// DemandOffered: it is offered at sign-in, and may be put off.
	DemandOffered
	// DemandFrom: it is required from a time on, and announced until then.
	DemandFrom
	// DemandNow: it is required; there is no way past.
	DemandNow
)

// EnrolPage offers to set up a second factor: an authenticator first, then a
// phone with what an SMS cannot protect from [NIST SP 800-63B 3.1.3.3].
type EnrolPage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty.
	User string
	// Demand says why the page is shown.
	Demand Demand
	// By is from when on it is required (DemandFrom), or until when it may be put
	// off (DemandOffered). Zero: not said.
	By time.Time
	// App and Phone are the addresses that begin each, fetched by GET. Empty: it is
	// not to be had. If both are empty, the page says who can help.
	App, Phone string
	// Proposed asks for a code to the number, ending in Ending, that the owner of
	// the account has entered for the user; nil: there is none.
	Proposed *Post
	Ending   string
	// NotNow puts it off; nil: there is no way past.
	NotNow *Post
	// Cancel ends the sign-in; nil: no button.
	Cancel *Post
	// Back is the address of the settings, fetched by GET. Empty: no link.
	Back string
}

type enrolView struct {
	insideView
	Text       []part
	Later      []part
	App, Phone template.HTMLAttr
	// None is shown where there is nothing to set up.
	None   []part
	Second *postView
	// Proposed is the button for a number that was entered for the user, and
	// ProposedHint says which.
	Proposed     *postView
	ProposedHint []part
}

// Enrol renders the page that offers to set up a second factor.
func (s *Set) Enrol(l Lang, p EnrolPage) ([]byte, error) {
	sp, site := s.inside(l), given("site", s.siteOr(p.Host))
	var to target
	v := enrolView{
		Text:   sp.say("enrol.text", site),
		App:    to.local("href", "app", p.App),
		Phone:  to.local("href", "phone", p.Phone),
		Second: to.post("not now", p.NotNow),
	}
	if v.Proposed = to.post("proposed", p.Proposed); p.Proposed != nil {
		v.ProposedHint = sp.say("factor.phone.hint", given("ending", p.Ending))
	}
	v.Heading, v.Status = p.why(sp, site)
	v.Who = sp.who(site, p.User)
	v.Back = to.local("href", "back", p.Back)
	v.Cancel = to.post("cancel", p.Cancel)
	if p.App == "" && p.Phone == "" && p.Proposed == nil {
		v.None = sp.say("enrol.none", site)
	}
	if p.NotNow != nil {
		v.Later = sp.say("enrol.later")
		if until := sp.dated("enrol.later.until", p.By); until != nil {
			v.Later = until
		}
	}
	return s.renderInside(pageEnrol, sp, &to, p.Host, &v.insideView, &v)
}

// why is the heading and the status: what is asked of the user.
func (p EnrolPage) why(sp *speaker, site arg) (heading, status []part) {
	switch p.Demand {
	case DemandNow:
		return sp.say("enrol.title.now"), sp.say("enrol.now", site)
	case DemandFrom:
		return sp.say("enrol.title.from"), sp.dated("enrol.from", p.By, site)
	case DemandOffered:
		return sp.say("enrol.title.offered"), sp.say("enrol.offered", site)
	}
	return sp.say("enrol.title"), sp.say("enrol.status")
}
