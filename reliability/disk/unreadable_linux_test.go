package disk

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
)

// unreadable is a store on a disk whose end cannot be read any more.
type unreadable struct {
	*testing.T
	enginetest.Random
	volume  *Volume
	options tinykv.Options
	model   enginetest.Model
	db      *tinykv.DB

	from   int64               // the disk is gone from here on
	upper  string              // the table above the others
	places map[string][]string // files that a key is looked for in
	within map[string]bool     // files that are still whole

	answered, refused     int64 // reads
	wholeRefused          int64 // of these, reads of the whole store
	compactions, unopened int64 // that failed
}

func (r *unreadable) open() {
	r.Helper()
	var err error
	if r.db, err = tinykv.Open(r.volume.Store(), &r.options); err != nil {
		r.Fatal(err)
	}
}

func (r *unreadable) close() {
	r.Helper()
	r.volume.must(r.db.Close())
	r.db = nil
}

// fill makes a store of several tables and one above them, and notes where each key is looked for.
func (r *unreadable) fill() {
	r.Helper()
	const entries = 400
	r.open()
	put := func(i int) {
		k, v := fmt.Sprintf("%05d", i), make([]byte, 500+r.IntN(1000))
		for j := range v {
			v[j] = byte(r.Uint32())
		}
		r.volume.must(r.db.Put([]byte(k), v))
		r.model.Put(k, string(v))
	}
	for i := range entries {
		put(i)
	}
	r.volume.must(r.db.Compact(r.Context(), tinykv.All()))
	r.places = map[string][]string{}
	r.look() // before others lie above them
	for i := range 20 {
		put(entries/3 + 3*i)
	}
	r.volume.must(r.db.Flush(r.Context()))
	r.upper = r.look()
	r.close() // which is when what is not needed any more is removed at the latest
}

// look notes where Get looks for each key, and returns the last table of level 0 that it met.
func (r *unreadable) look() (upper string) {
	r.Helper()
	for _, e := range r.model.Entries(tinykv.All()) {
		explained, err := r.db.Explain([]byte(e.Key))
		r.volume.must(err)
		for _, p := range explained.Places {
			if p.Kind != "table" {
				continue
			}
			file := filepath.Join(r.volume.Store(), fmt.Sprintf("%06d.sst", p.Table))
			r.places[e.Key] = append(r.places[e.Key], file)
			if p.Level == 0 {
				upper = file
			}
		}
	}
	return upper
}

// cutOff takes the end of the disk away, from within some table on.
func (r *unreadable) cutOff() (restore func()) {
	r.Helper()
	r.volume.syncAll()
	files, err := filepath.Glob(filepath.Join(r.volume.Store(), "*.sst"))
	r.volume.must(err)
	var all []extent
	for _, file := range files {
		all = append(all, r.volume.extents(file)...)
	}
	at := all[r.IntN(len(all))]
	r.from = at.onDisk + r.Int64N(at.size/blockBytes)*blockBytes
	r.within = map[string]bool{}
	for _, file := range files {
		r.within[file] = !slices.ContainsFunc(r.volume.extents(file), func(e extent) bool { return e.onDisk+e.size > r.from })
	}
	return r.volume.CutOff(r.from)
}

// openLate opens the store on a disk that cannot be read, which says so or works as far as it can.
func (r *unreadable) openLate() {
	r.Helper()
	db, err := tinykv.Open(r.volume.Store(), &r.options)
	switch {
	case err == nil:
		r.db = db
	case errors.Is(err, tinykv.ErrCorrupt) || !strings.Contains(err.Error(), r.volume.Store()):
		r.Errorf("open: %v", err)
	default:
		r.db = nil
		r.unopened++
	}
}

// inReach tells whether all files are whole that a key is looked for in.
func (r *unreadable) inReach(key string) bool {
	return !slices.ContainsFunc(r.places[key], func(file string) bool { return !r.within[file] })
}

// judge counts the outcome of a read. An error must say what could not be read, and not that a key is missing or a file damaged.
func (r *unreadable) judge(what string, err error) (worked bool) {
	r.Helper()
	if err == nil {
		r.answered++
		return true
	}
	r.refused++
	if !errors.Is(err, unix.EIO) || errors.Is(err, tinykv.ErrNotFound) || errors.Is(err, tinykv.ErrCorrupt) || !strings.Contains(err.Error(), ".sst") {
		r.Errorf("%s: %v", what, err)
	}
	return false
}

