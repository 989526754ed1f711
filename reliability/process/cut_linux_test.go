package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
)

// cutStore is an open store, a table of which is cut while it is read.
type cutStore struct {
	*testing.T
	enginetest.Random
	what  string
	db    *tinykv.DB
	table string // file that is cut
	whole []byte // what was in it

	right, wrong atomic.Int64 // reads that gave the right answer, and the error
}

const cutKeys = 300

func cutKey(i int) []byte { return fmt.Appendf(nil, "key %04d", i) }

// cutValue returns the value of a key, half of which can be compressed away.
func cutValue(i int) []byte {
	r := enginetest.NewRandom(uint64(i))
	v := fmt.Appendf(nil, "%04d", i)
	for len(v) < 500 {
		v = append(v, byte(r.Uint32()))
	}
	return append(v, make([]byte, 500)...)
}

// A table that is cut under a running store is an error where it is read, that names the file; the other keys stay readable, and so do all of
// them when the file is whole again. The process lives. With and without mappings it is the same.
func TestCut_ATableThatIsCutIsAnErrorAndNoMore(t *testing.T) {
	t.Parallel()
	cuts := tally.Pick(6, 60, 300)
	var right, wrong int64
	for i := range cuts {
		s := newCutStore(t, tally.Seed()<<20+uint64(i), i)
		s.run()
		right += s.right.Load()
		wrong += s.wrong.Load()
	}
	tally.Row{
		ID: "A12", Suite: "tables cut under readers", Load: "4 readers in 10 ways, iterators, Verify, Compact; mapped and not, raw, S2, zstd",
		Faults: int64(cuts), Unit: "tables cut and made whole again",
		Counts: []tally.Count{{Name: "right answers", N: right}, {Name: "errors that name the file", N: wrong}},
		Seed:   tally.Seed(), Replay: "go test -run TestCut ./reliability/process",
	}.Record(t)
}

func newCutStore(t *testing.T, seed uint64, i int) *cutStore {
	t.Helper()
	compressions := []tinykv.Compression{tinykv.CompressionNone, tinykv.CompressionS2, tinykv.CompressionZstd}
	mappings := []tinykv.Mapping{tinykv.MapAuto, tinykv.MapOff}
	o := &tinykv.Options{
		MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 512, CacheSize: -1,
		Compression: compressions[i/2%3], Mapping: mappings[i%2],
	}
	dir := t.TempDir()
	db, err := tinykv.Open(dir, o)
	must(t, err)
	for i := range cutKeys {
		must(t, db.Put(cutKey(i), cutValue(i)))
	}
	must(t, db.Compact(context.Background(), tinykv.All()))
	s := &cutStore{T: t, Random: enginetest.NewRandom(seed), db: db}
	e, err := db.Explain(cutKey(s.IntN(cutKeys)))
	must(t, err)
	s.table = filepath.Join(dir, fmt.Sprintf("%06d.sst", e.Places[len(e.Places)-1].Table))
	s.whole, err = os.ReadFile(s.table)
	must(t, err)
	s.what = fmt.Sprintf("seed %d, mapping %d, compression %d", seed, o.Mapping, o.Compression)
	return s
}

// run cuts the table while it is read, looks at everything, makes the table whole again, and looks once more.
func (s *cutStore) run() {
	s.Helper()
	size := s.size()
	s.what = fmt.Sprintf("%s, %d of %d bytes left", s.what, size, len(s.whole))
	var done atomic.Bool
	var readers sync.WaitGroup
	for i := range 4 {
		r := enginetest.NewRandom(s.Uint64())
		readers.Go(func() {
			for n := 0; n < 20 || !done.Load(); n++ {
				s.read(cutWays[(n+i)%len(cutWays)], r.IntN(cutKeys))
			}
		})
	}
	must(s.T, os.Truncate(s.table, size))
	done.Store(true)
	readers.Wait()
	if s.everyKey() > 0 { // else it was index and filter alone, which are in memory where nothing is mapped
		s.wholeReads()
	}
	s.restore()
	if n := s.everyKey(); n > 0 {
		s.Errorf("%s: %d reads fail though the file is whole again", s.what, n)
	}
	must(s.T, s.db.Compact(context.Background(), tinykv.All()))
	report, err := s.db.Verify(context.Background(), nil)
	must(s.T, err)
	must(s.T, report.Err())
	must(s.T, s.db.Close())
}

