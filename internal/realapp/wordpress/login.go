package wordpress

import (
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
)

// FillLogin types a user name and a password into the login form in the tab,
// and leaves the click on #wp-submit to the caller. A fifth of a second after
// the form has come, its own script takes the focus and empties a field, so
// whoever types faster than a person loses the password: this waits until the
// script is done.
func (s *Site) FillLogin(p *browser.Page, user, password string) {
	p.WaitFor("#user_login")
	// With scripts off nothing takes the focus, and nothing is lost.
	const limit = 2 * time.Second
	for deadline := time.Now().Add(limit); p.Focused() == "" && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	p.Fill("#user_login", user)
	p.Fill("#user_pass", password)
}
