package tinykv

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/tinykv/tinykv/internal/key"
)

// RepairReport is what a repair copied, and what it could not.
type RepairReport struct {
	Src string `json:"src"`
	Dst string `json:"dst"`

	// Complete tells that the copy holds all that the store held: what is damaged, if anything is, hides
	// nothing.
	Complete bool `json:"complete"`

	// What was copied: keys of tables with their values and, on top of that, records of the log, each of
	// which is a batch. They are the store as it was at sequence number LastSeq, less what is missing.
	Entries    uint64 `json:"entries"`
	LogRecords int    `json:"log_records"`
	LastSeq    uint64 `json:"last_seq"`

	// Doubtful is the number of keys in tables whose newest version that can be read may be out of date, since
	// a newer one may have been in a damaged place. They are among Entries if KeptDoubtful says so, and were
	// left out otherwise.
	Doubtful     uint64 `json:"doubtful"`
	KeptDoubtful bool   `json:"kept_doubtful"`

	// Lost is the number of entries of tables that cannot be read, tombstones and older versions
	// included.
	Lost uint64 `json:"lost"`

	// Unnamed are the buckets of the copy that stand for keyspaces of which no manifest that can be read tells the name.
	Unnamed []string `json:"unnamed,omitempty"`

	// Mended is the number of places of which one bit was flipped, and which the copy has right.
	Mended int `json:"mended"`

	// StateUnknown tells that no manifest says which tables count, so that all keys are in doubt.
	StateUnknown bool `json:"state_unknown"`

	// LogDamaged tells that the log ends before its end. LogBehind intact records follow on the damage, or, if StateUnknown,
	// on nothing that is known; they are among LogRecords if KeptDoubtful says so, and were left out otherwise.
	LogDamaged bool `json:"log_damaged"`
	LogBehind  int  `json:"log_behind"`

	// What was read.
	Tables   int           `json:"tables"`
	Bytes    int64         `json:"bytes"`
	Duration time.Duration `json:"duration_ns"`

	// Unused are the names of files that are no part of the store, tables that no manifest names among
	// them.
	Unused []string `json:"unused,omitempty"`

	// Damages are the damaged places, in the order in which they were found, up to
	// RepairOptions.MaxDamages, and DamageCount how many there are in all.
	Damages     []*RepairDamage `json:"damages"`
	DamageCount int             `json:"damage_count"`
}

// RepairDamage is a damaged place.
type RepairDamage struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"` // -1 when it is not known
	What   string `json:"what"`
	Detail string `json:"detail"`

	// Mended tells that one flipped bit was all that was wrong, and that the copy has it right.
	Mended bool `json:"mended"`

	// Hides tells that keys from Lower up to, but without, Upper may have been in the place; nil is unbounded.
	// Doubtful is how many keys elsewhere are in doubt because of that (each counts for one place alone).
	Hides    bool   `json:"hides"`
	Lower    []byte `json:"lower"`
	Upper    []byte `json:"upper"`
	Doubtful uint64 `json:"doubtful"`

	Err *CorruptionError `json:"-"`
}

// Err returns nil when the copy is complete, and otherwise an error that matches ErrCorrupt and tells of the
// first damage.
func (r *RepairReport) Err() error {
	switch {
	case r.Complete:
		return nil
	case len(r.Damages) == 0:
		return fmt.Errorf("the copy is not complete: %w", ErrCorrupt)
	default:
		return fmt.Errorf("the copy is not complete; the first damage: %w", r.Damages[0].Err)
	}
}

// String returns the report as text of several lines.
func (r *RepairReport) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s", r.Src)
	line("  read: %d tables, %s in %.2f s", r.Tables, sizeText(r.Bytes), r.Duration.Seconds())
	line("%s", r.Dst)
	line("  copied: %d keys of tables and %d log records,", r.Entries, r.LogRecords)
	line("  the store as it was at sequence number %d", r.LastSeq)
	for _, name := range r.Unused {
		line("no part of the store: %s", name)
	}
	for _, d := range r.Damages {
		d.write(line)
	}
	if more := r.DamageCount - len(r.Damages); more > 0 {
		line("%d more places are damaged", more)
	}
	r.writeMissing(line)
	return b.String()
}

// writeMissing sums up what is not in the copy.
func (r *RepairReport) writeMissing(line func(string, ...any)) {
	left := "left out"
	if r.KeptDoubtful {
		left = "copied all the same"
	}
	if r.Mended > 0 {
		line("put right: %d places, each of which had one flipped bit", r.Mended)
	}
	if r.StateUnknown {
		line("no manifest says which tables count: all keys are in doubt")
	}
	if r.Lost > 0 {
		line("lost: %d entries that cannot be read", r.Lost)
	}
	if r.Doubtful > 0 {
		line("in doubt: %d keys that may be out of date: %s", r.Doubtful, left)
	}
	for _, name := range r.Unnamed {
		line("the name of a bucket is lost: its keys are in %q", name)
	}
	switch {
	case r.LogDamaged:
		line("log: damaged; intact records behind that: %d, %s", r.LogBehind, left)
	case r.LogBehind > 0:
		line("log: intact records on nothing that is known: %d, %s", r.LogBehind, left)
	}
	switch {
	case r.Complete && r.DamageCount == 0:
		line("no damage: the copy is complete")
	case r.Complete:
		line("the damage hides nothing: the copy is complete")
	default:
		line("the copy is not complete")
	}
}

func (d *RepairDamage) write(line func(string, ...any)) {
	at := ""
	if d.Offset >= 0 {
		at = fmt.Sprintf(", offset %d", d.Offset)
	}
	line("damaged: %s%s", filepath.Base(d.File), at)
	line("  %s: %s", d.What, d.Detail)
	if d.Mended {
		line("  put right")
	}
	if d.Hides {
		line("  may have held keys from %s", boundText(d.Lower, "the first"))
		line("  up to, but without,     %s", boundText(d.Upper, "(all that follow)"))
	}
	if d.Doubtful > 0 {
		line("  puts %d keys elsewhere in doubt", d.Doubtful)
	}
}

// boundText returns a bound of a range as text that fits in a line.
func boundText(k []byte, none string) string {
	const most = 40
	if k == nil {
		return none
	}
	for n := min(len(k), most); ; n /= 2 {
		text := fmt.Sprintf("%q", k[:n])
		if len(text) > most+2 {
			continue
		}
		if n < len(k) {
			text += "..."
		}
		return text
	}
}

// hide notes which stored keys a damaged place may have held.
func (d *RepairDamage) hide(lower, upper []byte) {
	d.Hides = true
	space, user, _ := key.SplitStored(lower)
	d.Lower, d.Upper = user, rangeEnd(space, upper)
}
