package twofactor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Key is one key of the ring.
type Key struct {
	// ID is your name for the key, by which messages call it: 1 to 32 letters,
	// digits, - or _.
	ID string `json:"id"`
	// Value is 32 random bytes in base64, or as 64 hexadecimal digits, such as
	// `openssl rand -base64 32` makes. Placeholders are replaced: {env.NAME} is
	// a variable of the environment, {file./path} what a file holds.
	Value string `json:"value"`
}

// newRing makes the ring of a config's keys. Its errors never show a value.
func newRing(keys []Key) (*seal.Ring, error) {
	parsed := make([]seal.Key, 0, len(keys))
	for _, k := range keys {
		key, err := parseKey(k)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, key)
	}
	ring, err := seal.NewRing(parsed, seal.Options{})
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return ring, nil
}

func parseKey(k Key) (seal.Key, error) {
	// The replacer's error may hold a part of the value.
	value, err := caddy.NewReplacer().ReplaceOrErr(k.Value, true, true)
	if err != nil {
		return seal.Key{}, fmt.Errorf("key %q: a placeholder in its value stands for nothing: want {env.NAME} with the variable set where Caddy runs, or {file./path} with a file that Caddy may read", k.ID)
	}
	value = strings.TrimSpace(value)
	if value == "" {
		return seal.Key{}, fmt.Errorf("key %q: its value is empty: want what `openssl rand -base64 32` makes", k.ID)
	}
	key, err := seal.ParseKey(k.ID, value)
	if err != nil {
		return seal.Key{}, fmt.Errorf("%w (`openssl rand -base64 32` makes one)", err)
	}
	return key, nil
}

// loadRing returns the config's ring, or that of the key file. It makes the
// file where the store has never been used.
func (s *shared) loadRing(ctx context.Context, check keyCheck, open store.Store) (*seal.Ring, error) {
	if s.ring != nil {
		return s.ring, nil
	}
	if !hasKeyFile(s.keyDir) {
		if err := s.mayMakeKey(ctx, check, open); err != nil {
			return nil, err
		}
	}
	ring, created, err := seal.LoadOrCreate(s.keyDir, seal.Options{})
	if err != nil {
		return nil, err
	}
	if created {
		s.logger.Warn("a key was made, since the config has none: back this file up, losing it loses all enrolments",
			zap.String("file", keyFile(s.keyDir)))
	}
	return ring, nil
}

// mayMakeKey refuses a new key where an old one must have been.
func (s *shared) mayMakeKey(ctx context.Context, check keyCheck, open store.Store) error {
	if len(check.Keys) > 0 {
		var names []string
		for _, k := range check.Keys {
			names = append(names, k.Name)
		}
		return s.wrongKeys(names)
	}
	if s.existing {
		return fmt.Errorf("there is no key in %s: start Caddy once, which makes it, or name the config that has it", keyFile(s.keyDir))
	}
	a, _, err := firstWithFactor(ctx, open)
	if err != nil {
		return err
	}
	if a != nil {
		return fmt.Errorf("the store has enrolments, but the key that they were sealed with is gone: put %s back from a backup, or the key into the config; nothing was changed", keyFile(s.keyDir))
	}
	return nil
}

// keySource says where the keys of the config are, for messages.
func (s *shared) keySource() string {
	if s.ring == nil {
		return "it has none, so that of the file " + keyFile(s.keyDir) + " is meant, in whose lines a key is a name and a value"
	}
	return "it has " + strings.Join(s.ring.Names(), ", ")
}

func keyFile(dir string) string { return filepath.Join(dir, seal.KeyFile) }

// hasKeyFile reports whether there is something in the key file's place, read
// or not.
func hasKeyFile(dir string) bool {
	_, err := os.Lstat(keyFile(dir))
	return !errors.Is(err, fs.ErrNotExist)
}