// size draws how much is left of the table: whole pages, since what is cut off within a mapped page reads as zeros, see
// docs/GUARANTEES.md; now and then nothing.
func (s *cutStore) size() int64 {
	page := os.Getpagesize()
	pages := (len(s.whole) - 1) / page
	if pages == 0 || s.OneIn(8) {
		return 0
	}
	return int64(s.IntN(pages+1) * page)
}

// restore writes back what was cut off.
func (s *cutStore) restore() {
	s.Helper()
	f, err := os.OpenFile(s.table, os.O_WRONLY, 0)
	must(s.T, err)
	_, err = f.WriteAt(s.whole, 0)
	must(s.T, errors.Join(err, f.Close()))
}

// cutWay reads a key. It returns nil where it does not tell the value.
type cutWay struct {
	name string
	back bool
	read func(db *tinykv.DB, k []byte) ([]byte, error)
}

var cutWays = []cutWay{
	{"Get", false, func(db *tinykv.DB, k []byte) ([]byte, error) { return db.Get(k) }},
	{"GetTo", false, func(db *tinykv.DB, k []byte) ([]byte, error) { return db.GetTo(nil, k) }},
	{"Peek", false, func(db *tinykv.DB, k []byte) (v []byte, err error) {
		err = db.Peek(k, func(lent []byte) error { v = bytes.Clone(lent); return nil })
		return v, err
	}},
	{"Has", false, func(db *tinykv.DB, k []byte) ([]byte, error) {
		has, err := db.Has(k)
		if err == nil && !has {
			err = tinykv.ErrNotFound
		}
		return nil, err
	}},
	{"GetMulti", false, func(db *tinykv.DB, k []byte) ([]byte, error) {
		v, err := db.GetMulti(k, []byte("absent"))
		if err != nil {
			return nil, err
		}
		return v[0], nil
	}},
	{"Scan", false, func(db *tinykv.DB, k []byte) ([]byte, error) { return firstOf(db, tinykv.Between(k, nil)) }},
	{"Scan back", true, func(db *tinykv.DB, k []byte) ([]byte, error) {
		return firstOf(db, tinykv.Between(nil, append(bytes.Clone(k), 0)), tinykv.Reverse)
	}},
	{"SeekGE", false, func(db *tinykv.DB, k []byte) ([]byte, error) {
		return sought(db, func(it *tinykv.Iterator) bool { return it.SeekGE(k) })
	}},
	{"SeekLT", true, func(db *tinykv.DB, k []byte) ([]byte, error) {
		return sought(db, func(it *tinykv.Iterator) bool { return it.SeekLT(append(bytes.Clone(k), 0)) })
	}},
	{"snapshot", false, func(db *tinykv.DB, k []byte) ([]byte, error) {
		s, err := db.NewSnapshot()
		if err != nil {
			return nil, err
		}
		defer s.Close()
		return s.Get(k)
	}},
}

// firstOf returns the value of the first entry of a scan.
func firstOf(db *tinykv.DB, r tinykv.Range, opts ...tinykv.ScanOption) ([]byte, error) {
	for item, err := range db.Scan(r, opts...) {
		return item.Value, err
	}
	return nil, tinykv.ErrNotFound
}

// sought returns the value that an iterator is moved to. It is touched under no guard, so nothing may cut the file meanwhile: the
// iterator stands in a block that it has just verified.
func sought(db *tinykv.DB, seek func(it *tinykv.Iterator) bool) (v []byte, err error) {
	it, err := db.NewIter(tinykv.All())
	if err != nil {
		return nil, err
	}
	defer it.Close()
	if !seek(it) {
		return nil, errors.Join(it.Err(), notThere(it))
	}
	return nil, nil
}

