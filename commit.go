package tinykv

import (
	"context"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/memtable"
	"github.com/tinykv/tinykv/sstable"
	"github.com/tinykv/tinykv/wal"
)

// Commits happen in groups, one group at a time. The writer that finds nobody at it leads: it takes
// along whoever waits, writes the whole group to the log, syncs if anyone asked, inserts into the
// memtable, publishes the sequence number, and wakes the others. Who came meanwhile makes up the next
// group. If that is little work the leader does it too, a few times; else the first of them leads.
// So a lone writer hands nothing to anybody, many writers that sync share one sync, and many that do
// not seldom wait until one of them wakes up to lead, with a processor that has none of the memtable
// in its cache.
//
// Order that correctness leans on:
//
//  1. Sequence numbers are given out in the order of the log, without a gap.
//  2. A write is in the log before it is in the memtable, so what can be read can be recovered, at
//     least after a crash of the process alone.
//  3. Sequence numbers are published after the memtable has the whole group, so that a reader sees
//     all of a batch or none.
//  4. A writer returns after that, so that it, and whoever it tells, reads what it wrote.

// maxGroupNeed bounds what a leader takes along, so that it does not keep the first ones waiting.
const maxGroupNeed = 1 << 20

// Groups that a leader commits after its own: so many, with so much need each. More of them gained
// nothing when measured, and the leader's own call returns behind them.
const (
	lateGroups       = 8
	maxLateGroupNeed = 16 << 10
)

// lastGroupSeq is the last sequence number at which a group may begin: the largest batch has room behind
// it, and what is taken along, below the numbers of what is not committed.
const lastGroupSeq = ownBase - 1<<33

// maxKeptRecord is how much memory is kept for the next log record.
const maxKeptRecord = 1 << 20

// write is what one writer wants: a batch, or a single operation, or to run alone.
type write struct {
	batch *Batch // nil for a single operation

	kind     key.Kind
	waitSync bool
	space    key.Space
	user     []byte
	value    []byte
	expiry   int64 // of a value that expires

	// For buckets, see buckets.go.
	bucket *Bucket          // of a single operation; nil for none
	spaces *manifest.Spaces // where the ids were found; nil when no bucket is concerned

	tx *txCommit // of a transaction; nil for none

	// exclusive runs as the leader of a group of its own instead of writing anything.
	exclusive func() error
}

// ops returns how many operations a write has.
func (w *write) ops() int {
	if w.batch != nil {
		return w.batch.Len()
	}
	return 1
}

// op returns the single operation of a write as a batch has it, in new memory.
func (w *write) op() batchrepr.Op {
	op := batchrepr.Op{Kind: w.kind, Stored: key.AppendStored(nil, w.space, w.user), Value: w.value}
	if w.kind == key.KindMerge || w.kind == key.KindSetExpiring {
		op.Value = w.appendValue(nil)
	}
	return op
}

// hasRanges tells whether a range deletion is among the operations.
func (w *write) hasRanges() bool {
	return w.kind == key.KindRangeDelete || w.batch != nil && w.batch.ranges > 0
}

// payloadLen returns an upper bound of the bytes of the log record.
func (w *write) payloadLen() int {
	if w.batch != nil {
		return batchrepr.HeaderLen + len(w.batch.repr)
	}
	return batchrepr.HeaderLen + batchrepr.OpLen(w.user, w.value)
}

// need returns the room in a memtable that is certain to suffice.
func (w *write) need() int64 {
	if w.batch != nil {
		return memtable.Need(int(w.batch.count), int64(len(w.batch.repr))+int64(w.batch.merges)*mergeSlack)
	}
	return memtable.Need(1, int64(batchrepr.OpLen(w.user, w.value))+mergeSlack) // whatever it does: that matters little
}

// merges returns how many operations are merge operands.
func (w *write) merges() int {
	switch {
	case w.batch != nil:
		return int(w.batch.merges)
	case w.kind == key.KindMerge:
		return 1
	default:
		return 0
	}
}

// firstKey returns the stored key of the first operation, in new memory.
func (w *write) firstKey() []byte {
	if w.batch == nil {
		return key.AppendStored(nil, w.space, w.user)
	}
	for op := range w.batch.ops() {
		return append([]byte(nil), op.Stored...)
	}
	return nil
}

