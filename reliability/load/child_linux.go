package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/tinykv/tinykv"
)

// configEnv is where a child finds its Config.
const configEnv = "TINYKV_LOAD"

// How a child ends.
const (
	exitClosed = iota // the store was closed, whatever Close returned
	exitHarness
	exitOpening // Open returned an error, see Ledger.Failure
)

const (
	retryPause = 5 * time.Millisecond // after a write that failed, though not for good
	lateTries  = 3                    // writes of each writer after one has failed for good
)

// RunIfChild does the work of a child and ends the process if this is one.
func RunIfChild() {
	text, ok := os.LookupEnv(configEnv)
	if !ok {
		return
	}
	var c Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitHarness)
	}
	ledger, err := OpenLedger(c.Ledger)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitHarness)
	}
	go endWithParent()
	if c.Balloon {
		go inflate(ledger)
	}
	os.Exit((&child{config: c, ledger: ledger, acksBefore: ledger.Acks()}).run())
}

// endWithParent ends the process when the other end of its standard input is closed, if only by the death of the parent.
func endWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(exitHarness)
}

// inflate takes memory, page by page, after some more commits.
func inflate(l *Ledger) {
	const step = 256 << 10
	for goal := l.Acks() + 100; l.Acks() < goal; {
		<-time.After(retryPause)
	}
	var balloon [][]byte
	for {
		b := make([]byte, step)
		for i := 0; i < step; i += 4096 {
			b[i] = 1
		}
		balloon = append(balloon, b)
		<-time.After(time.Millisecond)
		runtime.KeepAlive(balloon)
	}
}

// child is the process that writes.
type child struct {
	config Config
	ledger *Ledger
	db     *tinykv.DB
	made   [MaxWriters]int // commits of each writer in this life

	acksBefore uint64 // of earlier lives

	mu sync.Mutex // guards texts and what more than one writer counts
}

// run opens the store, writes and closes it, once or again and again.
func (c *child) run() int {
	c.ledger.set(wordPID, uint64(os.Getpid()))
	for more := true; more; {
		c.enter(Opening)
		var err error
		if c.db, err = tinykv.Open(c.config.Dir, c.config.Options()); err != nil {
			c.note(textFailure, "open: "+err.Error())
			return exitOpening
		}
		if err := c.takeStock(); err != nil {
			c.note(textFailure, "after opening: "+err.Error())
			return exitOpening
		}
		c.ledger.set(wordOpenings, c.ledger.Openings()+1)
		c.enter(Writing)
		more = c.write()
		c.enter(Closing)
		c.ledger.set(textClose, 0)
		if err := c.db.Close(); err != nil {
			c.note(textClose, err.Error())
			more = false
		}
	}
	c.enter(Closed)
	return exitClosed
}

func (c *child) enter(s State) { c.ledger.set(wordState, uint64(s)) }

func (c *child) note(text int, s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ledger.note(text, s)
}

// takeStock compares the counters with the ledger. What recovery has found it has made durable.
func (c *child) takeStock() error {
	for w := range c.config.writers() {
		n, err := commitsIn(c.db, w)
		if err != nil && c.config.ReadsMayFail && !errors.Is(err, ErrWrong) {
			return errors.Join(err, c.db.Close())
		}
		if err != nil {
			c.note(textViolation, "after opening: "+err.Error())
			continue
		}
		least := c.ledger.get(ofWriter(w, wordAcked))
		if c.config.Lossy {
			least = c.ledger.get(ofWriter(w, wordSynced))
		}
		if most := c.ledger.get(ofWriter(w, wordIssued)); n < least || n > most {
			c.note(textViolation, fmt.Sprintf("after opening there are %d commits of writer %d, want %d to %d", n, w, least, most))
		}
		c.ledger.set(ofWriter(w, wordIssued), n)
		c.ledger.set(ofWriter(w, wordAcked), n)
		c.ledger.set(ofWriter(w, wordSynced), n)
	}
	return nil
}

