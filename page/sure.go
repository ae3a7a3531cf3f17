package page

import (
	"errors"
	"fmt"
)

// SureKind is what the person is asked about once more.
type SureKind int

const (
	// SureRemoveApp: to remove an authenticator.
	SureRemoveApp SureKind = iota + 1
	// SureRemovePhone: to remove a phone.
	SureRemovePhone
	// SureOff: to switch the second factor off.
	SureOff
	// SureEndSession: to end one session.
	SureEndSession
	// SureEndAll: to end all sessions and forget all devices.
	SureEndAll
	// SureForget: to forget one device.
	SureForget
	// SureRecovery: to make new recovery codes.
	SureRecovery
	// SureNotMe: to say that it was somebody else.
	SureNotMe
	// SureDemand: to ask a second factor of the whole account.
	SureDemand
)

// SurePage asks once more before something is done, and says what will happen.
type SurePage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty.
	User string
	// What is what is going to happen.
	What SureKind
	// Name names what it happens to: the label of an authenticator, the ending of a
	// number, the place and browser of a session or device, the name of an account.
	// It may be empty.
	Name string
	// Post does it.
	Post Post
	// Back is the address to go back to, fetched by GET (required).
	Back string
	// Last says that it is the last factor that is removed.
	Last bool
}

// sureKeys names the texts of each kind.
var sureKeys = map[SureKind]string{
	SureRemoveApp:   "remove_app",
	SureRemovePhone: "remove_phone",
	SureOff:         "off",
	SureEndSession:  "end_session",
	SureEndAll:      "end_all",
	SureForget:      "forget",
	SureRecovery:    "recovery",
	SureNotMe:       "not_me",
	SureDemand:      "demand",
}

type sureView struct {
	insideView
	Name  []part
	Lines [][]part
	Form  *postView
	Do    []part
}

// Sure renders the page that asks once more.
func (s *Set) Sure(l Lang, p SurePage) ([]byte, error) {
	name, ok := sureKeys[p.What]
	if !ok {
		return nil, fmt.Errorf("page: sure: %d is nothing to ask about", p.What)
	}
	if p.Back == "" {
		return nil, errors.New("page: sure: back is required")
	}
	sp, site := s.inside(l), given("site", s.siteOr(p.Host))
	var to target
	key := "sure." + name
	v := sureView{
		Form:  to.post("post", &p.Post),
		Do:    sp.say(key + ".do"),
		Lines: [][]part{sp.say(key+".text", site)},
	}
	if tidy(p.Name) != "" {
		v.Name = []part{{Text: tidy(p.Name), Given: true}}
	}
	if p.Last {
		v.Lines = append(v.Lines, sp.say("sure.last", site))
	}
	v.Heading = sp.say(key + ".title")
	v.Who = sp.who(site, p.User)
	v.Back = to.local("href", "back", p.Back)
	return s.renderInside(pageSure, sp, &to, p.Host, &v.insideView, &v)
}
