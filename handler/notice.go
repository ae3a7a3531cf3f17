package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Every change of a factor is told to the user outside the browser (rule 16). A
// notice is put into the store's outbox in the step that makes the change, and
// goes out behind the request.

// NoticeKind is what a notice tells.
type NoticeKind string

// What a notice can tell. None of them says a secret but NoticeConfirm and
// NoticeInvite, whose code is what they are for.
const (
	NoticeAdded         NoticeKind = "factor_added"
	NoticeRemoved       NoticeKind = "factor_removed"
	NoticeNumberChanged NoticeKind = "number_changed"
	NoticeRecoveryMade  NoticeKind = "recovery_made"
	NoticeRecoveryUsed  NoticeKind = "recovery_used"
	NoticeReset         NoticeKind = "factor_reset"
	NoticeOff           NoticeKind = "switched_off"
	NoticeCodeFailed    NoticeKind = "code_failed"
	NoticeStolen        NoticeKind = "device_stolen"
	NoticeNotMe         NoticeKind = "not_me"
	NoticeDemand        NoticeKind = "demand"
	NoticeOwnerNumber   NoticeKind = "owner_set_number"
	NoticeConfirm       NoticeKind = "confirm"
	NoticeInvite        NoticeKind = "invite"
)

// NoticeText is what a notice says, and to whom.
type NoticeText struct {
	Kind NoticeKind `json:"kind"`
	// Mail or Number, in E.164 form, is to whom.
	Mail   string `json:"mail,omitempty"`
	Number string `json:"number,omitempty"`
	// Lang is the language, Host what the site is called, User the name.
	Lang string `json:"lang,omitempty"`
	Host string `json:"host,omitempty"`
	User string `json:"user,omitempty"`
	// When, IP, Country (ISO 3166-1), Browser and System are of what happened; but
	// for When they can be empty.
	When    time.Time `json:"when"`
	IP      string    `json:"ip,omitempty"`
	Country string    `json:"country,omitempty"`
	Browser string    `json:"browser,omitempty"`
	System  string    `json:"system,omitempty"`
	// Factor, Label and Ending are of the factor, OldEnding of the number that it
	// took the place of.
	Factor    account.Kind `json:"factor,omitempty"`
	Label     string       `json:"label,omitempty"`
	Ending    string       `json:"ending,omitempty"`
	OldEnding string       `json:"old_ending,omitempty"`
	// Left is how many recovery codes are left.
	Left int `json:"left,omitempty"`
	// Until is when a code ends, or a demand begins.
	Until time.Time `json:"until,omitzero"`
	// Code and Link are what a confirmation or an invitation is for.
	Code string `json:"code,omitempty"`
	Link string `json:"link,omitempty"`
	// NotMe is the address of 'this was not me'; empty if it is not known.
	NotMe string `json:"not_me,omitempty"`
}

// maxNoticeLink is the largest length of a link in a mail.
const maxNoticeLink = 500

// notice is one to be put into the outbox.
type notice struct {
	NoticeText
	id  string
	due time.Time
}

// of adds the factor that a notice is of.
func (n notice) of(f *account.Factor) notice {
	n.Factor, n.Label, n.Ending = f.Kind, f.Label, f.Hint
	return n
}

// byText is the same as a text to a phone.
func (n notice) byText(number string) notice {
	n.Mail, n.Number = "", number
	return n
}

// noticeTo is a notice to the user of an account of what this request does.
func (v *visit) noticeTo(kind NoticeKind, acc *account.Account, user string) notice {
	where := v.client()
	agent := v.g.Agents.read(where.userAgent)
	n := notice{NoticeText: NoticeText{
		Kind: kind, Mail: acc.Mail, Lang: acc.Language, Host: v.siteName(), User: user, When: v.now,
		IP: where.ip, Country: v.g.placeOf(addressIn(where.ip)).Country, Browser: agent.Browser, System: agent.System,
	}}
	if n.Lang == "" {
		n.Lang = string(v.language())
	}
	if link := v.notMeLink(acc.ID); len(link) <= maxNoticeLink {
		n.NotMe = link
	}
	return n
}

func (p *person) notice(kind NoticeKind) notice { return p.noticeTo(kind, &p.acc, p.acc.Name) }

// noticesFor seals notices to the user of an account for the outbox. Those for which there is no address or
// no sender are left out.
func (v *visit) noticesFor(acc string, list ...notice) ([]account.Notice, error) {
	var out []account.Notice
	for _, n := range list {
		if n.Number == "" && (n.Mail == "" || !v.parts.Mails) || n.Number != "" && !v.parts.Challenges.CanSend() {
			continue
		}
		sealed, err := SealNotice(v.parts.Ring, v.g.Rand, v.g.Instance, acc, n.NoticeText, n.id, v.g.Clock())
		if err != nil {
			return nil, err
		}
		if !n.due.IsZero() {
			sealed.Due = n.due
		}
		out = append(out, sealed)
	}
	return out, nil
}