// commitSampled is commit for a call whose time may be taken: always when it waits for stable storage,
// where the clock costs nothing in comparison.
func (db *DB) commitSampled(w *write) error {
	ticket := uint32(db.visible.Load())
	if !w.waitSync && !db.sampler.drawn(ticket) {
		return db.commit(w)
	}
	weight := db.sampler.every
	if w.waitSync {
		weight = 1
	}
	start := db.sampler.now()
	err := db.commit(w)
	db.sampler.writes.record(db.sampler.now()-start, weight, ticket)
	return err
}

// commit makes a write take effect.
func (db *DB) commit(w *write) error {
	if db.queue.tryLead() {
		return db.lead(w)
	}
	if w.exclusive == nil { // a store that has failed is not queued for: Resume may be at the head
		if err := db.failure.Load(); err != nil {
			return err
		}
	}
	r := requests.Get().(*request)
	r.write = *w
	lead := db.queue.join(r)
	err := r.err
	if lead {
		err = db.lead(&r.write)
	}
	r.write, r.err, r.lead, r.next = write{}, nil, false, nil
	requests.Put(r)
	return err
}

// exclusively runs fn while no commit is under way, after all that came before.
func (db *DB) exclusively(fn func() error) error { return db.commit(&write{exclusive: fn}) }

// exclusivelyWithin is exclusively for a caller that gives up when ctx ends. fn has to look at ctx too.
func (db *DB) exclusivelyWithin(ctx context.Context, fn func() error) error {
	if db.queue.tryLead() {
		return db.lead(&write{exclusive: fn})
	}
	r := &request{write: write{exclusive: fn}, wake: make(chan struct{}, 1)}
	if !db.queue.enqueue(r) {
		select {
		case <-r.wake: // to lead, as whoever must run alone is not taken along
		case <-ctx.Done():
			if db.queue.withdraw(r) {
				return context.Cause(ctx)
			}
			<-r.wake
		}
	}
	return db.lead(&r.write)
}

// lead commits a write and those that wait, and hands the lead on.
func (db *DB) lead(own *write) error {
	var err error
	if own.exclusive != nil {
		err = own.exclusive()
		db.queue.leave()
		db.settle()
		return err
	}
	if own.spaces != nil || own.tx != nil || db.mustSettle(own) {
		done, err := db.settleOwn(own)
		if done || err != nil {
			db.queue.leave()
			db.settle()
			return err
		}
	}
	group := db.queue.takeWhile(db.shares, min(maxGroupNeed, db.largeNeed)-own.need())
	if group != nil {
		group = db.dropLosers(own, group)
	}
	err = db.commitGroup(own, group)
	group.finish(err)
	for range lateGroups {
		if err != nil || !db.commitLate() { // after an error the store may be closed, and the memtable gone
			break
		}
	}
	db.queue.leave()
	db.settle()
	return err
}

// shares tells whether a write can be one of a group.
func (db *DB) shares(w *write) bool {
	return w.exclusive == nil && !db.mustSettle(w) && (w.tx == nil || w.tx.reads.small()) && (w.spaces == nil || w.isBoundTo(db.spaces.Load()))
}

// quick tells whether a write shares a group and waits for no disk.
func (db *DB) quick(w *write) bool { return db.shares(w) && !w.waitSync }

// settleOwn settles what only the leader can know of its own write. It reports whether the write is done.
func (db *DB) settleOwn(own *write) (done bool, err error) {
	if own.tx != nil {
		if err := own.tx.check(); err != nil {
			return false, err
		}
	}
	if db.mustSettle(own) {
		return db.settleMerges(own)
	}
	if own.spaces != nil {
		return false, db.bind(own)
	}
	return false, nil
}

// commitLate commits those that came while the leader was committing, and reports whether there were any.
// It leaves to a leader of their own what could keep this one: a sync, a sealed memtable, a throttle.
func (db *DB) commitLate() bool {
	if db.throttle.nanosPerKiB.Load() != 0 || !db.active.table.Fits(maxLateGroupNeed) {
		return false
	}
	late := db.queue.takeWhile(db.quick, maxLateGroupNeed)
	if late == nil {
		return false
	}
	if late = db.dropLosers(nil, late); late == nil {
		return true
	}
	late.finish(db.commitGroup(&late.write, late.next))
	return true
}

