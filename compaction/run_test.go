package compaction

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// lab makes and reads real tables on a simulated file system. It implements Files.
type lab struct {
	t    *testing.T
	fs   *simfs.FS
	num  manifest.FileNum
	opts TableOptions
	open int // files that are open
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, fs: simfs.New(), opts: TableOptions{BlockSize: 256, BitsPerKey: 10}}
	must(t, l.fs.MkdirAll("/db"))
	return l
}

func (l *lab) path(num manifest.FileNum) string { return fmt.Sprintf("/db/%d.sst", num) }

// Create implements Files.
func (l *lab) Create() (manifest.FileNum, uint64, string, vfs.File, error) {
	l.num++
	f, err := l.fs.Create(l.path(l.num))
	if err != nil {
		return 0, 0, "", nil, err
	}
	l.open++
	return l.num, uint64(l.num) * 7919, l.path(l.num), &countedFile{File: f, open: &l.open}, nil
}

// Remove implements Files.
func (l *lab) Remove(path string) error { return l.fs.Remove(path) }

// read opens a table.
func (l *lab) read(t *manifest.Table) (*sstable.Reader, error) {
	m, err := l.fs.Map(l.path(t.Num))
	if err != nil {
		return nil, err
	}
	return sstable.NewReader(m, sstable.ReaderOptions{Name: l.path(t.Num), ID: t.ID, SeqBase: t.SeqBase})
}

// input is what a Job's Open is to do.
func (l *lab) input(t *manifest.Table) (iterator.Iterator, error) {
	r, err := l.read(t)
	if err != nil {
		return nil, err
	}
	f, err := l.fs.Open(l.path(t.Num))
	if err != nil {
		return nil, err
	}
	l.open++
	return r.NewStreamIter(&countedFile{File: f, open: &l.open}), nil
}

// countedFile tells when it is closed.
type countedFile struct {
	vfs.File
	open *int
}

func (c *countedFile) Close() error {
	*c.open--
	return c.File.Close()
}

// pair is an entry with its value.
type pair struct {
	key   key.Internal
	value string
}

// parse reads entries in notation, separated by spaces.
func parse(t *testing.T, text string) (pairs []pair) {
	t.Helper()
	for _, word := range strings.Fields(text) {
		k, value, err := key.ParseInternal(word)
		must(t, err)
		pairs = append(pairs, pair{k, string(value)})
	}
	return pairs
}

// table makes a table of entries.
func (l *lab) table(pairs []pair) *manifest.Table {
	l.t.Helper()
	o := NewOutputs(l, l.opts)
	for _, p := range pairs {
		must(l.t, o.Add(p.key.Stored, p.key.Trailer, []byte(p.value)))
	}
	tables, err := o.Finish()
	must(l.t, err)
	return tables[0]
}

// tables makes tables of texts.
func (l *lab) tables(texts ...string) (tables []*manifest.Table) {
	l.t.Helper()
	for _, text := range texts {
		tables = append(tables, l.table(parse(l.t, text)))
	}
	return tables
}

// contents returns the entries of tables in notation.
func (l *lab) contents(tables ...*manifest.Table) string {
	l.t.Helper()
	var words []string
	for _, t := range tables {
		for _, p := range l.pairs(t) {
			words = append(words, p.key.String()+":"+p.value)
		}
	}
	return strings.Join(words, " ")
}

func (l *lab) pairs(t *manifest.Table) (pairs []pair) {
	l.t.Helper()
	r, err := l.read(t)
	must(l.t, err)
	it := r.NewIter()
	for kv := it.First(); kv != nil; kv = it.Next() {
		pairs = append(pairs, pair{kv.Key().Clone(), string(kv.Value)})
	}
	must(l.t, it.Err())
	return pairs
}

// job merges tables of level 0 with some of level 6, above those of deeper levels.
func (l *lab) job(upper, lower []*manifest.Table) *Job {
	v := &manifest.Version{}
	v.Levels[0], v.Levels[5] = upper, lower
	return &Job{
		Plan: newPlan(v, 0, 5, upper, Options{}), Version: v, Options: Options{TableBytes: 1 << 20},
		Open: l.input, Outputs: NewOutputs(l, l.opts),
	}
}

