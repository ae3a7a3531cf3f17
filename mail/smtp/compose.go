package smtp

import (
	"net/mail"
	"strings"

	form "github.com/wneessen/go-mail"

	contract "github.com/caddy-twofactor/caddy-twofactor/mail"
)

// compose writes the mail: both texts in one multipart/alternative, in lines of
// at most 76 characters of ASCII, so that no server on the way has to change it.
func (s *Sender) compose(to string, m contract.Message) *form.Msg {
	msg := form.NewMsg(form.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	msg.ToMailAddress(&mail.Address{Address: to})
	if s.replyTo != nil {
		msg.ReplyToMailAddress(s.replyTo)
	}
	// What looks like an encoded word would be decoded by the reader's program,
	// line breaks in it too (RFC 2047, 5).
	msg.Subject(strings.ReplaceAll(m.Subject, "=?", "= ?"))
	msg.SetDateWithValue(s.clock().UTC())
	at := strings.LastIndexByte(s.from.Address, '@')
	msg.SetMessageIDWithValue(m.ID + s.from.Address[at:])
	// So that no program answers it with a note of absence (RFC 3834, 5).
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader(form.HeaderContentLang, m.Lang)
	msg.SetBodyString(form.TypeTextPlain, m.Text)
	msg.AddAlternativeString(form.TypeTextHTML, m.HTML)
	return msg
}
