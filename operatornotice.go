package twofactor

import (
	"cmp"
	"context"
	"fmt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// maxTold is how many notices one step puts into the outbox.
const maxTold = 256

// noticesOf are those that tell a user of an act: none where no mail server is
// configured, or the user has no address.
func (o *operator) noticesOf(acc *account.Account, t handler.NoticeText) ([]account.Notice, error) {
	if acc.Mail == "" || !o.parts.Mails {
		return nil, nil
	}
	t.Mail, t.Lang, t.User, t.When, t.Host = acc.Mail, acc.Language, acc.Name, o.now, o.instance
	if o.gate != nil {
		t.Host = cmp.Or(o.gate.SiteName(), t.Host)
	}
	n, err := handler.SealNotice(o.parts.Ring, o.random, o.instance, acc.ID, t, "", o.now)
	if err != nil {
		return nil, fmt.Errorf("telling %s: %w", clip(acc.Name), err)
	}
	return []account.Notice{n}, nil
}

// announce tells users of a demand, as far as they have an address, and returns
// how many it tells.
func (o *operator) announce(ctx context.Context, users []account.Account, d account.Demand) (told int, err error) {
	var waiting []account.Notice
	put := func() error {
		if len(waiting) == 0 {
			return nil
		}
		if err := o.parts.Store.PutNotices(ctx, waiting); err != nil {
			return fmt.Errorf("it is demanded, but not all users could be told (after %d): %w", told, err)
		}
		told, waiting = told+len(waiting), nil
		return nil
	}
	for i := range users {
		list, err := o.noticesOf(&users[i], handler.NoticeText{Kind: handler.NoticeDemand, Until: d.From})
		if err != nil {
			return told, err
		}
		if waiting = append(waiting, list...); len(waiting) < maxTold {
			continue
		}
		if err := put(); err != nil {
			return told, err
		}
	}
	return told, put()
}
