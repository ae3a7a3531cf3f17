package page

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"strings"
	"time"
)

// MailPage is one notice by mail: what happened, when, where, in which browser,
// and what to do about it.
type MailPage struct {
	// Kind is what happened.
	Kind MailKind
	// Site is the name of the site, or its host. Empty: the operator's name of
	// it; one of the two must be there.
	Site string
	// User is the user's name as the app knows it. It may be empty.
	User string
	// When is when it happened; it is shown in UTC. Zero: not said.
	When time.Time
	// Place is where, such as "Berlin, Germany", IP the address and Browser the
	// browser that it happened in. Each may be empty.
	Place, IP, Browser string
	// Factor is the kind of the factor that it is about; 0: not said, or all of
	// them with MailFactorReset.
	Factor Factor
	// Label is the person's own name of an authenticator, Ending the last digits
	// of a phone's number. Either may be empty.
	Label, Ending string
	// Left is how many recovery codes are left, for MailRecoveryUsed.
	Left int
	// Until is when a demand begins (MailDemand, required), or until when link
	// and code work (MailConfirm, MailInvite; zero: not said).
	Until time.Time
	// Link is where the person says "this was not me", or goes on with what the
	// mail is about: an absolute address of at most 500 bytes. It may be empty,
	// but not with MailInvite.
	Link string
	// Code is what MailConfirm carries and MailInvite may; no other kind may.
	Code string
	// Help says where the person gets help. Empty: what the operator said.
	Help string
}

// Mail is a notice in the two forms that a mail has.
type Mail struct {
	// Subject is one line.
	Subject string
	// Text is the mail in lines of at most about 76 characters, but for
	// addresses, with \n at their ends.
	Text string
	// HTML is the same as a document that fetches nothing. Its lines may have any
	// length: whoever sends it encodes them.
	HTML string
}

// pageMail is the template of the mails' HTML. It has a layout of its own: a
// mail program knows no style sheet of a page.
const pageMail pageName = "mail"

const (
	// maxMailSite is the number of characters of the site's name in a subject.
	maxMailSite = 60
	// maxLink is the largest length of a link, in bytes.
	maxLink = 500
	// mailTime is how times are written: alike in every language, and never
	// mistaken for another day.
	mailTime = "2006-01-02 15:04 UTC"
)

// mailView is a mail in its parts, from which both forms are made.
type mailView struct {
	*speaker
	Subject string
	Brand   string
	Heading []part
	// Lines say what happened.
	Lines [][]part
	Facts [][]part
	// Ask says what to do.
	Ask     []part
	Code    []part
	Valid   []part
	Link    template.HTMLAttr
	Address string
	Label   []part
	Footer  [][]part
}

// Mail renders a notice. It returns an error for a kind that there is not, for a
// link that cannot be written (ErrAddress), and where a kind lacks what it needs
// or has a code that it must not have.
func (s *Set) Mail(l Lang, n MailPage) (Mail, error) {
	if err := n.check(); err != nil {
		return Mail{}, fmt.Errorf("page: mail %q: %w", n.Kind, err)
	}
	v := s.mailView(s.speak(l), n)
	if v.Brand == "" {
		return Mail{}, fmt.Errorf("page: mail %s: it names no site", n.Kind)
	}
	if v.err != nil {
		return Mail{}, fmt.Errorf("page: mail %s: %w", n.Kind, v.err)
	}
	var b bytes.Buffer
	if err := s.pages[pageMail].ExecuteTemplate(&b, string(pageMail), v); err != nil {
		return Mail{}, fmt.Errorf("page: mail %s: %w", n.Kind, err)
	}
	return Mail{Subject: v.Subject, Text: v.text(), HTML: b.String()}, nil
}

// Notice is the short form of a notice as a text message to a phone that is no
// longer the account's, for MailNumberChanged and for MailFactorRemoved: no link
// and no name of a user. It is empty for every other kind.
func (s *Set) Notice(l Lang, n MailPage) string {
	if !kinds[n.Kind].notice {
		return ""
	}
	// The sign for what was cut off would double what the text costs: it is not in
	// the alphabet of texts (3GPP TS 23.038).
	site := strings.ReplaceAll(s.mailSite(n), "…", "...")
	return s.speak(l).plain(n.Kind.key("notice"), given("site", site))
}