// reads are the ways to read one key.
var reads = []struct {
	name string
	read func(db *tinykv.DB, key []byte) (string, error)
}{
	{"Get", func(db *tinykv.DB, key []byte) (string, error) {
		v, err := db.Get(key)
		return string(v), err
	}},
	{"GetTo", func(db *tinykv.DB, key []byte) (string, error) {
		v, err := db.GetTo(nil, key)
		return string(v), err
	}},
	{"Peek", func(db *tinykv.DB, key []byte) (got string, err error) {
		err = db.Peek(key, func(v []byte) error { got = string(v); return nil })
		return got, err
	}},
	{"GetMulti", func(db *tinykv.DB, key []byte) (string, error) {
		v, err := db.GetMulti(key)
		if err != nil {
			return "", err
		}
		return string(v[0]), nil
	}},
	{"Scan", func(db *tinykv.DB, key []byte) (string, error) {
		e, err := enginetest.Collect(db.Scan(tinykv.Between(key, append(slices.Clip(key), 0))))
		if err != nil || len(e) != 1 {
			return "", err
		}
		return e[0].Value, nil
	}},
	{"Iterator", func(db *tinykv.DB, key []byte) (string, error) {
		it, err := db.NewIter(tinykv.All())
		if err != nil {
			return "", err
		}
		defer it.Close()
		if !it.SeekGE(key) {
			return "", it.Err()
		}
		return string(it.Value()), nil
	}},
}

// readEach reads every key in all ways: right, or with an error where it may be out of reach.
func (r *unreadable) readEach() {
	r.Helper()
	for _, e := range r.model.Entries(tinykv.All()) {
		for _, way := range reads {
			got, err := way.read(r.db, []byte(e.Key))
			switch worked := r.judge(way.name+" of "+e.Key, err); {
			case worked && got != e.Value:
				r.Errorf("%s of %s: %.20q, want %.20q", way.name, e.Key, got, e.Value)
			case !worked && r.inReach(e.Key):
				r.Errorf("%s of %s, which is in reach: %v", way.name, e.Key, err)
			}
		}
		if has, err := r.db.Has([]byte(e.Key)); r.judge("Has", err) && !has {
			r.Errorf("%s is missing", e.Key)
		}
	}
}

// isStart wants entries to be those of the model from the first on, and all of them where nothing failed.
func (r *unreadable) isStart(what string, got, want []enginetest.Entry, err error) {
	r.Helper()
	if worked := r.judge(what, err); len(got) > len(want) || !slices.Equal(got, want[:len(got)]) || worked && len(got) < len(want) {
		r.Errorf("%s: %d entries, %v", what, len(got), err)
	}
}

// walk moves an iterator through the store.
func (r *unreadable) walk(first, next func(it *tinykv.Iterator) bool) (got []enginetest.Entry, err error) {
	r.Helper()
	it, err := r.db.NewIter(tinykv.All())
	if err != nil {
		return nil, err
	}
	for ok := first(it); ok; ok = next(it) {
		got = append(got, enginetest.Entry{Key: string(it.Key()), Value: string(it.Value())})
	}
	err = it.Err()
	r.volume.must(it.Close())
	return got, err
}

// seekAll seeks every key with one iterator, which a failure leaves in order.
func (r *unreadable) seekAll() {
	r.Helper()
	it, err := r.db.NewIter(tinykv.All())
	if !r.judge("NewIter", err) {
		return
	}
	defer it.Close()
	for _, e := range r.model.Entries(tinykv.All()) {
		found := it.SeekGE([]byte(e.Key))
		switch worked := r.judge("SeekGE "+e.Key, it.Err()); {
		case worked && (!found || string(it.Key()) != e.Key || string(it.Value()) != e.Value):
			r.Errorf("SeekGE %s: %v, %.20q", e.Key, found, it.Key())
		case !worked && r.inReach(e.Key):
			r.Errorf("SeekGE %s, which is in reach: %v", e.Key, it.Err())
		}
	}
}