// files returns the names of all table files.
func (l *lab) files() string {
	names, err := l.fs.List("/db")
	must(l.t, err)
	return strings.Join(names, " ")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\ngot  %v\nwant %v", got, want)
	}
}

func TestRun_MergesInputsAndDropsWhatNobodySees(t *testing.T) {
	l := newLab(t)
	job := l.job(l.tables("a#20,SET:new c#21,DEL", "a#10,SET:old b#11,SET:b"), l.tables("a#1,SET:oldest c#2,SET:c d#3,DEL"))
	tables, stats, err := Run(t.Context(), job)
	must(t, err)
	same(t, l.contents(tables...), "a#20,SET:new b#11,SET:b")
	same(t, []uint64{stats.EntriesIn, stats.EntriesOut}, []uint64{7, 2})
	same(t, []int64{stats.BytesIn, stats.BytesOut}, []int64{job.Plan.InputBytes(), tables[0].Size})
	same(t, l.open, 0)
}

func TestRun_KeepsWhatSnapshotsSee(t *testing.T) {
	l := newLab(t)
	job := l.job(l.tables("a#20,SET:new", "a#10,DEL"), l.tables("a#5,SET:c a#3,SET:d"))
	job.Rules.Snapshots = []key.SeqNum{4, 7}
	tables, _, err := Run(t.Context(), job)
	must(t, err)
	same(t, l.contents(tables...), "a#20,SET:new a#5,SET:c a#3,SET:d")
}

func TestRun_KeepsTombstonesAboveDeeperTables(t *testing.T) {
	l := newLab(t)
	job := l.job(l.tables("a#20,DEL k#21,DEL"), nil)
	job.Version.Levels[6] = l.tables("j#1,SET:x l#2,SET:x")
	tables, _, err := Run(t.Context(), job)
	must(t, err)
	same(t, l.contents(tables...), "k#21,DEL:")
}

func TestRun_OfNothingThatSurvivesMakesNoTable(t *testing.T) {
	l := newLab(t)
	job := l.job(l.tables("a#20,DEL"), l.tables("a#1,SET:x"))
	before := l.files()
	tables, stats, err := Run(t.Context(), job)
	must(t, err)
	same(t, []any{len(tables), stats.EntriesOut, stats.BytesOut, l.files()}, []any{0, 0, 0, before})
}

func TestRun_CountsTheSequenceBaseIn(t *testing.T) {
	l := newLab(t)
	upper := l.tables("a#2,SET:new b#1,SET:b")
	upper[0].SeqBase = 100
	tables, _, err := Run(t.Context(), l.job(upper, l.tables("a#50,SET:old")))
	must(t, err)
	same(t, l.contents(tables...), "a#102,SET:new b#101,SET:b")
	same(t, fmt.Sprint(tables[0].SeqBase, tables[0].SmallestSeq, tables[0].LargestSeq), "0 101 102")
}

func TestOutputs_DescribeTheTablesTheyMade(t *testing.T) {
	l := newLab(t)
	got := l.tables("a#20,SET:xyz a#7,DEL b#11,SET:")[0]
	info, err := l.fs.Stat(l.path(got.Num))
	must(t, err)
	want := &manifest.Table{
		Num: 1, ID: 7919, Size: info.SizeBytes, Smallest: parse(t, "a#20,SET")[0].key, Largest: parse(t, "b#11,SET")[0].key,
		SmallestSeq: 7, LargestSeq: 20, Entries: 3, Deletes: 1, Shadowed: 1, DataBytes: 9,
	}
	same(t, fmt.Sprintf("%+v", *got), fmt.Sprintf("%+v", *want))
}

func TestOutputs_AreDurableButForTheirNames(t *testing.T) {
	l := newLab(t)
	l.tables("a#1,SET:x")
	for _, op := range l.fs.Unsynced() {
		if op.Kind != simfs.OpCreate {
			t.Errorf("unsynced: %v", op)
		}
	}
}

func TestOutputs_SizeIsThatOfTheTableInTheMaking(t *testing.T) {
	l := newLab(t)
	o := NewOutputs(l, l.opts)
	same(t, o.Size(), 0)
	must(t, o.Add(stored("a"), key.MakeTrailer(1, key.KindSet), make([]byte, 1000)))
	if o.Size() < 1000 {
		t.Errorf("%d", o.Size())
	}
	must(t, o.Cut(nil))
	must(t, o.Cut(nil))
	same(t, o.Size(), 0)
	must(t, o.Abort())
	must(t, o.Abort())
	same(t, l.files(), "")
}