// notThere is the error of an iterator that found nothing and has none.
func notThere(it *tinykv.Iterator) error {
	if it.Err() != nil {
		return nil
	}
	return tinykv.ErrNotFound
}

// read reads a key in one way, and wants the right answer or the error. It tells which it was.
func (s *cutStore) read(way cutWay, i int) (ok bool) {
	v, err := way.read(s.db, cutKey(i))
	switch {
	case err != nil:
		s.wrong.Add(1)
		s.wantNamed(way.name, err)
		return false
	case v != nil && !bytes.Equal(v, cutValue(i)):
		s.Errorf("%s: %s of %s: %.20q", s.what, way.name, cutKey(i), v)
	}
	s.right.Add(1)
	return true
}

// wantNamed wants an error to be damage of the table that was cut.
func (s *cutStore) wantNamed(what string, err error) {
	if !errors.Is(err, tinykv.ErrCorrupt) || !strings.Contains(err.Error(), filepath.Base(s.table)) {
		s.Errorf("%s: %s: %v, want ErrCorrupt that names %s", s.what, what, err, s.table)
	}
}

// everyKey reads every key in every way, wants those of other tables to be there, and returns how many reads failed.
func (s *cutStore) everyKey() (failed int64) {
	before, wasElsewhere := s.wrong.Load(), true
	for i := range cutKeys {
		e, err := s.db.Explain(cutKey(i))
		elsewhere := err == nil && filepath.Base(s.table) != fmt.Sprintf("%06d.sst", e.Places[len(e.Places)-1].Table)
		for _, way := range cutWays {
			// A move back looks one entry further, for a newer one of the same key.
			mustRead := elsewhere && (wasElsewhere || !way.back)
			if ok := s.read(way, i); !ok && mustRead {
				s.Errorf("%s: %s of %s, which is in another table", s.what, way.name, cutKey(i))
			}
		}
		wasElsewhere = elsewhere
	}
	return s.wrong.Load() - before
}

// wholeReads wants what reads all of the store to tell of the damage, and writes to go on.
func (s *cutStore) wholeReads() {
	ctx := context.Background()
	for name, err := range map[string]error{
		"Scan":    last(enginetest.Collect(s.db.Scan(tinykv.All()))),
		"back":    last(enginetest.Collect(s.db.Scan(tinykv.All(), tinykv.Reverse))),
		"Verify":  s.verify(),
		"Compact": s.compact(ctx),
	} {
		if err == nil {
			s.Errorf("%s: %s does not tell", s.what, name)
			continue
		}
		s.wantNamed(name, err)
	}
	if n, err := s.db.Count(ctx, tinykv.All()); err != nil { // it may do with what it has in memory
		s.wantNamed("Count", err)
	} else if n != cutKeys {
		s.Errorf("%s: Count: %d", s.what, n)
	}
	must(s.T, s.db.Put(cutKey(0), cutValue(0), tinykv.Sync))
	must(s.T, s.db.Put(cutKey(cutKeys-1), cutValue(cutKeys-1)))
	must(s.T, s.db.Flush(ctx))
}

func last[T any](_ T, err error) error { return err }

func (s *cutStore) verify() error {
	report, err := s.db.Verify(context.Background(), nil)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(report.Problems, func(p *tinykv.CorruptionError) bool { return p.File == s.table }) {
		return fmt.Errorf("%v", report)
	}
	return report.Problems[0]
}

// compact wants all tables to be merged, for which there must be something in memory on either side of them.
func (s *cutStore) compact(ctx context.Context) error {
	must(s.T, s.db.Put(cutKey(0), cutValue(0)))
	must(s.T, s.db.Put(cutKey(cutKeys-1), cutValue(cutKeys-1)))
	return s.db.Compact(ctx, tinykv.All())
}
