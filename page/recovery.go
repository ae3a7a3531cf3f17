package page

import (
	"errors"
	"html/template"
	"net/url"
	"strings"
	"time"
)

// RecoveryPage shows new recovery codes, once.
type RecoveryPage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty.
	User string
	// Codes are the codes as they are to be typed, "ABCD-EFGH-JKLM-NPQR".
	Codes []string
	// When is when they were made.
	When time.Time
	// Continue goes on to where the person was going; nil: Done is shown.
	Continue *Post
	// Done is the address to go on to, fetched by GET, where Continue is nil.
	Done string
	// First says that they came with the first factor, which counts now; otherwise
	// they replace older ones.
	First bool
}

type recoveryView struct {
	insideView
	Once     []part
	Codes    []string
	Made     []part
	Save     template.HTMLAttr
	Continue *postView
	Done     template.HTMLAttr
}

// Recovery renders the page with new recovery codes. The link that saves them is a
// data address, so that neither a script nor a second answer with them is needed.
func (s *Set) Recovery(l Lang, p RecoveryPage) ([]byte, error) {
	if len(p.Codes) == 0 {
		return nil, errors.New("page: recovery: no codes to show")
	}
	if p.Continue == nil && p.Done == "" {
		return nil, errors.New("page: recovery: continue or done is required")
	}
	sp, site := s.inside(l), given("site", s.siteOr(p.Host))
	var to target
	v := recoveryView{
		Once:     sp.say("recovery.once"),
		Codes:    p.Codes,
		Made:     sp.say("recovery.made", site, sp.date(p.When)),
		Continue: to.post("continue", p.Continue),
	}
	if p.Continue == nil {
		v.Done = to.local("href", "done", p.Done)
	}
	v.Heading = sp.say("recovery.title")
	v.Who = sp.who(site, p.User)
	v.Status = sp.say("recovery.new")
	if p.First {
		v.Status = sp.say("recovery.first")
	}
	file := sp.join(v.Made) + "\r\n\r\n" + strings.Join(p.Codes, "\r\n") + "\r\n"
	v.Save = attribute("href", "data:text/plain;charset=utf-8,"+url.PathEscape(file))
	return s.renderInside(pageRecovery, sp, &to, p.Host, &v.insideView, &v)
}
