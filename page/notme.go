package page

import "fmt"

// NotMePage is opened from a notice by mail, without a session, by somebody who
// did not do what it tells of.
type NotMePage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty.
	User string
	// Post ends every session and device of the account; nil with Done or Expired.
	Post *Post
	// Done says that it was done, and Suspended that the account was closed too.
	Done, Suspended bool
	// Expired says that the link of the mail is too old or was used before.
	Expired bool
	// Ways are at most two links or buttons, the likeliest first.
	Ways []Way
}

type notMeView struct {
	insideView
	Lines [][]part
	Form  *postView
	Ways  []wayView
}

// NotMe renders the page that is opened from a notice.
func (s *Set) NotMe(l Lang, p NotMePage) ([]byte, error) {
	if len(p.Ways) > maxWays {
		return nil, fmt.Errorf("page: not me: %d ways on, at most %d fit", len(p.Ways), maxWays)
	}
	sp, site := s.inside(l), given("site", s.siteOr(p.Host))
	var to target
	v := notMeView{}
	v.Who = sp.who(site, p.User)
	switch {
	case p.Expired:
		v.Alert = &alertView{Title: sp.say("not_me.expired"), Lines: [][]part{sp.say("not_me.expired.text", site)}}
		v.Heading = sp.say("not_me.title")
	case p.Done:
		v.Heading, v.Status = sp.say("not_me.done.title"), sp.say("not_me.done", site)
		v.Lines = [][]part{sp.say("not_me.done.remedy", site)}
		if p.Suspended {
			v.Lines = [][]part{sp.say("not_me.suspended", site)}
		}
	default:
		v.Heading, v.Status = sp.say("not_me.title"), sp.say("not_me.text", site)
		v.Form = to.post("post", p.Post)
	}
	for i, w := range p.Ways {
		v.Ways = append(v.Ways, w.view(sp, &to, i == 0 && v.Form == nil))
	}
	return s.renderInside(pageNotMe, sp, &to, p.Host, &v.insideView, &v)
}