func TestOutputs_AbortAfterFinishRemovesWhatIsNotWanted(t *testing.T) {
	l := newLab(t)
	o := NewOutputs(l, l.opts)
	for _, user := range []string{"a", "b", "c"} {
		must(t, o.Add(stored(user), key.MakeTrailer(1, key.KindSet), nil))
		must(t, o.Cut(nil))
	}
	tables, err := o.Finish()
	must(t, err)
	same(t, len(tables), 3)
	must(t, o.Abort())
	same(t, l.files(), "")
}

// ascending returns n entries of 100 bytes with different keys.
func ascending(n int, from key.SeqNum) (pairs []pair) {
	for i := range n {
		k := key.Internal{Stored: stored(fmt.Sprintf("key%05d", i)), Trailer: key.MakeTrailer(from+key.SeqNum(i), key.KindSet)}
		pairs = append(pairs, pair{k, strings.Repeat("v", 100)})
	}
	return pairs
}

func TestRun_EndsTablesAtTheirSize(t *testing.T) {
	l := newLab(t)
	job := l.job([]*manifest.Table{l.table(ascending(1000, 1))}, nil)
	job.Options.TableBytes = 10_000
	tables, _, err := Run(t.Context(), job)
	must(t, err)
	for i, out := range tables {
		if i < len(tables)-1 && (out.Size < 9000 || out.Size > 11_500) {
			t.Errorf("table %d of %d has %d bytes", i, len(tables), out.Size)
		}
	}
	same(t, l.contents(tables...), l.contents(job.Plan.Upper...))
	v := &manifest.Version{}
	v.Levels[5] = tables
	must(t, v.Check())
}

func TestRun_NeverEndsATableBetweenVersionsOfOneKey(t *testing.T) {
	l := newLab(t)
	var pairs []pair
	var snapshots []key.SeqNum
	for i := range 300 { // runs of versions, each larger than a table
		seq := key.SeqNum(1000 - i)
		pairs = append(pairs, pair{key.Internal{Stored: stored(string(rune('a' + i/50))), Trailer: key.MakeTrailer(seq, key.KindSet)}, strings.Repeat("v", 100)})
		snapshots = append(snapshots, seq)
	}
	slices.Sort(snapshots)
	job := l.job([]*manifest.Table{l.table(pairs)}, nil)
	job.Options.TableBytes, job.Rules.Snapshots = 1500, snapshots
	tables, stats, err := Run(t.Context(), job)
	must(t, err)
	same(t, []any{len(tables), stats.EntriesOut}, []any{6, 300})
	v := &manifest.Version{}
	v.Levels[5] = tables
	must(t, v.Check())
}

func TestRun_EndsATableBeforeItOverlapsTooMuchBelow(t *testing.T) {
	l := newLab(t)
	job := l.job([]*manifest.Table{l.table(ascending(1000, 1))}, nil)
	job.Options.TableBytes = 50_000
	for i := range 20 { // each as large as five tables: three are too much
		below := parseTable(t, fmt.Sprintf("%d[key%05d-key%05d]250000", i+100, i*50, i*50+49))
		job.Plan.Grandparents = append(job.Plan.Grandparents, below)
	}
	tables, _, err := Run(t.Context(), job)
	must(t, err)
	same(t, l.contents(tables...), l.contents(job.Plan.Upper...))
	for _, out := range tables {
		n := 0
		for _, below := range job.Plan.Grandparents {
			if below.Overlaps(out.Smallest.Stored, out.Largest.Stored) {
				n++
			}
		}
		if n > 4 {
			t.Errorf("a table from %v to %v overlaps %d tables below", out.Smallest, out.Largest, n)
		}
	}
}