// readAll reads the whole store in all ways: right, or with an error behind what was right.
func (r *unreadable) readAll() {
	r.Helper()
	before := r.refused
	want := r.model.Entries(tinykv.All())
	got, err := enginetest.Collect(r.db.Scan(tinykv.All()))
	r.isStart("Scan", got, want, err)
	got, err = r.walk((*tinykv.Iterator).First, (*tinykv.Iterator).Next)
	r.isStart("Next", got, want, err)
	slices.Reverse(want)
	got, err = enginetest.Collect(r.db.Scan(tinykv.All(), tinykv.Reverse))
	r.isStart("Scan back", got, want, err)
	got, err = r.walk((*tinykv.Iterator).Last, (*tinykv.Iterator).Prev)
	r.isStart("Prev", got, want, err)
	n, err := r.db.Count(r.Context(), tinykv.All())
	if r.judge("Count", err) && n != uint64(len(want)) {
		r.Errorf("Count: %d, want %d", n, len(want))
	}
	var keys [][]byte
	for _, e := range want {
		keys = append(keys, []byte(e.Key))
	}
	values, err := r.db.GetMulti(keys...)
	if r.judge("GetMulti", err) {
		for i, e := range want {
			if string(values[i]) != e.Value {
				r.Errorf("GetMulti: %s is %.20q, want %.20q", e.Key, values[i], e.Value)
			}
		}
	}
	report, err := r.db.Verify(r.Context(), nil)
	r.volume.must(err)
	if report.Err() == nil { // it says of every file what it could not read
		r.answered++
	} else {
		r.refused++
	}
	r.wholeRefused += r.refused - before
}

// whole wants every read to be right: the disk is.
func (r *unreadable) whole() {
	r.Helper()
	before := r.refused
	r.readEach()
	r.seekAll()
	r.readAll()
	if r.refused > before {
		r.Errorf("%d reads of a whole disk fail", r.refused-before)
	}
}

// comeBack has everything back that was out of reach, at once and after another opening.
func (r *unreadable) comeBack(restore func()) {
	r.Helper()
	restore()
	if r.db == nil {
		r.open()
	}
	r.whole()                                                                 // nothing is kept of the failures
	if err := r.db.Close(); err != nil && !errors.Is(err, tinykv.ErrFailed) { // its log may have been out of reach
		r.Error(err)
	}
	r.volume.Remount()
	checkFiles(r, r.volume.Store())
	r.open()
	r.whole()
	r.volume.must(r.db.Compact(r.Context(), tinykv.All()))
	r.whole()
	r.close()
}

// compact compacts the store, which cannot work where what it must read is out of reach.
func (r *unreadable) compact(warm bool) {
	r.Helper()
	err := r.db.Compact(r.Context(), tinykv.All())
	switch {
	case err != nil:
		r.refused++
		r.compactions++
	case !warm && !r.within[r.upper]:
		r.Errorf("Compact of %s, which is out of reach, works", r.upper)
	default:
		r.answered++
	}
}

func TestUnreadable_DiskIsAnErrorWhereItIsReadAndNoMore(t *testing.T) {
	const (
		cold    = iota // opened before the disk fails, and not read
		warm           // read, too
		evicted        // read, but the system has given its pages away since
		late           // opened afterwards
	)
	for n := range tally.Pick(3, 12, 60) {
		mapping, when := []tinykv.Mapping{tinykv.MapAuto, tinykv.MapOff}[n%2], []int{cold, evicted, warm, evicted, late}[n/2%5]
		compression := []tinykv.Compression{tinykv.CompressionNone, tinykv.CompressionS2}[n/3%2]
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			seed := tally.Seed()<<16 + uint64(n)
			r := &unreadable{T: t, Random: enginetest.NewRandom(seed), volume: New(t, Settings{Kind: Ext4, Bytes: 16 << 20})}
			r.options = *smallOptions(nil, tinykv.DurabilityPeriodic)
			r.options.Mapping, r.options.Compression = mapping, compression
			r.volume.Allocate()
			r.fill()
			if when != late {
				r.open()
			}
			if when == warm || when == evicted {
				r.readAll()
			}
			if when == evicted {
				r.volume.Evict()
			}
			restore := r.cutOff()
			if when == late {
				r.openLate()
			}
			if r.db != nil {
				r.readEach()
				r.seekAll()
				r.readAll()
				r.compact(when == warm)
				r.readEach()
			}
			r.comeBack(restore)
			tally.Row{
				ID: "A12", Suite: "disks that cannot be read", Load: "reads in all ways and compactions, with mappings and without; the store was open before, cold, warm or with its pages given away, or was opened then",
				Faults: 1, Unit: "disks cut off within a table",
				Counts: []tally.Count{
					{Name: "reads that were right", N: r.answered},
					{Name: "reads that said what could not be read", N: r.refused},
					{Name: "of these of the whole store", N: r.wholeRefused},
					{Name: "compactions that could not read", N: r.compactions},
					{Name: "stores that could not be opened until the disk was back", N: r.unopened},
				},
				Seed: tally.Seed(), Replay: "go test -run TestUnreadable ./reliability/disk",
			}.Record(t)
		})
	}
}
