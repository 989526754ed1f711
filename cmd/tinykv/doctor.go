package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/shell"
)

type doctorCommand struct {
	JSON bool `name:"json" help:"As JSON: an array."`
}

// advice is what one rule has to say.
type advice struct {
	Level   string `json:"level"` // problem, warning or note
	Symptom string `json:"symptom"`
	Why     string `json:"why"`
	Do      string `json:"do"`
}

// Run looks at the numbers of a store and gives advice. Damage that was met makes the exit code 3.
func (c *doctorCommand) Run(e *environment) error {
	return e.look(func(s site) error {
		m, err := s.metrics()
		if err != nil {
			return err
		}
		all := examine(m)
		if c.JSON {
			err = e.json(all)
		} else {
			c.print(e, s, all)
		}
		if err == nil && m.CorruptPlaces > 0 {
			err = quietError{tinykv.ErrCorrupt}
		}
		return err
	})
}

func (c *doctorCommand) print(e *environment, s site, all []advice) {
	for _, a := range all {
		e.printf("%s: %s\n", a.Level, fold(a.Symptom, len(a.Level)+2))
		e.printf("  why  %s\n  do   %s\n\n", fold(a.Why, 7), fold(a.Do, 7))
	}
	if len(all) == 0 {
		e.printf("nothing to complain of, as far as numbers tell\n")
	}
	if _, ok := s.(local); ok {
		e.printf("%s\n", fold("No program has the store open, so that there is only what lies on the disk to go by, of which the doctor reads no data: tinykv verify looks for damage. Beside a running server the doctor sees more.", 0))
	}
}

// fold divides text into lines of up to 80 columns, all but the first indented.
func fold(text string, indent int) string {
	var b strings.Builder
	at := indent
	for i, word := range strings.Fields(text) {
		switch n := len([]rune(word)); {
		case i == 0:
			at += n
		case at+1+n > 80:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent + n
		default:
			b.WriteByte(' ')
			at += 1 + n
		}
		b.WriteString(word)
	}
	return b.String()
}

// examine applies all rules. They compare counters from the opening on, so that an hour of trouble shows for long.
func examine(m *tinykv.Metrics) []advice {
	all := []advice{}
	for _, rule := range []func(*tinykv.Metrics) *advice{
		failure, damage, stalls, level0, slowSyncs, holders, deadWeight, tombstones, cacheMisses, filters, readAmplification, writeAmplification,
	} {
		if a := rule(m); a != nil {
			all = append(all, *a)
		}
	}
	return all
}

func failure(m *tinykv.Metrics) *advice {
	if !m.Failed {
		return nil
	}
	return &advice{
		"problem", "the store has failed and takes no writes",
		"A write or a sync of its log or manifest failed: what was not synced may not be on the disk, so it is not gone on with. What was acknowledged is in memory and can be read.",
		"Make room, or mend the disk; then have it resume (POST /v1/resume, resume in a shell on the server), which writes what was acknowledged to new files.",
	}
}

func damage(m *tinykv.Metrics) *advice {
	if m.CorruptPlaces == 0 {
		return nil
	}
	return &advice{
		"problem", fmt.Sprintf("damage was met in %s", shell.Counted(m.CorruptPlaces, "place")),
		"The disk gave back other bytes than were written, or somebody changed the files.",
		"Run tinykv verify, which lists all damage, and tinykv repair, which copies the rest into a new store. Look at the disk and at the memory of the machine.",
	}
}

// Thresholds of rules: below, nobody notices.
const (
	fewLookups   = 10_000
	fewBytes     = 64 << 20
	longStall    = 100 * time.Millisecond
	longSync     = 20 * time.Millisecond
	longHeld     = 10 * time.Minute
	manyLevel0   = 12
	highReadAmp  = 12
	highWriteAmp = 30
)

func stalls(m *tinykv.Metrics) *advice {
	if m.LongestStall < longStall && m.DelayTime < time.Second {
		return nil
	}
	return &advice{
		"warning",
		fmt.Sprintf("writers were stopped %d times, for up to %s, and slowed down for %s in all", m.Stalls, span(m.LongestStall), span(m.DelayTime)),
		"More was written than compactions could merge meanwhile.",
		"Raise Options.MemTableSize, or MaxBackground if processors are idle; take away CompactionRate; write large amounts in large batches, which need less merging.",
	}
}

func level0(m *tinykv.Metrics) *advice {
	if m.Levels[0].Tables < manyLevel0 {
		return nil
	}
	return &advice{
		"warning", fmt.Sprintf("there are %d tables in level 0; %s are to be merged", m.Levels[0].Tables, shell.Size(m.PendingCompactionBytes)),
		"Each read looks at every one of them. They are waiting for compactions, which are behind.",
		"Wait, if much was just written. Otherwise as for stalled writers: more MaxBackground, a larger MemTableSize.",
	}
}