// write has all writers write. It returns when they have nothing more to do, and tells whether to open the store again.
func (c *child) write() (again bool) {
	var writers sync.WaitGroup
	results := make([]ending, c.config.writers())
	for w := range results {
		writers.Go(func() { results[w] = c.writer(w) })
	}
	writers.Wait()
	again = true
	for _, r := range results {
		if r == failed {
			c.readOn()
			c.enter(Failed)
			c.awaitAsked()
			return false
		}
		again = again && r == pausing
	}
	return again
}

// ending is why a writer stopped.
type ending int

const (
	done    ending = iota // it was asked to, or has made all its commits
	pausing               // the store is to be opened again
	failed                // the store takes no writes any more
)

// writer makes one commit after the other.
func (c *child) writer(w int) ending {
	n := c.ledger.get(ofWriter(w, wordAcked))
	for first := true; ; first = false {
		if c.asked() || c.config.Limit > 0 && c.made[w] == c.config.Limit {
			return done
		}
		if c.config.ReopenEvery > 0 && c.made[w]%c.config.ReopenEvery == 0 && !first {
			return pausing
		}
		n++
		c.made[w]++
		if !c.commit(w, n) {
			if c.asked() {
				return done
			}
			c.tryLate(w, n)
			return failed
		}
		c.pause(time.Duration(c.config.PauseMicros) * time.Microsecond)
	}
}

func (c *child) asked() bool { return c.ledger.get(wordAsked) != 0 }

func (c *child) pause(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

func (c *child) awaitAsked() {
	for !c.asked() {
		c.pause(retryPause)
	}
}

// commit makes commit n of a writer. A write that failed, though not for good, is done again: the outcome of the first is
// not known, but doing it twice comes to the same. It returns false when the store has failed or the child is to end.
func (c *child) commit(w int, n uint64) bool {
	sync := c.config.SyncEvery > 0 && n%uint64(c.config.SyncEvery) == 0
	opt := tinykv.NoSync
	if sync {
		opt = tinykv.Sync
	}
	b := c.config.Batch(w, n)
	c.ledger.set(ofWriter(w, wordIssued), n)
	for {
		err := c.apply(w, b, opt)
		if err == nil {
			break
		}
		c.note(textFailure, fmt.Sprintf("commit %d of writer %d: %v", n, w, err))
		c.ledger.set(ofWriter(w, wordFailures), c.ledger.get(ofWriter(w, wordFailures))+1)
		if errors.Is(err, tinykv.ErrFailed) || c.asked() {
			return false
		}
		c.pause(retryPause)
	}
	c.ledger.set(ofWriter(w, wordAcked), n)
	c.ledger.set(ofWriter(w, wordAcks), c.ledger.get(ofWriter(w, wordAcks))+1)
	if c.config.DieAfter > 0 && c.ledger.Acks() >= c.acksBefore+c.config.DieAfter {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if sync {
		c.ledger.set(ofWriter(w, wordSynced), n)
	}
	return true
}

// apply writes, and notes how long that took.
func (c *child) apply(w int, b *tinykv.Batch, opt tinykv.WriteOption) error {
	began := time.Now()
	err := c.db.Apply(b, opt)
	took := uint64(time.Since(began).Microseconds())
	if took > c.ledger.get(ofWriter(w, wordLongest)) {
		c.ledger.set(ofWriter(w, wordLongest), took)
	}
	return err
}

// tryLate writes to a store that has failed for good. Nothing may be acknowledged.
func (c *child) tryLate(w int, n uint64) {
	for i := range lateTries {
		opt := tinykv.NoSync
		if i == 0 {
			opt = tinykv.Sync
		}
		if err := c.db.Apply(c.config.Batch(w, n), opt); err == nil {
			c.mu.Lock()
			c.ledger.set(wordAckedLate, c.ledger.AckedLate()+1)
			c.mu.Unlock()
		}
	}
}

// readOn wants a store that has failed to go on answering reads; unless they may fail, too: but then not with something wrong.
func (c *child) readOn() {
	n := c.config.writers()
	_, err := NewOracle(c.config).CheckOpen(c.db, c.ledger.perWriter(n, wordAcked), c.ledger.perWriter(n, wordIssued))
	if err != nil && (!c.config.ReadsMayFail || errors.Is(err, ErrWrong)) {
		c.note(textViolation, "reading after the failure: "+err.Error())
	}
}