// commitGroup commits own and the requests chained to group.
func (db *DB) commitGroup(own *write, group *request) error {
	if err := db.writable(); err != nil {
		return err
	}
	records, payload, need, waitSync := 1, int64(own.payloadLen()), own.need(), own.waitSync
	ranges := own.hasRanges()
	for r := group; r != nil; r = r.next {
		records++
		ranges = ranges || r.hasRanges()
		payload += int64(r.payloadLen())
		need += r.need()
		waitSync = waitSync || r.waitSync
	}
	db.throttle.pace(payload)
	if !db.active.table.Fits(need) {
		if err := db.rotate(context.Background(), own.firstKey()); err != nil {
			return err
		}
	}
	log := db.log.Load()
	if err := log.Reserve(records, payload); err != nil {
		return db.logFailure(log, err)
	}
	seq := key.SeqNum(db.visible.Load()) + 1
	if seq > lastGroupSeq {
		return errNoSeqs
	}
	first := seq
	next := db.appendRecord(log, own, seq)
	for r := group; r != nil; r = r.next {
		next = db.appendRecord(log, &r.write, next)
	}
	if err := log.Flush(waitSync); err != nil {
		return db.logFailure(log, err)
	}
	seq = db.apply(own, seq)
	for r := group; r != nil; r = r.next {
		seq = db.apply(&r.write, seq)
	}
	db.visible.Store(uint64(seq - 1))
	if db.feed.watched.Load() {
		db.feed.tell(own, group, first)
	}
	if ranges {
		db.sealForClear(own, group)
	}
	db.prepareAhead()
	if !waitSync {
		db.syncer.arm()
	}
	return nil
}

// appendRecord appends a write to the log and returns the sequence number after its own.
func (db *DB) appendRecord(log *wal.Log, w *write, seq key.SeqNum) key.SeqNum {
	next := seq + key.SeqNum(w.ops())
	if w.batch != nil {
		if w.batch.count > 0 {
			batchrepr.SetHeader(w.batch.repr, seq, w.batch.count)
			log.Append(w.batch.repr, uint64(next-1))
		}
		return next
	}
	db.record = batchrepr.AppendHeader(db.record[:0], seq, 1)
	if w.kind < key.KindMerge || w.kind == key.KindRangeDelete {
		db.record = batchrepr.AppendOp(db.record, w.kind, w.space, w.user, w.value)
	} else {
		db.record = w.appendHeaded(db.record)
	}
	log.Append(db.record, uint64(next-1))
	if cap(db.record) > maxKeptRecord {
		db.record = nil
	}
	return next
}

// apply inserts a write into the memtable and returns the sequence number after its own.
func (db *DB) apply(w *write, seq key.SeqNum) key.SeqNum {
	in := inserter{db: db, table: db.active.table, scratch: &db.merging}
	if w.batch != nil {
		for op := range w.batch.ops() {
			in.insert(op, seq)
			seq++
		}
		in.finish()
		return seq
	}
	db.stored = key.AppendStored(db.stored[:0], w.space, w.user)
	op := batchrepr.Op{Kind: w.kind, Stored: db.stored, Value: w.value}
	if w.kind >= key.KindMerge && w.kind != key.KindRangeDelete {
		db.headed = w.appendValue(db.headed[:0])
		op.Value = db.headed
	}
	in.insert(op, seq)
	in.finish()
	return seq + 1
}

// inserter brings the operations of one write into a memtable. Its range deletions go there together at
// the end, as many cost less that way and readers see all of a write or none.
type inserter struct {
	db     *DB
	table  *memtable.Table
	ranges []rangedel.Span

	scratch *mergeScratch
}

func (in *inserter) insert(op batchrepr.Op, seq key.SeqNum) {
	if op.Kind == key.KindRangeDelete {
		in.ranges = append(in.ranges, tombstone(op, seq))
		return
	}
	if op.Kind == key.KindMerge {
		in.merge(op, seq)
		return
	}
	in.table.Insert(op.Stored, sstable.Hash(op.Stored), key.MakeTrailer(seq, op.Kind), op.Value)
}

func (in *inserter) finish() {
	if len(in.ranges) > 0 {
		in.table.InsertRanges(in.ranges)
	}
}

func tombstone(op batchrepr.Op, seq key.SeqNum) rangedel.Span {
	return rangedel.Span{Lower: op.Stored, Upper: op.Value, Seqs: []key.SeqNum{seq}}
}
