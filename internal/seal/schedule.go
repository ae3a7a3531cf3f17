package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Sizes of the table of ciphers of one key and purpose. Old days share their
// places, so that seals of many days fill no more than oldPlaces, and the days
// around today have places of their own, which those cannot take.
const (
	newPlaces = 4
	oldPlaces = 64
)

// A purposeKey is one key of the ring for one purpose, with its daily ciphers.
type purposeKey struct {
	root    []byte
	maxDays int64 // 0: no end
	near    [newPlaces]atomic.Pointer[dayCipher]
	old     [oldPlaces]atomic.Pointer[dayCipher]
	macs    sync.Pool // of *macState
}

type dayCipher struct {
	day  uint16
	aead cipher.AEAD
}

func newPurposeKey(root []byte, p Purpose, maxAge time.Duration) *purposeKey {
	macKey := derive(root, "mac "+string(p))
	pk := &purposeKey{root: derive(root, "seal "+string(p))}
	if maxAge != Forever {
		pk.maxDays = int64((maxAge + day - 1) / day)
	}
	pk.macs.New = func() any { return &macState{Hash: hmac.New(sha256.New, macKey)} }
	return pk
}

// dayOf returns the day of t, in the range that a seal can hold.
func dayOf(t time.Time) uint16 {
	return uint16(min(max(t.Unix()/int64(day/time.Second), 0), 1<<16-1))
}

// plausible says whether a seal of that day could be opened today: it is at
// most one day ahead, for clocks differ, and not older than the purpose allows.
func (k *purposeKey) plausible(sealed, today uint16) bool {
	age := int64(today) - int64(sealed)
	return age >= -1 && (k.maxDays == 0 || age <= k.maxDays)
}

// cipher returns the cipher of a day that is plausible today.
func (k *purposeKey) cipher(d, today uint16) cipher.AEAD {
	place := &k.old[d%oldPlaces]
	if age := int(today) - int(d); age >= -1 && age <= 1 {
		place = &k.near[d%newPlaces]
	}
	if c := place.Load(); c != nil && c.day == d {
		return c.aead
	}
	c := k.makeCipher(d)
	place.Store(c)
	return c.aead
}

func (k *purposeKey) makeCipher(d uint16) *dayCipher {
	block, err := aes.NewCipher(derive(k.root, "day "+strconv.Itoa(int(d))))
	if err != nil {
		panic("seal: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("seal: " + err.Error())
	}
	return &dayCipher{day: d, aead: aead}
}
