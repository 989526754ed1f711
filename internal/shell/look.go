package shell

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tinykv/tinykv"
)

func (s *Session) info(c *call) error {
	c.out.page(Info(s.db.Metrics()))
	return nil
}

// Info tells in a few lines what there is and how large it is.
func Info(m *tinykv.Metrics) string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s "+format+"\n", append([]any{name}, args...)...)
	}
	all, levels := totals(m)
	row("keys", "about %d", m.Keys)
	row("buckets", "%d", m.Buckets)
	row("tables", "%d in %s, %s", all.Tables, Counted(levels, "level"), Size(all.Bytes))
	row("entries", "%d, of which %s; %s of keys and values", all.Entries, Counted(all.Deletes, "tombstone"), Size(all.DataBytes))
	row("memory", "%s of memtables, %s of cache, of a budget of %s", Size(m.Memory.MemTables), Size(m.Memory.Cache), Size(m.Memory.Budget))
	row("sequence", "%d, up to %d on stable storage", m.LastSeq, m.DurableSeq)
	return b.String()
}

// totals adds up the levels, and counts those that hold tables.
func totals(m *tinykv.Metrics) (all tinykv.LevelMetrics, levels int) {
	for _, l := range m.Levels {
		all.Tables += l.Tables
		all.Bytes += l.Bytes
		all.DataBytes += l.DataBytes
		all.Entries += l.Entries
		all.Deletes += l.Deletes
		if l.Tables > 0 {
			levels++
		}
	}
	return all, levels
}

func (s *Session) stats(c *call) error {
	c.out.page(s.db.Metrics().String())
	return nil
}

func (s *Session) levels(c *call) error {
	c.out.page(Levels(s.db.Metrics()))
	return nil
}

// Levels is a table with a line for each level that holds tables, at most 80 columns wide.
func Levels(m *tinykv.Metrics) string {
	var b strings.Builder
	b.WriteString("level  tables       size       data    entries  deletes     target  score\n")
	for n := range m.Levels {
		if l := &m.Levels[n]; l.Tables > 0 {
			fmt.Fprintf(&b, "L%-5d", n)
			writeLevel(&b, l)
		}
	}
	all, _ := totals(m)
	b.WriteString("total ")
	writeLevel(&b, &all)
	fmt.Fprintf(&b, "level 0 is merged into L%d; a score of 1 makes a compaction due\n", m.BaseLevel)
	return b.String()
}

func writeLevel(b *strings.Builder, l *tinykv.LevelMetrics) {
	target, score := "-", "-"
	if l.TargetBytes > 0 {
		target = Size(l.TargetBytes)
	}
	if l.Score > 0 {
		score = fmt.Sprintf("%.2f", l.Score)
	}
	fmt.Fprintf(b, " %6d %10s %10s %10d %8d %10s %6s\n", l.Tables, Size(l.Bytes), Size(l.DataBytes), l.Entries, l.Deletes, target, score)
}

func (s *Session) explain(c *call) error {
	explain := s.db.Explain
	if s.bucket != "" {
		explain = s.db.Bucket(s.bucket).Explain
	}
	x, err := explain(c.args.key(0))
	if x != nil {
		c.out.page(x.String())
	}
	if s.tx != nil && err == nil {
		c.out.printf("-- of the store as it is, without the transaction\n")
	}
	return err
}

func (s *Session) buckets(c *call) error {
	names, err := s.db.Buckets()
	for i, name := range names {
		line := Quote([]byte(name))
		if !c.out.room(len(line) + 100) {
			c.out.printf("-- and %d more\n", len(names)-i)
			break
		}
		c.out.printf("%s\n", line)
	}
	if err == nil && len(names) == 0 {
		c.out.printf("-- no buckets; the first write to one makes it: use fruit\n")
	}
	return err
}

func (s *Session) use(c *call) error {
	if len(c.args.plain) == 0 {
		s.bucket = ""
		return nil
	}
	name := c.args.plain[0].text
	if name == "" || len(name) > 255 {
		return Mistake("the name of a bucket has 1 to 255 bytes; use alone leaves buckets")
	}
	names, err := s.db.Buckets()
	if err != nil {
		return err
	}
	if s.bucket = name; !slices.Contains(names, name) {
		c.out.printf("there is no bucket %s yet; the first put makes it\n", Quote([]byte(name)))
	}
	return nil
}

// inTransaction is a mistake where a word is about the store as a whole.
func (s *Session) inTransaction(what string) error {
	if s.tx == nil {
		return nil
	}
	return mistakef("%s takes no part in a transaction; commit or rollback first", what)
}

func (s *Session) flush(c *call) error {
	if err := s.db.Flush(c.ctx); err != nil {
		return err
	}
	c.out.printf("ok, %s of tables\n", Size(s.db.Metrics().TableBytes))
	return nil
}

func (s *Session) sync(c *call) error {
	if err := s.db.Sync(); err != nil {
		return err
	}
	c.out.printf("ok, up to sequence number %d\n", s.db.Metrics().DurableSeq)
	return nil
}

func (s *Session) resume(c *call) error {
	if err := s.db.Resume(); err != nil {
		return err
	}
	c.out.printf("ok\n")
	return nil
}

func (s *Session) compact(c *call) error {
	r, err := c.args.bounds()
	if err != nil {
		return err
	}
	compact := s.db.Compact
	if s.bucket != "" {
		compact = s.db.Bucket(s.bucket).Compact
	}
	before := s.db.Metrics().TableBytes
	if err := compact(c.ctx, r); err != nil {
		return err
	}
	c.out.printf("tables: %s before, %s now\n", Size(before), Size(s.db.Metrics().TableBytes))
	return nil
}

func (s *Session) verify(c *call) error {
	report, err := s.db.Verify(c.ctx, nil)
	if report == nil {
		return err
	}
	c.out.page(report.String())
	return errors.Join(err, report.Err())
}

func (s *Session) clear(c *call) error {
	if err := s.inTransaction("clear"); err != nil {
		return err
	}
	what := "outside of buckets"
	if s.bucket != "" {
		what = "in bucket " + Quote([]byte(s.bucket))
	}
	if !c.args.has("yes") {
		return mistakef("that deletes every key %s; if it is meant, type clear --yes", what)
	}
	if err := s.space().DeleteRange(nil, nil); err != nil {
		return err
	}
	c.out.printf("ok, no keys %s\n", what)
	return nil
}

func (s *Session) help(c *call) error {
	if len(c.args.plain) > 0 {
		w, err := find(c.args.plain[0].text)
		if err != nil {
			return err
		}
		c.out.printf("%s\n%s\n", w.line(), w.help)
		return nil
	}
	for _, w := range words() {
		c.out.printf("%-9s %s\n", w.name, w.help)
	}
	c.out.printf("Quote what holds spaces: \"a b\\xff\" with escapes, 'a b' without. help WORD tells more.\n")
	return nil
}

func (s *Session) quit(*call) error { return errQuit }