func TestRun_OfOneSortedLevelReadsItsTablesInTurn(t *testing.T) {
	l := newLab(t)
	v := &manifest.Version{}
	v.Levels[4] = l.tables("a#5,SET:x b#6,SET:x", "d#7,SET:x e#8,DEL")
	v.Levels[5] = l.tables("b#1,SET:y c#2,SET:y", "e#3,SET:y")
	job := &Job{Plan: newPlan(v, 4, 5, v.Levels[4], Options{}), Version: v, Options: Options{TableBytes: 1 << 20}, Open: l.input, Outputs: NewOutputs(l, l.opts)}
	tables, _, err := Run(t.Context(), job)
	must(t, err)
	same(t, l.contents(tables...), "a#5,SET:x b#6,SET:x c#2,SET:y d#7,SET:x")
	same(t, l.open, 0)
}

// Failures.

// big returns a job of several thousand entries and several outputs.
func (l *lab) big() *Job {
	job := l.job([]*manifest.Table{l.table(ascending(3000, 5000)), l.table(ascending(3000, 1))}, []*manifest.Table{l.table(parse(l.t, "a#1,SET:x z#1,SET:x"))})
	job.Options.TableBytes = 100_000
	return job
}

// gone wants nothing left but the inputs, and nothing open.
func (l *lab) gone(before, what string) {
	l.t.Helper()
	if now := l.files(); now != before || l.open != 0 {
		l.t.Errorf("%s: files %s, were %s; %d files open", what, now, before, l.open)
	}
}

func TestRun_CanceledLeavesNothing(t *testing.T) {
	l := newLab(t)
	job := l.big()
	before := l.files()
	why := errors.New("closing")
	for after := range 3 {
		ctx, cancel := context.WithCancelCause(t.Context())
		job.Outputs = NewOutputs(l, l.opts)
		job.Open = func(m *manifest.Table) (iterator.Iterator, error) {
			it, err := l.input(m)
			return &canceling{Iterator: it, after: 1000 * after, cancel: func() { cancel(why) }}, err
		}
		tables, stats, err := Run(ctx, job)
		if tables != nil || stats != (Stats{}) || !errors.Is(err, why) {
			t.Errorf("%d tables, %+v, %v", len(tables), stats, err)
		}
		l.gone(before, "canceled")
	}
}

// canceling is an iterator that has something done after some moves.
type canceling struct {
	iterator.Iterator
	after  int
	cancel func()
}

func (c *canceling) Next() *iterator.KV {
	if c.after--; c.after <= 0 {
		c.cancel()
	}
	return c.Iterator.Next()
}

func TestRun_FailingOutputLeavesNothing(t *testing.T) {
	for _, kind := range []simfs.Kind{simfs.OpCreate, simfs.OpWrite, simfs.OpSync, simfs.OpClose} {
		for nth := 1; ; nth++ {
			l := newLab(t)
			job := l.big()
			before, made := l.files(), l.num
			fault := l.fs.FailCall(simfs.Fault{Nth: nth, Match: func(op simfs.Op) bool {
				num := manifest.FileNum(0)
				_, _ = fmt.Sscanf(op.Name, "/db/%d.sst", &num)
				return op.Kind == kind && num > made
			}})
			_, _, err := Run(t.Context(), job)
			if fault.Fired() == 0 {
				must(t, err)
				break
			}
			if !errors.Is(err, simfs.IOError) {
				t.Errorf("%v %d fails: %v", kind, nth, err)
			}
			l.gone(before, fmt.Sprintf("%v %d fails", kind, nth))
		}
	}
}

func TestRun_FailingInputLeavesNothing(t *testing.T) {
	for nth := 1; ; nth++ {
		l := newLab(t)
		job := l.big()
		before, made := l.files(), l.num
		fault := l.fs.FailCall(simfs.Fault{Nth: nth, Match: func(op simfs.Op) bool {
			num := manifest.FileNum(0)
			_, _ = fmt.Sscanf(op.Name, "/db/%d.sst", &num)
			return !op.Kind.Changes() && num <= made && op.Kind != simfs.OpList && op.Kind != simfs.OpStat
		}})
		_, _, err := Run(t.Context(), job)
		if fault.Fired() == 0 {
			must(t, err)
			return
		}
		if !errors.Is(err, simfs.IOError) {
			t.Errorf("call %d fails: %v", nth, err)
		}
		l.fs.Clear()
		l.gone(before, fmt.Sprintf("call %d fails", nth))
	}
}

