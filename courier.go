package twofactor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/mail"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

const (
	// noticesAtOnce is how many notices are taken out of the outbox at once, and
	// mailsAtOnce how many of them are at the mail server at the same time.
	noticesAtOnce = 16
	mailsAtOnce   = 4
	// noticeLease is how long another node leaves them to this one: longer than
	// all of them can take, or a mail would go out twice.
	noticeLease = (noticesAtOnce/mailsAtOnce + 1) * noticeTimeout
	// noticePause is how long it takes until the outbox is looked at again.
	noticePause = time.Second
	// noticeTimeout bounds the delivery of one.
	noticeTimeout = 30 * time.Second
	// firstRetry is when a notice is tried again, doubled each time up to
	// lastRetry.
	firstRetry = 30 * time.Second
	lastRetry  = time.Hour
)

// courier takes notices out of the store's outbox and delivers them, behind all
// requests.
type courier struct {
	parts  *handler.Parts
	mailer mail.Sender
	texter sms.Sender
	// pages returns the pages of an instance; nil if the config has none.
	pages  func(instance string) *page.Set
	events handler.Recorder
	logger *zap.Logger
	clock  func() time.Time
	told   *toldUsers

	// blind says that the outbox could not be read the last time: it is told once.
	blind bool

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// start begins to deliver.
func (c *courier) start() {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.done.Go(func() { c.run(ctx) })
}

// stop ends that. A mail that is on its way is given up, and whoever comes next
// tries it again; a text that is on its way is waited for, as nobody may send it
// twice.
func (c *courier) stop() {
	if c.cancel != nil {
		c.cancel()
		c.done.Wait()
	}
}

func (c *courier) run(ctx context.Context) {
	ticker := time.NewTicker(noticePause)
	defer ticker.Stop()
	for {
		for c.round(ctx) == noticesAtOnce && ctx.Err() == nil {
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// round delivers what is due, and returns how much that was. Texts do not wait for
// mails: a mail server that hangs must not hold up what an old number is told.
func (c *courier) round(ctx context.Context) int {
	list, err := c.parts.Store.TakeNotices(ctx, noticesAtOnce, noticeLease, c.clock())
	if err != nil {
		if ctx.Err() == nil && !c.blind {
			c.blind = true
			c.events.Record(handler.Event{Kind: handler.StoreFailed, Result: handler.Done})
			c.logger.Error("the outbox of notices cannot be read: users are not told what happens to their accounts", zap.Error(err))
		}
		return 0
	}
	c.blind = false
	var wait sync.WaitGroup
	slots := make(chan struct{}, mailsAtOnce)
	for i := range list {
		n := &list[i]
		wait.Go(func() {
			if n.Channel == account.ByMail {
				slots <- struct{}{}
				defer func() { <-slots }()
			}
			if ctx.Err() != nil {
				c.giveBack(ctx, n)
				return
			}
			c.deliver(ctx, n)
		})
	}
	wait.Wait()
	return len(list)
}

// giveBack leaves a notice that was not begun, or a mail that was given up, to
// whoever comes next, at once.
func (c *courier) giveBack(ctx context.Context, n *account.Notice) {
	if n.Channel == account.ByMail {
		c.settle(ctx, n, c.clock())
		return
	}
	// It went from the store when it was taken out.
	again := *n
	again.Tries, again.Due = 0, n.Created
	if err := c.parts.Store.PutNotices(context.WithoutCancel(ctx), []account.Notice{again}); err != nil {
		c.logger.Error("a text to a user is lost", zap.String("account", n.Account), zap.Error(err))
	}
}

// deliver delivers one notice and settles it.
func (c *courier) deliver(ctx context.Context, n *account.Notice) {
	text, err := handler.OpenNotice(c.parts.Ring, n, c.clock())
	what := string(text.Kind)
	switch {
	case err != nil:
		what = "one that does not open"
	case text.Kind == handler.NoticeCodeFailed && !c.told.begin(n, c.clock()):
		c.settle(ctx, n, time.Time{})
		return
	default:
		err = c.send(ctx, n, &text)
	}
	if err != nil && text.Kind == handler.NoticeCodeFailed {
		c.told.undo(n)
	}
	if err != nil && ctx.Err() != nil && n.Channel == account.ByMail {
		c.giveBack(ctx, n)
		return
	}
	e := handler.Event{
		Time: c.clock(), Instance: n.Instance, Kind: handler.NoticeSent, Result: handler.SendTaken, Account: n.Account, User: text.User,
		Factor: text.Factor, Detail: what + " by " + string(n.Channel),
	}
	again := time.Time{}
	switch {
	case err == nil:
	case n.Channel == account.ByText || errors.Is(err, mail.ErrRefused):
		e.Result = handler.SendFailed
	default:
		e.Result = handler.SendUnknown
		again = c.clock().Add(min(firstRetry<<min(n.Tries-1, 10), lastRetry))
		if !again.Before(n.Expires) {
			again, e.Result = time.Time{}, handler.SendFailed
		}
	}
	c.events.Record(e)
	if err != nil {
		c.logger.Warn("a user was not told", zap.String("instance", n.Instance), zap.String("account", n.Account),
			zap.String("what", what), zap.String("by", string(n.Channel)), zap.Time("again", again), zap.Error(err))
	}
	c.settle(ctx, n, again)
}

func (c *courier) settle(ctx context.Context, n *account.Notice, again time.Time) {
	if err := c.parts.Store.SettleNotice(context.WithoutCancel(ctx), n.ID, again); err != nil {
		c.logger.Error("a notice could not be settled; it may be delivered twice", zap.String("account", n.Account), zap.Error(err))
	}
}

func (c *courier) send(ctx context.Context, n *account.Notice, t *handler.NoticeText) error {
	pages := c.pages(n.Instance)
	if pages == nil {
		return fmt.Errorf("the config has no instance %q: its pages cannot be made", n.Instance)
	}
	if n.Channel == account.ByText {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, noticeTimeout)
	defer cancel()
	lang := pages.Language(t.Lang) // The nearest that there is.
	what := mailPage(pages, lang, t)
	if n.Channel == account.ByText {
		return c.text(ctx, pages.Notice(lang, what), n, t)
	}
	if c.mailer == nil {
		return errors.New("the config has no mail server")
	}
	made, err := pages.Mail(lang, what)
	if err != nil {
		return err
	}
	return c.mailer.Send(ctx, mail.Message{To: t.Mail, Subject: made.Subject, Text: made.Text, HTML: made.HTML, ID: n.ID, Lang: string(lang)})
}

func (c *courier) text(ctx context.Context, text string, n *account.Notice, t *handler.NoticeText) error {
	switch {
	case text == "":
		return errors.New("there is no text of this kind")
	case c.texter == nil:
		return errors.New("the config has no sms sender")
	}
	_, err := c.texter.Send(ctx, sms.Message{To: t.Number, Text: text, ID: n.ID})
	return err
}

// mailPage is what a notice says, as the pages have it.
func mailPage(pages *page.Set, lang page.Lang, t *handler.NoticeText) page.MailPage {
	p := page.MailPage{
		Kind: page.MailKind(t.Kind), Site: cmp.Or(pages.SiteName(), t.Host), User: t.User, When: t.When, Place: pages.Country(lang, t.Country), IP: t.IP, Browser: t.Browser,
		Label: t.Label, Ending: t.Ending, Left: t.Left, Until: t.Until, Code: t.Code, Link: t.NotMe,
	}
	if t.System != "" && t.Browser != "" {
		p.Browser = t.Browser + ", " + t.System
	}
	switch t.Kind {
	case handler.NoticeConfirm, handler.NoticeInvite, handler.NoticeDemand:
		p.Link = t.Link
	case handler.NoticeNotMe:
		p.Link = ""
	}
	switch t.Factor {
	case account.KindTOTP:
		p.Factor = page.Authenticator
	case account.KindPhone:
		p.Factor = page.TextMessage
	case account.KindRecovery:
		p.Factor = page.RecoveryCode
	}
	return p
}