func slowSyncs(m *tinykv.Metrics) *advice {
	p := m.Latency.Sync.Percentile(99)
	if m.Latency.Sync.Count < 10 || p < longSync {
		return nil
	}
	return &advice{
		"note", fmt.Sprintf("one sync of the log in a hundred takes %s or more", span(p)),
		"The disk takes that long to make writes safe; those that ask for it wait.",
		"Have several writers at a time, which share syncs; write batches; or leave it to DurabilityPeriodic where the last moments before a loss of power may be lost.",
	}
}

func holders(m *tinykv.Metrics) *advice {
	for _, h := range []struct {
		what   string
		oldest *tinykv.Holder
		traced *tinykv.Holder
	}{{"a snapshot or transaction", m.OldestSnapshot, m.TracedSnapshot}, {"an iterator", m.OldestIterator, m.TracedIterator}} {
		if h.oldest == nil || h.oldest.Age < longHeld {
			continue
		}
		from := ""
		if h.traced != nil && h.traced.Origin != "" {
			from = "; one was opened at " + h.traced.Origin
		}
		return &advice{
			"warning", fmt.Sprintf("%s has been open for %s%s", h.what, h.oldest.Age.Round(time.Second), from),
			"What it can see is not dropped, also when it was overwritten or deleted since: the store grows, and reads slow down.",
			"Close it as soon as it is not needed. One that is never closed is a leak.",
		}
	}
	return nil
}

func deadWeight(m *tinykv.Metrics) *advice {
	if m.TableBytes < fewBytes || m.DeadBytes*3 < m.TableBytes {
		return nil
	}
	return &advice{
		"note", fmt.Sprintf("%s of %s of tables are of no use any more", shell.Size(m.DeadBytes), shell.Size(m.TableBytes)),
		"What was overwritten or deleted has not been merged away yet, or something open can still see it.",
		"It goes by itself when the store has time; tinykv compact does it at once.",
	}
}

func tombstones(m *tinykv.Metrics) *advice {
	var entries, deletes uint64
	for _, l := range m.Levels {
		entries, deletes = entries+l.Entries, deletes+l.Deletes
	}
	if deletes < fewLookups || deletes*4 < entries {
		return nil
	}
	return &advice{
		"note", fmt.Sprintf("%d of %d entries are tombstones", deletes, entries),
		"Deleted keys leave one until it has reached the last level; scans pass over all of them.",
		"Delete stretches of keys by DeleteRange, or let values expire; tinykv compact drops the tombstones that are there.",
	}
}

func cacheMisses(m *tinykv.Metrics) *advice {
	hit := ratio(m.Cache.Hits, m.Cache.Hits+m.Cache.Misses)
	if m.Cache.Hits+m.Cache.Misses < fewLookups || hit > 0.8 || m.Cache.Size == 0 || m.Cache.Evicted+m.Cache.Rejected == 0 {
		return nil
	}
	return &advice{
		"note", fmt.Sprintf("the cache had only %.0f %% of the compressed blocks that were asked for", 100*hit),
		fmt.Sprintf("It holds %s; what is read again and again is more than that, or reads are spread over everything.", shell.Size(m.Cache.Size)),
		"Raise Options.CacheSize or MemoryBudget; or choose CompressionNone, which reads blocks where they lie.",
	}
}

func filters(m *tinykv.Metrics) *advice {
	f := &m.Filters
	if f.No+f.FalsePositives < fewLookups || f.DesignRate == 0 || f.Rate < 3*f.DesignRate {
		return nil
	}
	return &advice{
		"note", fmt.Sprintf("filters let %.2f %% of absent keys pass, where it should be %.2f %%", 100*f.Rate, 100*f.DesignRate),
		"Tables from a time with fewer BloomBitsPerKey are among them, or reads go for keys that were just deleted.",
		"tinykv compact writes tables with the present number of bits.",
	}
}

func readAmplification(m *tinykv.Metrics) *advice {
	if m.ReadAmplification < highReadAmp || m.Levels[0].Tables >= manyLevel0 {
		return nil // the latter is told already
	}
	return &advice{
		"note", fmt.Sprintf("an iterator goes over %d places", m.ReadAmplification),
		"Memtables, tables of level 0 and every level that holds tables count.",
		"It falls as compactions catch up; tinykv compact leaves one level.",
	}
}

func writeAmplification(m *tinykv.Metrics) *advice {
	if m.LogWrittenBytes < fewBytes || m.WriteAmplification < highWriteAmp {
		return nil
	}
	return &advice{
		"note", fmt.Sprintf("%.0f bytes were written for each that came in", m.WriteAmplification),
		"Keys that are spread over everything make compactions rewrite much.",
		"Raise Options.MemTableSize; write sorted data in large batches, which become tables as they are.",
	}
}