func TestRun_DamagedInputLeavesNothingAndNamesTheFile(t *testing.T) {
	l := newLab(t)
	job := l.big()
	damaged := l.path(job.Plan.Upper[1].Num)
	m, err := l.fs.Map(damaged)
	must(t, err)
	data := bytes.Clone(m.Bytes())
	data[100_000] ^= 1
	must(t, l.fs.Remove(damaged))
	f, err := l.fs.Create(damaged)
	must(t, err)
	_, err = f.Write(data)
	must(t, err)
	before := l.files()
	_, _, err = Run(t.Context(), job)
	var e *corrupt.Error
	if !errors.As(err, &e) || e.File != damaged {
		t.Errorf("%v", err)
	}
	l.gone(before, "damaged")
}

func TestRun_MissingInputLeavesNothing(t *testing.T) {
	l := newLab(t)
	job := l.big()
	must(t, l.fs.Remove(l.path(job.Plan.Upper[1].Num)))
	before := l.files()
	if _, _, err := Run(t.Context(), job); err == nil {
		t.Error("no error")
	}
	l.gone(before, "missing")
}

// Flush.

// memory is an iterator over entries in memory.
func memory(t *testing.T, l *lab, text string) iterator.Iterator {
	t.Helper()
	if text == "" {
		return iterator.Merge()
	}
	table := l.tables(text)[0]
	r, err := l.read(table)
	must(t, err)
	must(t, l.fs.Remove(l.path(table.Num)))
	return r.NewIter()
}

func TestFlush_WritesOneTableOfWhatReadersCanSee(t *testing.T) {
	l := newLab(t)
	in := memory(t, l, "a#9,SET:new a#5,SET:seen a#4,SET:old b#7,DEL b#3,SET:x c#1,SET:c")
	tables, err := Flush(t.Context(), in, nil, Rules{Snapshots: []key.SeqNum{5}}, NewOutputs(l, l.opts))
	must(t, err)
	same(t, len(tables), 1)
	same(t, l.contents(tables...), "a#9,SET:new a#5,SET:seen b#7,DEL: b#3,SET:x c#1,SET:c")
}

func TestFlush_OfNothingMakesNoTable(t *testing.T) {
	l := newLab(t)
	tables, err := Flush(t.Context(), memory(t, l, ""), nil, Rules{}, NewOutputs(l, l.opts))
	must(t, err)
	same(t, []any{len(tables), l.files()}, []any{0, ""})
}

