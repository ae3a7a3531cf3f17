package twofactor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// AuditRules bound the audit log and, by the same, the log of attempts.
type AuditRules struct {
	// KeepFor is how old a line may get: whole days, 10 to 3650. Default: 90 days.
	KeepFor caddy.Duration `json:"keep_for,omitempty"`
	// MaxSize is how large a file may get, in MiB, before it is put aside: 1 to
	// 1024. Default: 10.
	MaxSize int `json:"max_size,omitempty"`
	// Keep is how many files that were put aside are kept: 10 to 1000, since a
	// file covers at most a tenth of KeepFor. Default: 10.
	Keep int `json:"keep,omitempty"`
}

// The bounds of AuditRules.
const (
	leastAuditDays, mostAuditDays = 10, 3650
	mostAuditMiB                  = 1024
	leastAuditKeep, mostAuditKeep = 10, 1000
)

// auditBounds are the bounds of the files of a log.
type auditBounds struct {
	// mib is the size of one, keep how many that were put aside are kept. A line
	// gets at most days old, one file covers span of them; without days nothing
	// is put aside or removed for its age.
	mib, keep, days, span int
}

var (
	defaultAudit = auditBounds{mib: auditMiB, keep: auditKeep, days: auditDays, span: auditSpan}
	// wholeAudit removes nothing: for a command that does not know the config.
	wholeAudit = auditBounds{mib: 1 << 20}
)

// maxAge is after how many days a file is removed that was put aside; 0 for
// never.
func (b auditBounds) maxAge() int { return max(0, b.days-2*b.span) }

func (r *AuditRules) bounds() auditBounds {
	b := defaultAudit
	if r == nil {
		return b
	}
	if r.KeepFor > 0 {
		b.days = int(time.Duration(r.KeepFor) / (24 * time.Hour))
		b.span = b.days / 10
	}
	if r.MaxSize > 0 {
		b.mib = r.MaxSize
	}
	if r.Keep > 0 {
		b.keep = r.Keep
	}
	return b
}

func (r *AuditRules) check() error {
	if r == nil {
		return nil
	}
	var errs []error
	if r.KeepFor != 0 {
		errs = append(errs, naming("audit: keep_for", checkAuditAge(r.KeepFor)))
	}
	if r.MaxSize != 0 {
		errs = append(errs, naming("audit: max_size", checkAuditSize(r.MaxSize)))
	}
	if r.Keep != 0 {
		errs = append(errs, naming("audit: keep", checkAuditKeep(r.Keep)))
	}
	return errors.Join(errs...)
}

// naming puts the name of a value before what is wrong with it.
func naming(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %w", name, err)
}

func checkAuditAge(d caddy.Duration) error {
	const day = 24 * time.Hour
	if t := time.Duration(d); t%day != 0 || t < leastAuditDays*day || t > mostAuditDays*day {
		return fmt.Errorf("must be whole days, %dd to %dd", leastAuditDays, mostAuditDays)
	}
	return nil
}

func checkAuditSize(mib int) error {
	if mib < 1 || mib > mostAuditMiB {
		return errors.New("must be 1MiB to 1GiB")
	}
	return nil
}

func checkAuditKeep(n int) error {
	if n < leastAuditKeep || n > mostAuditKeep {
		return fmt.Errorf("must be %d to %d, since a file covers at most a tenth of keep_for", leastAuditKeep, mostAuditKeep)
	}
	return nil
}

// parseMiB reads a size of whole MiB or GiB, and returns it in MiB.
func parseMiB(s string) (int, error) {
	number, factor := s, 0
	if cut, ok := strings.CutSuffix(s, "MiB"); ok {
		number, factor = cut, 1
	} else if cut, ok := strings.CutSuffix(s, "GiB"); ok {
		number, factor = cut, 1024
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || factor == 0 {
		return 0, errors.New("must be a whole number of MiB or GiB, such as 100MiB")
	}
	return int(n) * factor, nil
}
