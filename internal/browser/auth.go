package browser

import (
	"context"
	"sync"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"
)

// prompts is what a person types when the browser asks for a user name and a
// password.
type prompts struct {
	mu             sync.Mutex
	on             bool
	user, password string
	count          int
	asked          map[fetch.RequestID]bool
}

// AnswerPrompts has the person type a user name and a password when the browser
// asks for those of HTTP authentication, in this tab, from now on. The browser
// keeps what was right and goes on sending it by itself, as it does for people;
// where it asks a second time for one request, the person gives up and sees the
// page of that answer. Prompts counts how often it asked.
func (p *Page) AnswerPrompts(user, password string) {
	p.t.Helper()
	p.prompts.mu.Lock()
	on := p.prompts.on
	p.prompts.on, p.prompts.user, p.prompts.password = true, user, password
	p.prompts.mu.Unlock()
	if on {
		return
	}
	// The listener lives as long as the tab.
	if err := chromedp.Listen(p.ctx, p.fetched); err != nil {
		p.fail("listen for prompts", err)
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	handle := true
	if _, err := chromedp.Call(ctx, fetch.Enable, fetch.EnableParams{HandleAuthRequests: &handle}); err != nil {
		p.fail("answer prompts", err)
	}
}

// Prompts is how often the tab has asked for a user name and a password since
// the first AnswerPrompts.
func (p *Page) Prompts() int {
	p.prompts.mu.Lock()
	defer p.prompts.mu.Unlock()
	return p.prompts.count
}

// fetched takes the events of requests that wait for us. Requests that ask for
// nothing go on as they are.
func (p *Page) fetched(ev any) {
	switch ev := ev.(type) {
	case *fetch.EventRequestPaused:
		go p.continueRequest(fetch.ContinueRequestParams{RequestID: ev.RequestID})
	case *fetch.EventAuthRequired:
		go p.continueWithAuth(fetch.ContinueWithAuthParams{RequestID: ev.RequestID, AuthChallengeResponse: p.prompts.answer(ev.RequestID)})
	}
}

// answer is what the person does about one prompt.
func (p *prompts) answer(id fetch.RequestID) *fetch.AuthChallengeResponse {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	if p.asked[id] {
		return &fetch.AuthChallengeResponse{Response: fetch.AuthChallengeResponseResponseCancelAuth}
	}
	if p.asked == nil {
		p.asked = map[fetch.RequestID]bool{}
	}
	p.asked[id] = true
	return &fetch.AuthChallengeResponse{
		Response: fetch.AuthChallengeResponseResponseProvideCredentials, Username: p.user, Password: p.password,
	}
}

// A request of a tab that has closed meanwhile needs no answer, so the errors
// of both say nothing.

func (p *Page) continueRequest(params fetch.ContinueRequestParams) {
	ctx, cancel := context.WithTimeout(p.ctx, defaultPatience)
	defer cancel()
	_, _ = chromedp.Call(ctx, fetch.ContinueRequest, params)
}

func (p *Page) continueWithAuth(params fetch.ContinueWithAuthParams) {
	ctx, cancel := context.WithTimeout(p.ctx, defaultPatience)
	defer cancel()
	_, _ = chromedp.Call(ctx, fetch.ContinueWithAuth, params)
}
