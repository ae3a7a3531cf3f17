package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxPoints bounds points and thresholds.
const maxPoints = 1000

// Policy are rules that were checked. It may be used by many goroutines.
type Policy struct {
	preset                string
	points                [len(kinds)]int
	asked                 [len(kinds)]bool
	challenge, high, deny int
	highFactors           []string
	unknown               string
	learning              Learning
	trust, always, never  Who
	data                  Data
}

// Data says which kinds of data there are, whatever they say of an address.
type Data struct {
	Country, Location, Network, Anonymous bool
}

// New checks rules. The data say what an unknown signal means by default. It
// returns an error that names the rule, with what to do.
func New(r Rules, data Data) (*Policy, error) {
	p := &Policy{preset: r.Preset, challenge: 100, data: data, learning: DefaultLearning}
	if p.preset == "" {
		p.preset = Unfamiliar
	}
	if err := p.begin(); err != nil {
		return nil, err
	}
	for name, points := range r.Points {
		i := indexOf(name)
		if i < 0 {
			return nil, fmt.Errorf("there is no signal %q: %s", name, strings.Join(signalNames(), ", "))
		}
		if err := inBounds("points "+name, points); err != nil {
			return nil, err
		}
		p.points[i], p.asked[i] = points, points > 0
	}
	if err := p.thresholds(r); err != nil {
		return nil, err
	}
	switch r.Unknown {
	case "", UnknownChallenge, UnknownNew, UnknownIgnore:
		p.unknown = r.Unknown
	default:
		return nil, fmt.Errorf("unknown %q: it is challenge, new or ignore", r.Unknown)
	}
	if r.Learning != nil {
		if r.Learning.Logins < 0 || r.Learning.Logins > maxPoints || r.Learning.Days < 0 || r.Learning.Days > maxPoints {
			return nil, fmt.Errorf("learning: logins and days are 0 to %d", maxPoints)
		}
		p.learning = *r.Learning
	}
	p.trust, p.always, p.never = r.Trust, r.Always, r.Never
	return p, p.canAsk()
}

// begin sets what the preset says.
func (p *Policy) begin() error {
	switch p.preset {
	case EveryLogin:
		p.challenge, p.learning = 0, Learning{}
		p.allPoints()
	case OnNewDevice:
		p.learning = Learning{}
		p.points[indexOf(NewDevice)], p.points[indexOf(StolenDevice)] = 100, 200
	case OnNewIP:
		p.challenge, p.learning = 50, Learning{}
		p.points[indexOf(NewIP)] = 100
	case Unfamiliar:
		p.allPoints()
	default:
		return fmt.Errorf("there is no policy %q: every_login, new_device, new_ip or unfamiliar", p.preset)
	}
	return nil
}

func (p *Policy) allPoints() {
	for i := range kinds {
		p.points[i] = kinds[i].points
	}
}

func (p *Policy) thresholds(r Rules) error {
	if r.Challenge != nil {
		p.challenge = *r.Challenge
	}
	if r.High != nil {
		p.high = *r.High
	}
	p.deny, p.highFactors = r.Deny, r.HighFactors
	for _, f := range r.HighFactors {
		if f != "totp" && f != "phone" {
			return fmt.Errorf("high: there is no factor %q: totp or phone", f)
		}
	}
	return errors.Join(inBounds("challenge", p.challenge), inBounds("high", p.high), inBounds("deny", p.deny))
}

func inBounds(what string, points int) error {
	if points < 0 || points > maxPoints {
		return fmt.Errorf("%s %d: it is 0 to %d", what, points, maxPoints)
	}
	return nil
}

// canAsk refuses rules by which nobody is ever asked or refused, since then
// they protect nobody, and thresholds that one of refusal leaves no room.
func (p *Policy) canAsk() error {
	if p.deny > 0 && p.deny <= p.challenge {
		return fmt.Errorf("deny %d must be higher than challenge %d: otherwise a login with so many points is refused before anybody could be asked for a code; to ask at every login, write challenge 0", p.deny, p.challenge)
	}
	if p.deny > 0 && p.high >= p.deny {
		return fmt.Errorf("high %d must be lower than deny %d, from which on the login is refused: otherwise high never counts; lower high or raise deny", p.high, p.deny)
	}
	if most, can := p.reach(nil); !can {
		return fmt.Errorf("this policy can never ask for a code: all its points together are %d, and a code is asked for from %d on; lower challenge or raise points", most, p.challenge)
	}
	return nil
}

// Blind returns the signals that ask for a code at every login, since the rules
// name them and there is no data by which anybody could tell.
func (p *Policy) Blind() (names []string) {
	for i := range kinds {
		if kinds[i].data && !p.has(i) && p.unknownAsks(i) {
			names = append(names, kinds[i].name)
		}
	}
	return names
}

// outside are the signals that say nothing inside a session: the browser is the
// session's, and passwords are not typed there.
var outside = []string{NewDevice, StolenDevice, FailedPasswords, ManyUsers}

// CanAskInside refuses a policy by which nobody is ever asked inside a session.
func (p *Policy) CanAskInside() error {
	if most, can := p.reach(outside); !can {
		return fmt.Errorf("inside a session this policy can never ask for a code: without %s, which say nothing there, all its points together are %d, and a code is asked for from %d on; give points to address, country or browser",
			strings.Join(outside, ", "), most, p.challenge)
	}
	return nil
}

// reach says how many points all signals but some can come to, and whether the
// policy can ask by them or by another of its rules.
func (p *Policy) reach(without []string) (most int, can bool) {
	if !p.always.IsZero() {
		return 0, true
	}
	for i, n := range p.points {
		if n == 0 || slices.Contains(without, kinds[i].name) {
			continue
		}
		switch {
		case p.unknown == UnknownChallenge && kinds[i].data, p.unknown == "" && p.asked[i] && !p.has(i):
			can = true // For want of data it asks by itself.
		case p.has(i) || p.unknown == UnknownNew:
			most += n
			can = can || p.learning.Logins > 0 && kinds[i].novelty
		}
	}
	return most, can || most >= p.challenge
}

func signalNames() []string {
	list := make([]string, 0, len(kinds))
	for i := range kinds {
		list = append(list, kinds[i].name)
	}
	return list
}

// has reports whether there is data of the kind that a signal needs.
func (p *Policy) has(i int) bool {
	switch kinds[i].name {
	case NewCountry:
		return p.data.Country
	case NewNetwork:
		return p.data.Network
	case ImpossibleTravel:
		return p.data.Location
	case AnonymousNetwork:
		return p.data.Anonymous
	default:
		return true
	}
}

// are reports whether the rule means the user of these facts.
func (w *Who) are(f *Facts, matched bool) bool {
	return w.Matched && matched || slices.Contains(w.Users, f.Account) || f.Group != "" && slices.Contains(w.Groups, f.Group)
}
