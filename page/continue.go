package page

// ContinuePage goes on to another origin: a browser enforces form-action on
// redirects too, so the release of such an answer is a page of status 200.
type ContinuePage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// URL is where to go on, an absolute http or https address without a user
	// name in it. It reaches the browser as it is given.
	URL string
}

type continueView struct {
	frameView
	Heading []part
	Text    []part
	Link    []part
	To      any
}

// Continue renders the page that goes on by itself and has a link as well. An
// address that is none to go on to is ErrAddress.
func (s *Set) Continue(l Lang, p ContinuePage) ([]byte, error) {
	address, host, err := foreignURL(p.URL)
	if err != nil {
		return nil, err
	}
	sp := s.speak(l)
	destination := given("host", host)
	v := continueView{
		frameView: s.frame(sp, p.Host, sp.plain("continue.title"), false),
		Heading:   sp.say("continue.title"),
		Text:      sp.say("continue.text", destination),
		Link:      sp.say("continue.link", destination),
		To:        attribute("href", address),
	}
	v.Refresh = attribute("content", "0;url="+address)
	return s.render(pageContinue, sp, v)
}