// check says what is wrong with a mail before it is made.
func (n MailPage) check() error {
	kind, ok := kinds[n.Kind]
	switch {
	case !ok:
		return errors.New("there is no such kind")
	case n.Code != "" && !kind.code:
		return errors.New("it must not carry a code")
	case n.Kind == MailDemand && n.Until.IsZero():
		return errors.New("it does not say when the demand begins")
	case n.Kind == MailInvite && n.Link == "", n.Kind == MailConfirm && n.Code == "":
		return errors.New("it has nothing to go on with")
	case len(n.Link) > maxLink:
		return fmt.Errorf("link: %w: it has more than %d bytes", ErrAddress, maxLink)
	case n.Link == "":
		return nil
	}
	if _, _, err := foreignURL(n.Link); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	if strings.ContainsFunc(n.Link, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return fmt.Errorf("link: %w: it has characters that have to be percent-encoded", ErrAddress)
	}
	return nil
}

// mailSite is the site's name as it fits into a subject and a text message.
func (s *Set) mailSite(n MailPage) string {
	if site := tidyTo(n.Site, maxMailSite); site != "" {
		return site
	}
	return tidyTo(s.siteName, maxMailSite)
}

func (s *Set) mailView(sp *speaker, n MailPage) mailView {
	kind := kinds[n.Kind]
	brand := s.mailSite(n)
	site, user := given("site", brand), given("user", n.User)
	until := given("until", mailDate(n.Until))
	v := mailView{
		speaker: sp,
		Brand:   brand,
		Subject: sp.plain(n.Kind.key("subject"), site),
		Heading: sp.say(n.Kind.key("title")),
		Lines:   [][]part{sp.say(n.Kind.key("text"), site, until)},
		Facts:   n.facts(sp, user),
		Footer:  [][]part{sp.say("mail.why", site)},
	}
	if n.Kind == MailRecoveryUsed {
		v.Lines = append(v.Lines, sp.say("mail.recovery_used.left", count(n.Left)))
		if n.Left <= fewCodes {
			v.Lines = append(v.Lines, sp.say("mail.recovery_used.make"))
		}
	}
	v.Ask = sp.say(n.askKey(kind), site)
	if n.Code != "" {
		v.Code = sp.say("mail.code", given("code", n.Code))
	}
	if kind.code && !n.Until.IsZero() {
		v.Valid = sp.say("mail.valid", until)
	}
	if n.Link != "" {
		v.Link, v.Address, v.Label = attribute("href", n.Link), n.Link, sp.say("mail.link."+kind.link)
	}
	if help := s.mailHelp(n); help != "" {
		v.Footer = append(v.Footer, sp.say("mail.help", arg{name: "help", value: help, given: true}))
	}
	return v
}

// askKey chooses what the person is told to do: there is another text where the
// mail has no link.
func (n MailPage) askKey(kind mailKind) string {
	key := "mail.ask." + kind.ask
	if kind.ask == "" {
		key = n.Kind.key("ask")
	}
	if n.Link == "" && !kind.sameAsk {
		key += ".alone"
	}
	return key
}

// facts are the lines that say about what, when, where and in which browser.
func (n MailPage) facts(sp *speaker, user arg) [][]part {
	var facts [][]part
	add := func(name, value string) {
		if tidy(value) != "" {
			facts = append(facts, sp.say("mail.fact."+name, given(name, value)))
		}
	}
	add("user", user.value)
	if kinds[n.Kind].factor {
		if factor := n.factorName(sp); factor != nil {
			facts = append(facts, sp.say("mail.fact.factor", nested("factor", factor)))
		}
	}
	add("when", mailDate(n.When))
	where := tidy(n.Place)
	if ip := tidy(n.IP); ip != "" && where != "" {
		where += " (" + ip + ")"
	} else if where == "" {
		where = ip
	}
	add("where", where)
	add("browser", unlinked(n.Browser))
	return facts
}

// factorName names the factor that a mail is about, nil if it does not say.
func (n MailPage) factorName(sp *speaker) []part {
	label, ending := tidy(unlinked(n.Label)), tidy(n.Ending)
	switch {
	case n.Factor == TextMessage && ending != "":
		return sp.say("mail.factor.phone", given("ending", ending))
	case n.Factor == TextMessage:
		return sp.say("mail.factor.phone.unnamed")
	case n.Factor == Authenticator && label != "":
		return sp.say("mail.factor.authenticator", given("label", label))
	case n.Factor == Authenticator:
		return sp.say("mail.factor.authenticator.unnamed")
	case n.Kind == MailFactorReset:
		return sp.say("mail.factor.all")
	}
	return nil
}

// mailHelp is where help is, with the address in it as text.
func (s *Set) mailHelp(n MailPage) string {
	if n.Help != "" {
		return tidyTo(n.Help, maxHelpText)
	}
	return strings.TrimSpace(s.helpText + " " + strings.TrimPrefix(strings.TrimPrefix(s.helpURL, "mailto:"), "tel:"))
}

func mailDate(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(mailTime)
}
