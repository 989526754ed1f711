package isolation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tinykv/tinykv"
)

// The child is a process with a store and clients. It is killed, and started again on the same store, where its clients go on.

const (
	childEnv = "TINYKV_ISOLATION_CHILD"
	clients  = 8
	pulse    = 20 // transactions of a client between two signs of life
)

// config is what the child is to do.
type config struct {
	Dir    string
	Seed   uint64
	Length int // transactions of each client

	Bank, Huge, Registers bool // instead
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		var c config
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			panic(err)
		}
		other, err := runOther(c)
		if !other {
			err = runChild(c)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runOther runs what a child does but for histories.
func runOther(c config) (done bool, err error) {
	switch {
	case c.Bank:
		return true, runBank(c)
	case c.Huge:
		return true, runHuge(c)
	case c.Registers:
		return true, runRegisters(c)
	default:
		return false, nil
	}
}

func options() *tinykv.Options {
	return &tinykv.Options{MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 1 << 10, CacheSize: 128 << 10, MergeOperator: tinykv.MergeAppend}
}

// now is a clock that all processes of the machine share, and that never goes back.
func now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}

// entry is a line of a client's log: a transaction that begins, with what it is going to append, or one that has ended.
type entry struct {
	N       int     `json:"n"`
	At      int64   `json:"at"`
	Ended   bool    `json:"ended,omitempty"`
	Outcome outcome `json:"outcome,omitempty"`
	Ops     []op    `json:"ops"`
}

func logName(dir string, client int) string {
	return filepath.Join(dir, fmt.Sprintf("client-%d.jsonl", client))
}

// readLog returns the lines of a client's log, and how long the whole ones are. A process that is killed in the middle of a write
// leaves a part of the last line: what it told of has an unknown outcome, or has not begun.
func readLog[line any](dir string, client int) (all []line, length int64, err error) {
	text, err := os.ReadFile(logName(dir, client))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, 0, err
	}
	for {
		part, rest, whole := bytes.Cut(text, []byte{'\n'})
		if !whole {
			return all, length, nil
		}
		var l line
		if err := json.Unmarshal(part, &l); err != nil {
			return nil, 0, fmt.Errorf("client %d: %w: %.200s", client, err, part)
		}
		all, text, length = append(all, l), rest, length+int64(len(part))+1
	}
}