func TestFlush_CanceledOrFailingLeavesNothing(t *testing.T) {
	l := newLab(t)
	table := l.table(ascending(3000, 1))
	r, err := l.read(table)
	must(t, err)
	must(t, l.fs.Remove(l.path(table.Num)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Flush(ctx, r.NewIter(), nil, Rules{}, NewOutputs(l, l.opts)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	l.gone("", "canceled")
	for nth := 1; ; nth++ {
		fault := l.fs.FailCall(simfs.Fault{Nth: nth, Match: simfs.Kinds(simfs.OpCreate, simfs.OpWrite, simfs.OpSync, simfs.OpClose)})
		_, err := Flush(t.Context(), r.NewIter(), nil, Rules{}, NewOutputs(l, l.opts))
		fired := fault.Fired()
		l.fs.Clear()
		if fired == 0 {
			must(t, err)
			return
		}
		if !errors.Is(err, simfs.IOError) {
			t.Errorf("call %d fails: %v", nth, err)
		}
		l.gone("", fmt.Sprintf("call %d fails", nth))
	}
}

// The life of a tree.

func TestTree_ReadsTheSameThroughFlushesAndCompactionsUnderAllSnapshots(t *testing.T) {
	for seed := range uint64(25) {
		rng := rand.New(rand.NewPCG(seed, 0))
		l := newLab(t)
		opts := Options{L0Tables: 1 + rng.IntN(3), BaseBytes: 1000 + rng.Int64N(4000), Multiplier: 2 + rng.IntN(4), TableBytes: 600 + rng.Int64N(2000)}
		l.opts.BlockSize = 1 + rng.IntN(400)
		v := &manifest.Version{}
		var written []pair
		var snapshots []key.SeqNum
		seq := key.SeqNum(0)
		for range 25 {
			batch := map[string]pair{}
			for range 1 + rng.IntN(30) {
				seq++
				user := fmt.Sprintf("k%02d", rng.IntN(40))
				p := pair{key.Internal{Stored: stored(user), Trailer: key.MakeTrailer(seq, key.KindSet)}, fmt.Sprint("v", seq)}
				if rng.IntN(3) == 0 {
					p = pair{key.Internal{Stored: stored(user), Trailer: key.MakeTrailer(seq, key.KindDelete)}, ""}
				}
				batch[p.key.String()] = p
				written = append(written, p)
			}
			pairs := slices.SortedFunc(mapValues(batch), func(a, b pair) int { return key.Compare(a.key, b.key) })
			r, err := l.read(l.table(pairs))
			must(t, err)
			if rng.IntN(3) == 0 {
				snapshots = append(snapshots, seq)
			} else if len(snapshots) > 0 && rng.IntN(3) == 0 {
				snapshots = slices.Delete(snapshots, 0, 1)
			}
			flushed, err := Flush(t.Context(), r.NewIter(), nil, Rules{Snapshots: snapshots}, NewOutputs(l, l.opts))
			must(t, err)
			e := &manifest.Edit{}
			for _, f := range flushed {
				e.Added = append(e.Added, manifest.AddedTable{Table: f})
			}
			v, err = v.Apply(e)
			must(t, err)
			for steps := 0; ; steps++ {
				p := Pick(v, opts, none)
				if rng.IntN(10) == 0 {
					level := manifest.Level(rng.IntN(7))
					p = PickRange(v, level, max(level, Deepest(v, nil, nil)), nil, nil, opts)
				}
				if p == nil || steps > 200 {
					break
				}
				v = l.carryOut(v, p, opts, snapshots)
			}
			l.checkReads(v, written, snapshots, seed)
		}
	}
}

func mapValues(m map[string]pair) func(yield func(pair) bool) {
	return func(yield func(pair) bool) {
		for _, p := range m {
			if !yield(p) {
				return
			}
		}
	}
}

// carryOut runs a plan over real tables.
func (l *lab) carryOut(v *manifest.Version, p *Plan, opts Options, snapshots []key.SeqNum) *manifest.Version {
	l.t.Helper()
	var tables []*manifest.Table
	if !p.Move {
		var err error
		tables, _, err = Run(l.t.Context(), &Job{Plan: p, Version: v, Options: opts, Rules: Rules{Snapshots: snapshots}, Open: l.input, Outputs: NewOutputs(l, l.opts)})
		must(l.t, err)
	}
	next, err := v.Apply(p.Edit(tables))
	must(l.t, err)
	return next
}

// checkReads compares what a store would read, newest level first, with what was written.
func (l *lab) checkReads(v *manifest.Version, written []pair, snapshots []key.SeqNum, seed uint64) {
	l.t.Helper()
	tables := map[manifest.FileNum][]pair{}
	for _, level := range v.Levels {
		for _, t := range level {
			tables[t.Num] = l.pairs(t)
		}
	}
	for _, at := range append(slices.Clone(snapshots), key.MaxSeqNum) {
		for i := range 40 {
			user := stored(fmt.Sprintf("k%02d", i))
			want := "none"
			for _, p := range written { // in order of sequence numbers
				if bytes.Equal(p.key.Stored, user) && p.key.Trailer.Seq() <= at {
					if want = "none"; p.key.Trailer.Kind() == key.KindSet {
						want = p.value
					}
				}
			}
			if got := readTree(v, tables, user, at); got != want {
				l.t.Fatalf("seed %d: %s at %d: %s, want %s\nsnapshots %v\n%v", seed, key.FormatStored(user), at, got, want, snapshots, v)
			}
		}
	}
}

// readTree takes the first entry that it finds from the top down, as a store does.
func readTree(v *manifest.Version, tables map[manifest.FileNum][]pair, user []byte, at key.SeqNum) string {
	for _, level := range v.Levels {
		for _, t := range level {
			for _, p := range tables[t.Num] {
				if bytes.Equal(p.key.Stored, user) && p.key.Trailer.Seq() <= at {
					if p.key.Trailer.Kind() == key.KindDelete {
						return "none"
					}
					return p.value
				}
			}
		}
	}
	return "none"
}