// purposeNotice is the purpose of the key that notices are sealed with.
const purposeNotice seal.Purpose = "notice"

// SealNotice makes a notice for the outbox. An id that is empty is drawn.
func SealNotice(ring *seal.Ring, random io.Reader, instance, acc string, t NoticeText, id string, now time.Time) (account.Notice, error) {
	if id == "" {
		var err error
		if id, err = challenge.NewID(random); err != nil {
			return account.Notice{}, err
		}
	}
	plain, err := json.Marshal(t)
	if err != nil {
		return account.Notice{}, fmt.Errorf("seal a notice: %w", err)
	}
	n := account.Notice{ID: id, Instance: instance, Account: acc, Channel: account.ByMail, Due: now, Created: now, Expires: now.Add(account.NoticeFor)}
	if t.Number != "" {
		n.Channel = account.ByText
	}
	if t.Kind == NoticeConfirm && t.Until.Before(n.Expires) {
		n.Expires = t.Until
	}
	n.Sealed = ring.Seal(purposeNotice, noticeBinding(&n), plain, now)
	return n, nil
}

// OpenNotice opens what SealNotice has sealed.
func OpenNotice(ring *seal.Ring, n *account.Notice, now time.Time) (NoticeText, error) {
	var t NoticeText
	plain, err := ring.Open(purposeNotice, noticeBinding(n), n.Sealed, now)
	if err != nil {
		return t, fmt.Errorf("open a notice (is its key still in the configuration?): %w", err)
	}
	if err := json.Unmarshal(plain, &t); err != nil {
		return t, fmt.Errorf("open a notice: %w", err)
	}
	return t, nil
}

func noticeBinding(n *account.Notice) []byte {
	return []byte(n.Instance + "\x00" + n.Account + "\x00" + n.ID)
}

// tell puts notices into the outbox that belong to no change of an account.
func (v *visit) tell(ctx context.Context, acc string, list ...notice) {
	notices, err := v.noticesFor(acc, list...)
	if err == nil && len(notices) > 0 {
		err = v.parts.Store.PutNotices(ctx, notices)
	}
	if err != nil {
		v.storeFailed()
		v.g.Logger.Error("a user could not be told", zap.String("account", acc), zap.Error(err))
	}
}

// siteName is what notices call the site: never a host that a client made up, for
// mail programs make a link of it. Where the config names none, it is the name of
// the instance.
func (v *visit) siteName() string {
	if host := v.knownHost(); host != "" {
		return host
	}
	return v.g.SiteName()
}

// SiteName is the first host that the config names for the instance, or else the
// instance's name.
func (g *Gate) SiteName() string {
	if hosts := g.hosts.Load(); hosts != nil {
		for _, host := range *hosts {
			if !strings.Contains(host, "*") {
				return host
			}
		}
	}
	return g.Instance
}

// siteOrigin is the address of the site for links in mails, only of a host that the
// operator's config names: what a client made up would lead users elsewhere.
func (v *visit) siteOrigin() string {
	host := v.knownHost()
	if host == "" {
		return ""
	}
	scheme := "https"
	if !v.secure() {
		scheme = "http"
	}
	if strings.Contains(host, ":") {
		host = "[" + strings.Trim(host, "[]") + "]"
	}
	// The port counts only if it is where the request has arrived.
	if _, port, err := net.SplitHostPort(v.r.Host); err == nil && port == v.localPort() {
		host += ":" + port
	}
	return scheme + "://" + host
}

func (v *visit) localPort() string {
	at, ok := v.r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return ""
	}
	_, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return ""
	}
	return port
}

// link is a link to one of our pages for a mail; empty if the site's address is
// not certain.
func (v *visit) link(name string, query ...string) string {
	origin := v.siteOrigin()
	if origin == "" {
		return ""
	}
	q := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	return origin + v.g.Prefix + name + "?" + q.Encode()
}

// failedNotice tells of a right password with wrong codes, once the challenge is
// over: whoever gets a code right in the end is not told.
func (v *visit) failedNotice(ch *account.Challenge, acc *account.Account) *account.Notice {
	n := v.noticeTo(NoticeCodeFailed, acc, acc.Name)
	n.id, n.due = store.FailedNotice(ch.ID), ch.Expires
	list, err := v.noticesFor(acc.ID, n)
	if err != nil || len(list) == 0 {
		return nil
	}
	return &list[0]
}

// usedNotice tells of a recovery code that is used; none of other factors.
func (v *visit) usedNotice(acc *account.Account, factor string) []account.Notice {
	f, ok := acc.Factor(factor)
	if !ok || f.Kind != account.KindRecovery || f.Recovery == nil {
		return nil
	}
	n := v.noticeTo(NoticeRecoveryUsed, acc, acc.Name).of(f)
	n.Left = len(f.Recovery.Hashes) - 1
	list, err := v.noticesFor(acc.ID, n)
	if err != nil {
		v.g.Logger.Error("a user could not be told of a recovery code", zap.String("account", acc.ID), zap.Error(err))
	}
	return list
}
