package file

import (
	"encoding/binary"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// packed is a session as it lies in memory: one piece without pointers, since
// the collector follows every pointer of every session in each of its cycles,
// and a gateway may have a million of them. Texts of the unpacked session are
// parts of it, so that to unpack allocates nothing.
//
// Tokens and steps, which few sessions have, are kept beside it.
type packed struct {
	text   string
	tokens []account.Fingerprint
	steps  *account.Steps
}

// The sizes of what stands in front of the texts.
const (
	packedTime  = 8 + 4
	packedIDs   = len(account.SessionID{}) + len(account.StandingID{}) + len(account.LoginID{}) + len(account.Fingerprint{})
	packedFixed = packedIDs + 5*packedTime + 8 + 8 + 1
)

// The flags in the last byte of them.
const (
	flagIdentified = 1 << iota
	flagAgain
)

func pack(s *account.Session) packed {
	texts := [...]string{
		s.Instance, string(s.State), s.Account, s.User, s.Challenge, s.Address, string(s.Factor), s.ClientIP, s.UserAgent,
	}
	size := packedFixed
	for _, text := range texts {
		size += binary.MaxVarintLen32 + len(text)
	}
	b := make([]byte, 0, size)
	b = append(b, s.ID[:]...)
	b = append(b, s.Standing[:]...)
	b = append(b, s.SuspendedBy[:]...)
	b = append(b, s.Credential[:]...)
	for _, at := range [...]time.Time{s.FactorAt, s.Created, s.LastSeen, s.Expires, s.SuspendedAt} {
		b = binary.BigEndian.AppendUint64(b, uint64(at.Unix()))
		b = binary.BigEndian.AppendUint32(b, uint32(at.Nanosecond()))
	}
	b = binary.BigEndian.AppendUint64(b, uint64(s.IdleFor))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Score))
	var flags byte
	if s.Identified {
		flags |= flagIdentified
	}
	if s.Again {
		flags |= flagAgain
	}
	b = append(b, flags)
	for _, text := range texts {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return packed{text: string(b), tokens: s.Tokens, steps: s.Steps}
}

// life returns of the session only what says how long it lives.
func (p *packed) life() (s account.Session) {
	// After FactorAt and Created.
	rest := p.text[packedIDs+2*packedTime:]
	s.LastSeen, rest = unpackTime(rest)
	s.Expires, rest = unpackTime(rest)
	s.IdleFor = time.Duration(unpackUint64(rest[packedTime:]))
	return s
}

// isOf reports whether the session is an account's.
func (p *packed) isOf(instance, acc string) bool {
	in, rest := unpackText(p.text[packedFixed:])
	if in != instance {
		return false
	}
	_, rest = unpackText(rest) // the state
	of, _ := unpackText(rest)
	return of == acc
}

// unpack returns the session, its times in UTC.
func (p *packed) unpack() account.Session {
	s := account.Session{Tokens: p.tokens, Steps: p.steps}
	rest := p.text
	rest = rest[copy(s.ID[:], rest):]
	rest = rest[copy(s.Standing[:], rest):]
	rest = rest[copy(s.SuspendedBy[:], rest):]
	rest = rest[copy(s.Credential[:], rest):]
	for _, at := range [...]*time.Time{&s.FactorAt, &s.Created, &s.LastSeen, &s.Expires, &s.SuspendedAt} {
		*at, rest = unpackTime(rest)
	}
	s.IdleFor, rest = time.Duration(unpackUint64(rest)), rest[8:]
	s.Score, rest = int(unpackUint64(rest)), rest[8:]
	s.Identified, s.Again, rest = rest[0]&flagIdentified != 0, rest[0]&flagAgain != 0, rest[1:]
	var state, factor string
	for _, text := range [...]*string{
		&s.Instance, &state, &s.Account, &s.User, &s.Challenge, &s.Address, &factor, &s.ClientIP, &s.UserAgent,
	} {
		*text, rest = unpackText(rest)
	}
	s.State, s.Factor = account.State(state), account.Kind(factor)
	return s
}

func unpackTime(from string) (time.Time, string) {
	sec := int64(unpackUint64(from))
	nano := uint32(from[8])<<24 | uint32(from[9])<<16 | uint32(from[10])<<8 | uint32(from[11])
	return time.Unix(sec, int64(nano)).UTC(), from[packedTime:]
}

func unpackUint64(from string) uint64 {
	var n uint64
	for i := range 8 {
		n = n<<8 | uint64(from[i])
	}
	return n
}

func unpackText(from string) (text, rest string) {
	n, shift := 0, 0
	for i := 0; ; i++ {
		n |= int(from[i]&0x7f) << shift
		if from[i] < 0x80 {
			from = from[i+1:]
			return from[:n], from[n:]
		}
		shift += 7
	}
}