// resumeLog returns what an earlier life of a client has logged, and the log to go on with behind its last whole line.
func resumeLog[line any](dir string, client int) (before []line, log *os.File, err error) {
	before, length, err := readLog[line](dir, client)
	if err != nil {
		return nil, nil, err
	}
	log, err = os.OpenFile(logName(dir, client), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err := log.Truncate(length); err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	return before, log, nil
}

// writeLine appends a line to a log.
func writeLine(log *os.File, l any) error {
	text, err := json.Marshal(l)
	if err == nil {
		_, err = log.Write(append(text, '\n'))
	}
	return err
}

// client is one that runs transactions, one after the other.
type client struct {
	config
	*rand.Rand
	number int
	n      int // of the transaction
	db     *tinykv.DB
	log    *os.File
}

func runChild(c config) error {
	db, err := tinykv.Open(filepath.Join(c.Dir, "store"), options())
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	errs := make([]error, clients)
	for i := range clients {
		all.Go(func() { errs[i] = runClient(c, i, db) })
	}
	all.Wait()
	return errors.Join(append(errs, db.Close())...)
}

func runClient(c config, number int, db *tinykv.DB) error {
	before, log, err := resumeLog[entry](c.Dir, number)
	if err != nil {
		return err
	}
	defer log.Close()
	cl := &client{config: c, number: number, db: db, log: log}
	if len(before) > 0 {
		cl.n = before[len(before)-1].N + 1
	}
	cl.Rand = rand.New(rand.NewPCG(c.Seed, uint64(number)<<32|uint64(cl.n)))
	for ; cl.n < c.Length; cl.n++ {
		if err := cl.transaction(); err != nil {
			return err
		}
		if cl.n%pulse == 0 {
			fmt.Println(number)
		}
		if cl.IntN(400) == 0 {
			if err := cl.maintain(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *client) maintain() error {
	if c.IntN(3) == 0 {
		return c.db.Compact(context.Background(), tinykv.All())
	}
	return c.db.Flush(context.Background())
}

func (c *client) write(e entry) error { return writeLine(c.log, e) }

// plan is what a transaction is going to do. A scan is an op without an element whose key is an area.
func (c *client) plan(ops int, appends bool) []op {
	var plan []op
	for i := range ops {
		switch {
		case appends && c.IntN(2) == 0:
			plan = append(plan, op{Key: c.key(), Append: (c.number+1)*10_000_000 + c.n*10 + i})
		case c.IntN(4) == 0:
			plan = append(plan, op{Key: areas[c.IntN(len(areas))]})
		default:
			plan = append(plan, op{Key: c.key()})
		}
	}
	return plan
}

// areas are where lists lie: outside of buckets, and in two of them.
var areas = []string{"-", "a", "b"}

// window is how many keys of an area are in use at a time. As time goes by, others come into use, so that there are always some that are absent.
const window = 6

func (c *client) base() int { return c.n / 60 * 2 }

func (c *client) key() string {
	return fmt.Sprintf("%s/%05d", areas[c.IntN(len(areas))], c.base()+c.IntN(window))
}

// place is where a key of the history is in the store.
func place(k string) (bucket string, key []byte) {
	bucket, rest, _ := strings.Cut(k, "/")
	if bucket == "-" {
		return "", []byte(rest)
	}
	return bucket, []byte(rest)
}

// list is the elements of a value.
func list(value []byte) []int {
	out := []int{}
	for _, text := range strings.Split(strings.TrimSuffix(string(value), ","), ",") {
		if text == "" {
			continue
		}
		e, err := strconv.Atoi(text)
		if err != nil {
			e = -1 // which nobody appended
		}
		out = append(out, e)
	}
	return out
}

// reading and writing are what transactions, stores, snapshots and their buckets have in common.
type reading interface {
	Get(k []byte) ([]byte, error)
	NewIter(r tinykv.Range) (*tinykv.Iterator, error)
}

type writing interface {
	reading
	Put(k, value []byte, opts ...tinykv.WriteOption) error
	Merge(k, operand []byte, opts ...tinykv.WriteOption) error
}

// read carries out a read or a scan, which reads all keys of the window.
func (c *client) read(in func(bucket string) reading, o op) ([]op, error) {
	if strings.Contains(o.Key, "/") {
		bucket, k := place(o.Key)
		v, err := in(bucket).Get(k)
		if err != nil && !errors.Is(err, tinykv.ErrNotFound) {
			return nil, err
		}
		return []op{{Key: o.Key, List: list(v)}}, nil
	}
	bucket, lower := place(fmt.Sprintf("%s/%05d", o.Key, c.base()))
	_, upper := place(fmt.Sprintf("%s/%05d", o.Key, c.base()+window))
	found := map[string][]int{}
	it, err := in(bucket).NewIter(tinykv.Between(lower, upper))
	if err != nil {
		return nil, err
	}
	start, move := it.First, it.Next
	if c.IntN(2) == 0 {
		start, move = it.Last, it.Prev
	}
	for ok := start(); ok; ok = move() {
		found[string(it.Key())] = list(it.Value())
	}
	if err := errors.Join(it.Err(), it.Close()); err != nil {
		return nil, err
	}
	var reads []op
	for i := range window {
		k := fmt.Sprintf("%05d", c.base()+i)
		l := found[k]
		if l == nil {
			l = []int{}
		}
		reads = append(reads, op{Key: o.Key + "/" + k, List: l})
	}
	return reads, nil
}

// do carries out a plan, and returns what it came to.
func (c *client) do(plan []op, in func(bucket string) writing) (done []op, err error) {
	readIn := func(bucket string) reading { return in(bucket) }
	for _, o := range plan {
		if o.Append == 0 {
			reads, err := c.read(readIn, o)
			if err != nil {
				return nil, err
			}
			done = append(done, reads...)
			continue
		}
		bucket, k := place(o.Key)
		text := strconv.AppendInt(nil, int64(o.Append), 10)
		text = append(text, ',')
		to := in(bucket)
		if c.IntN(2) == 0 {
			err = to.Merge(k, text)
		} else {
			var v []byte
			if v, err = to.Get(k); errors.Is(err, tinykv.ErrNotFound) {
				err = nil
			}
			if err == nil {
				done = append(done, op{Key: o.Key, List: list(v)})
				err = to.Put(k, append(v, text...))
			}
		}
		if err != nil {
			return nil, err
		}
		done = append(done, o)
	}
	return done, nil
}

// pad writes so much beside the lists, now and then, that the transaction does not go the way of small ones: to a table of its own, or to several
// before it commits. And it has the store hold values that expire, on which merges are settled.
func (c *client) pad(tx *tinykv.Tx) error {
	if c.IntN(40) != 0 {
		return nil
	}
	k := fmt.Appendf(nil, "pad %d", c.number)
	for i := range 1 + c.IntN(8) {
		if err := tx.Put(append(k, byte('0'+i)), make([]byte, c.IntN(60_000)), tinykv.TTL(time.Hour)); err != nil {
			return err
		}
	}
	return nil
}

func inTx(tx *tinykv.Tx) func(string) writing {
	return func(bucket string) writing {
		if bucket == "" {
			return tx
		}
		return tx.Bucket(bucket)
	}
}

var errRolledBack = errors.New("rolled back")

// transaction runs one, of a kind that is drawn, and notes its beginning before and its outcome after.
func (c *client) transaction() error {
	var plan []op
	var run func() ([]op, error)
	switch kind := c.IntN(20); {
	case kind < 10:
		plan = c.plan(1+c.IntN(5), true)
		run = func() (done []op, err error) {
			err = c.db.Update(func(tx *tinykv.Tx) (err error) {
				if done, err = c.do(plan, inTx(tx)); err == nil {
					err = c.pad(tx)
				}
				return err
			})
			return done, err
		}
	case kind < 14:
		plan = c.plan(1+c.IntN(5), true)
		run = func() ([]op, error) { return c.begun(plan) }
	case kind < 16:
		plan = c.plan(1+c.IntN(5), false)
		run = func() (done []op, err error) {
			err = c.db.View(func(tx *tinykv.Tx) (err error) {
				done, err = c.do(plan, inTx(tx))
				return err
			})
			return done, err
		}
	case kind < 17:
		plan = c.plan(1+c.IntN(4), false)
		run = func() ([]op, error) { return c.snapshot(plan) }
	case kind < 18: // no transaction: a single read
		plan = []op{{Key: c.key()}}
		run = func() ([]op, error) {
			return c.read(func(bucket string) reading {
				if bucket == "" {
					return c.db
				}
				return c.db.Bucket(bucket)
			}, plan[0])
		}
	default: // a batch, which reads nothing
		for i := range 1 + c.IntN(4) {
			plan = append(plan, op{Key: c.key(), Append: (c.number+1)*10_000_000 + c.n*10 + i})
		}
		run = func() ([]op, error) { return plan, c.apply(plan) }
	}
	if err := c.write(entry{N: c.n, At: now(), Ops: plan}); err != nil {
		return err
	}
	done, err := run()
	e := entry{N: c.n, Ended: true, Outcome: committed, Ops: done}
	switch {
	case errors.Is(err, tinykv.ErrConflict), errors.Is(err, errRolledBack):
		e.Outcome, e.Ops = aborted, plan
	case err != nil:
		return err
	}
	e.At = now()
	return c.write(e)
}

// begun runs a transaction that is committed, or rolled back, by hand.
func (c *client) begun(plan []op) ([]op, error) {
	tx, err := c.db.Begin(true)
	if err != nil {
		return nil, err
	}
	done, err := c.do(plan, inTx(tx))
	if err == nil {
		err = c.pad(tx)
	}
	if err == nil && c.IntN(8) == 0 {
		err = errRolledBack
	}
	if err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	if c.IntN(10) == 0 {
		return done, tx.Commit(tinykv.Sync)
	}
	return done, tx.Commit()
}

func (c *client) snapshot(plan []op) (done []op, err error) {
	s, err := c.db.NewSnapshot()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, o := range plan {
		reads, err := c.read(func(bucket string) reading {
			if bucket == "" {
				return s
			}
			return s.Bucket(bucket)
		}, o)
		if err != nil {
			return nil, err
		}
		done = append(done, reads...)
	}
	return done, nil
}

func (c *client) apply(plan []op) error {
	b := c.db.NewBatch()
	for _, o := range plan {
		bucket, k := place(o.Key)
		text := append(strconv.AppendInt(nil, int64(o.Append), 10), ',')
		var err error
		if bucket == "" {
			err = b.Merge(k, text)
		} else {
			err = b.Bucket(bucket).Merge(k, text)
		}
		if err != nil {
			return err
		}
	}
	return c.db.Apply(b)
}
