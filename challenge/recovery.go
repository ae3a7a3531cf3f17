package challenge

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// The cost of the hash of a recovery code (OWASP's second choice for argon2id).
// The codes have 80 bits, so that it is not all that protects them.
const (
	argonTime   = 2
	argonMemory = 19 << 10 // KiB
	argonLanes  = 1
	saltBytes   = 16
)

// ErrBusy means that as many slow hashes are being made as there are
// processors: the caller answers 503.
var ErrBusy = errors.New("too many recovery codes are being checked at the moment")

// hashing bounds how many slow hashes are made at once (rule 17).
type hashing chan struct{}

func newHashing() hashing { return make(hashing, runtime.GOMAXPROCS(0)) }

// hash makes a slow hash. It waits a moment for its turn.
func (h hashing) hash(ctx context.Context, code string, salt []byte) (account.TokenHash, error) {
	timer := time.NewTimer(hashWait)
	defer timer.Stop()
	select {
	case h <- struct{}{}:
	case <-timer.C:
		return account.TokenHash{}, ErrBusy
	case <-ctx.Done():
		return account.TokenHash{}, ctx.Err()
	}
	defer func() { <-h }()
	return account.TokenHash(argon2.IDKey([]byte(code), salt, argonTime, argonMemory, argonLanes, 32)), nil
}

// hashWait is how long a slow hash waits for its turn.
const hashWait = 2 * time.Second

// NewRecovery makes a set of recovery codes: the factor that keeps their hashes,
// and the codes, which are shown once and kept nowhere.
func (s *Service) NewRecovery(ctx context.Context) (account.Factor, []string, error) {
	id, err := NewID(s.rand)
	if err != nil {
		return account.Factor{}, nil, err
	}
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(s.rand, salt); err != nil {
		return account.Factor{}, nil, fmt.Errorf("draw a salt: %w", err)
	}
	r := &account.Recovery{Salt: salt, Of: account.RecoveryCodes}
	codes := make([]string, account.RecoveryCodes)
	for i := range codes {
		if codes[i], err = NewSecretCode(s.rand); err != nil {
			return account.Factor{}, nil, err
		}
		h, err := s.slow.hash(ctx, FoldLetters(codes[i]), salt)
		if err != nil {
			return account.Factor{}, nil, fmt.Errorf("hash a recovery code: %w", err)
		}
		r.Hashes = append(r.Hashes, h)
	}
	return account.Factor{ID: id, Kind: account.KindRecovery, Recovery: r, Created: s.clock()}, codes, nil
}

// recoveryVerifier compares with the hashes that are left. One salt for all
// means that a try costs one slow hash.
type recoveryVerifier struct {
	s *Service
	r *account.Recovery
}

func (v recoveryVerifier) fold(input string) (string, bool) {
	code := FoldLetters(input)
	return code, len(code) == secretChars
}

func (recoveryVerifier) digits() int { return secretChars }

func (v recoveryVerifier) match(ctx context.Context, code, _ string, _ time.Time) (match, error) {
	h, err := v.s.slow.hash(ctx, code, v.r.Salt)
	if err != nil {
		return match{}, fmt.Errorf("hash a recovery code: %w", err)
	}
	found := 0
	for i := range v.r.Hashes {
		found |= subtle.ConstantTimeCompare(h[:], v.r.Hashes[i][:])
	}
	return match{right: found == 1, hash: h}, nil
}
