// Updates counts in transactions, in tinykv and in engines that have transactions too: each adds one to a counter that it reads before,
// by one or several writers at once, all on one counter or each on its own. It prints a table in Markdown, and checks every
// sum.
//
//	go run ./updates                 1 and 8 writers, each store killed and power safe (synced) in turn
//	go run ./updates -n 20000 -repetitions 5
//
// In tinykv it counts by Merge too, which needs no transaction.
package main

import (
	"cmp"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.etcd.io/bbolt"

	"github.com/tinykv/tinykv"
)

// counters is a store of counters.
type counters interface {
	add(counter []byte) error
	get(counter []byte) (uint64, error)
	Close() error
}

// contender is a way to count.
type contender struct {
	name string
	open func(dir string, sync bool) (counters, error)
}

func contenders() []contender {
	return []contender{
		{"tinykv Update", func(dir string, sync bool) (counters, error) { return openTiny(dir, sync, tinyUpdate{}) }},
		{"tinykv Merge", func(dir string, sync bool) (counters, error) { return openTiny(dir, sync, tinyMerge{}) }},
		{"Badger Update", openBadger},
		{"bbolt Update", openBolt},
	}
}

// tiny is a store of tinykv, and a way to count in it.
type tiny struct {
	db *tinykv.DB
	by interface {
		add(db *tinykv.DB, counter []byte) error
	}
}

func openTiny(dir string, sync bool, by interface {
	add(db *tinykv.DB, counter []byte) error
},
) (counters, error) {
	o := &tinykv.Options{MergeOperator: tinykv.MergeAddInt64}
	if sync {
		o.Durability = tinykv.DurabilitySync
	}
	db, err := tinykv.Open(dir, o)
	if err != nil {
		return nil, err
	}
	return &tiny{db: db, by: by}, nil
}

func (t *tiny) add(counter []byte) error { return t.by.add(t.db, counter) }

func (t *tiny) get(counter []byte) (uint64, error) {
	v, err := t.db.Get(counter)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(v), nil
}

func (t *tiny) Close() error { return t.db.Close() }

type tinyUpdate struct{}

func (tinyUpdate) add(db *tinykv.DB, counter []byte) error {
	for { // Update gives up after some tries; who counts does not
		err := db.Update(func(tx *tinykv.Tx) error {
			var buf [8]byte
			v, err := tx.GetTo(buf[:0], counter)
			if err != nil && !errors.Is(err, tinykv.ErrNotFound) {
				return err
			}
			n, _ := tinykv.DecodeInt64(v)
			binary.LittleEndian.PutUint64(buf[:], uint64(n+1))
			return tx.Put(counter, buf[:])
		})
		if !errors.Is(err, tinykv.ErrConflict) {
			return err
		}
	}
}

type tinyMerge struct{}

func (tinyMerge) add(db *tinykv.DB, counter []byte) error {
	one := [8]byte{1}
	return db.Merge(counter, one[:])
}

type badgerStore struct{ *badger.DB }

func openBadger(dir string, sync bool) (counters, error) {
	db, err := badger.Open(badger.DefaultOptions(dir).WithLogger(nil).WithSyncWrites(sync))
	if err != nil {
		return nil, err
	}
	return badgerStore{db}, nil
}

func (b badgerStore) add(counter []byte) error {
	for {
		err := b.Update(func(tx *badger.Txn) error {
			var buf [8]byte
			item, err := tx.Get(counter)
			switch {
			case errors.Is(err, badger.ErrKeyNotFound):
			case err != nil:
				return err
			default:
				if _, err := item.ValueCopy(buf[:]); err != nil {
					return err
				}
			}
			next := binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64(buf[:])+1)
			return tx.Set(slices.Clone(counter), next)
		})
		if !errors.Is(err, badger.ErrConflict) {
			return err
		}
	}
}

func (b badgerStore) get(counter []byte) (n uint64, err error) {
	err = b.View(func(tx *badger.Txn) error {
		item, err := tx.Get(counter)
		if err != nil {
			return err
		}
		return item.Value(func(v []byte) error { n = binary.LittleEndian.Uint64(v); return nil })
	})
	return n, err
}

type boltStore struct{ *bbolt.DB }

var boltBucket = []byte("counters")

func openBolt(dir string, sync bool) (counters, error) {
	db, err := bbolt.Open(filepath.Join(dir, "bolt.db"), 0o600, &bbolt.Options{NoSync: !sync, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	return boltStore{db}, db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucketIfNotExists(boltBucket); return err })
}

func (b boltStore) add(counter []byte) error {
	return b.Update(func(tx *bbolt.Tx) error {
		in := tx.Bucket(boltBucket)
		n := uint64(0)
		if v := in.Get(counter); v != nil {
			n = binary.LittleEndian.Uint64(v)
		}
		return in.Put(counter, binary.LittleEndian.AppendUint64(nil, n+1))
	})
}

func (b boltStore) get(counter []byte) (n uint64, err error) {
	err = b.View(func(tx *bbolt.Tx) error {
		n = binary.LittleEndian.Uint64(tx.Bucket(boltBucket).Get(counter))
		return nil
	})
	return n, err
}

// load is what is done to a store.
type load struct {
	writers int
	hot     bool // all count in one counter
	sync    bool
}

func (l load) String() string {
	where := "each its own counter"
	if l.hot {
		where = "one counter"
	}
	if l.writers == 1 {
		where = "one counter"
	}
	durable := "survives a killed process"
	if l.sync {
		durable = "survives power loss"
	}
	return fmt.Sprintf("%d writers, %s, %s", l.writers, where, durable)
}

func main() {
	n := flag.Int("n", 40_000, "additions of each run, all writers together; a tenth of that where they are synced")
	repetitions := flag.Int("repetitions", 3, "runs of each, in random turns; medians are shown")
	dir := flag.String("dir", "", "directory for the stores; empty: one of the system's for temporary files")
	flag.Parse()
	if err := run(*n, *repetitions, *dir); err != nil {
		log.Fatal(err)
	}
}

func run(n, repetitions int, dir string) error {
	fmt.Printf("%s, %d processors; %d additions a run, %d where synced; median of %d runs, additions per second\n\n", runtime.Version(), runtime.GOMAXPROCS(0), n, n/10, repetitions)
	fmt.Print("| load |")
	for _, c := range contenders() {
		fmt.Printf(" %s |", c.name)
	}
	fmt.Print("\n| --- |")
	for range contenders() {
		fmt.Print(" ---: |")
	}
	fmt.Println()
	for _, sync := range []bool{false, true} {
		for _, l := range []load{{1, true, sync}, {8, true, sync}, {8, false, sync}} {
			if err := compare(l, n, repetitions, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare prints a row.
func compare(l load, n, repetitions int, dir string) error {
	if l.sync {
		n /= 10
	}
	rates := map[string][]float64{}
	for range repetitions {
		order := contenders()
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, c := range order {
			rate, err := count(c, l, n, dir)
			if err != nil {
				return fmt.Errorf("%s, %v: %w", c.name, l, err)
			}
			rates[c.name] = append(rates[c.name], rate)
		}
	}
	fmt.Printf("| %v |", l)
	for _, c := range contenders() {
		slices.SortFunc(rates[c.name], cmp.Compare)
		fmt.Printf(" %.0f |", rates[c.name][repetitions/2])
	}
	fmt.Println()
	return nil
}

// count runs one load on a new store, checks the sums, and returns the additions per second.
func count(c contender, l load, n int, dir string) (rate float64, err error) {
	at, err := os.MkdirTemp(dir, "updates-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(at)
	store, err := c.open(at, l.sync)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	counter := func(w int) []byte {
		if l.hot {
			w = 0
		}
		return fmt.Appendf(nil, "counter %d", w)
	}
	var left atomic.Int64
	left.Store(int64(n))
	errs := make([]error, l.writers)
	var all sync.WaitGroup
	start := time.Now()
	for w := range l.writers {
		all.Go(func() {
			k := counter(w)
			for left.Add(-1) >= 0 && errs[w] == nil {
				errs[w] = store.add(k)
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	sum := uint64(0)
	for w := range l.writers {
		if l.hot && w > 0 {
			break
		}
		v, err := store.get(counter(w))
		if err != nil {
			return 0, err
		}
		sum += v
	}
	if sum != uint64(n) {
		return 0, fmt.Errorf("the counters have %d, want %d", sum, n)
	}
	return float64(n) / took.Seconds(), nil
}
