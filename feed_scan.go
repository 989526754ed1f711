package tinykv

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/tinykv/tinykv/internal/key"
)

// What an expirer knows that the sorter has not told it: values that were there before somebody watched them, from a scan; and those
// of large batches, from their tables.

// scanTarget is what a scan looks through for one watcher.
type scanTarget struct {
	watcher *watcher
	bounds  []bounds
	scanned bool     // was looked through before
	before  toldMark // if not: what had expired when it began to be watched
}

func (t *scanTarget) contains(stored string) bool {
	return slices.ContainsFunc(t.bounds, func(b bounds) bool { return b.contain([]byte(stored)) })
}

// rescan has the watched ranges looked through, since they have changed. What expires from now on is there until then.
func (x *expirer) rescan() {
	x.mu.Lock()
	x.scan = true
	x.floor.Store(0)
	x.mu.Unlock()
	ring(x.bell)
}

// find scans the watched ranges if that is wanted. An error says that the watch is over.
func (x *expirer) find() error {
	x.mu.Lock()
	wanted := x.scan
	if wanted {
		x.scan, x.gap, x.scanning, x.horizon = false, false, true, nil
	}
	told := x.told
	x.mu.Unlock()
	if !wanted {
		return nil
	}
	snapshot := &Snapshot{db: x.db, ours: true}
	var targets []scanTarget
	err := x.db.exclusivelyWithin(x.ctx, func() error { // so that the feed has, or will never have, all that the snapshot shows
		targets, x.until = x.db.feed.targets()
		return x.db.open(snapshot)
	})
	if err != nil {
		return err
	}
	defer snapshot.Close()
	o := overs{targets: targets, told: told, now: x.showAll(snapshot)}
	for _, b := range joined(targets) {
		if !x.scanBounds(snapshot, b, &o) {
			return x.ctx.Err()
		}
	}
	x.db.feed.scanned(targets)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.scanning = false
	if !x.gap {
		x.seen.Store(max(x.seen.Load(), uint64(snapshot.seq)))
	}
	x.advanceLocked()
	return nil
}

// showAll has a snapshot hide nothing, and compactions leave it all, and returns by what it would have gone.
func (x *expirer) showAll(s *Snapshot) (was clockReading) {
	x.db.mu.Lock()
	defer x.db.mu.Unlock()
	was, s.now = s.now, clockReading{now: 1}
	return was
}

// scanBounds scans some bounds, and reports false when the watch is over. What cannot be read is not told.
func (x *expirer) scanBounds(snapshot *Snapshot, b bounds, o *overs) bool {
	_, lower, _ := key.SplitStored(b.lower)
	r := Range{Lower: lower}
	if space, upper, ok := key.SplitStored(b.upper); ok && space == b.space {
		r.Upper = upper
	}
	n := 0
	for item, err := range (reader{db: x.db, snapshot: snapshot, space: b.space}).scan(r, nil) {
		if err != nil {
			x.db.report("look for values that expire", err)
			return true
		}
		if n++; n%scannedBetween == 0 && x.ctx.Err() != nil {
			return false
		}
		if item.ExpiresAt.IsZero() {
			continue
		}
		e := expiring{expiry: item.ExpiresAt.UnixNano(), stored: string(key.AppendStored(nil, b.space, item.Key)), seq: key.SeqNum(item.Seq)}
		if !o.contain(e) {
			x.note(e)
		}
	}
	return true
}

// overs are the values whose expiry was told to all who watch them, or was before they did.
type overs struct {
	targets []scanTarget // those that were scanned first
	told    toldMarks
	now     clockReading // what is not hidden from this may live for long, whatever the clock said
}

func (o *overs) contain(e expiring) bool {
	isNew := false
	for i := range o.targets {
		t := &o.targets[i]
		switch {
		case !t.contains(e.stored):
		case t.scanned:
			return o.told.contain(e)
		case !t.before.contains(e) || !o.now.hides(e.expiry, e.seq):
			return false
		default:
			isNew = true
		}
	}
	return isNew || o.told.contain(e)
}

// targets returns what is watched, and the ordinal of the next record. Only the leader calls it.
func (f *feed) targets() (all []scanTarget, next uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		all = append(all, scanTarget{watcher: w, bounds: w.bounds, scanned: w.scanned, before: w.before})
	}
	slices.SortFunc(all, func(a, b scanTarget) int { // so that what one knows already counts
		if a.scanned == b.scanned {
			return 0
		} else if a.scanned {
			return -1
		}
		return 1
	})
	return all, f.next
}

// scanned notes what was looked through.
func (f *feed) scanned(targets []scanTarget) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range targets {
		t.watcher.scanned = true
	}
}

// isScanned tells whether the range of a watcher is part of one that was looked through and is watched; feed.mu is held.
func (f *feed) isScanned(w *watcher) bool {
	for other := range f.watchers {
		if other.scanned && !slices.ContainsFunc(w.bounds, func(b bounds) bool {
			return !slices.ContainsFunc(other.bounds, func(o bounds) bool { return o.containAll(&b) })
		}) {
			return true
		}
	}
	return false
}

func (b *bounds) containAll(of *bounds) bool {
	return string(b.lower) <= string(of.lower) && string(of.upper) <= string(b.upper)
}

// joined returns bounds that meet no other, and are the same keys together.
func joined(targets []scanTarget) (out []bounds) {
	var all []bounds
	for i := range targets {
		all = append(all, targets[i].bounds...)
	}
	slices.SortFunc(all, func(a, b bounds) int { return cmp.Compare(string(a.lower), string(b.lower)) })
	for _, b := range all {
		if n := len(out); n > 0 && out[n-1].space == b.space && string(b.lower) <= string(out[n-1].upper) {
			if string(out[n-1].upper) < string(b.upper) {
				out[n-1].upper = b.upper
			}
			continue
		}
		out = append(out, b)
	}
	return out
}

// sortedUpTo is told by the sorter that all up to a sequence number was noted, but for large batches, of which this may be one.
func (x *expirer) sortedUpTo(seq key.SeqNum, large *feedTables) {
	x.mu.Lock()
	x.sorted = max(x.sorted, seq)
	if large != nil && large.expires() {
		large.ref()
		x.large = append(x.large, large)
		ring(x.bell)
	}
	x.advanceLocked()
	x.mu.Unlock()
	if x.awaits.Load() {
		ring(x.bell)
	}
}

// missed is told by the sorter that something was gone before it was sorted.
func (x *expirer) missed() {
	x.mu.Lock()
	x.gap, x.scan = true, true
	x.mu.Unlock()
	ring(x.bell)
}

// advanceLocked finds up to where everything was seen.
func (x *expirer) advanceLocked() {
	if x.gap || x.scanning {
		return
	}
	to := x.sorted
	if len(x.large) > 0 {
		to = min(to, x.large[0].after)
	}
	x.seen.Store(max(x.seen.Load(), uint64(to)))
	if to >= x.lagSeq {
		x.lag.Store(x.lagNow)
		x.lagSeq = key.SeqNum(x.db.visible.Load())
		x.lagNow = x.db.clock.glance()
	}
}

// expires tells whether values that expire are in the tables.
func (t *feedTables) expires() bool {
	return slices.ContainsFunc(t.tables, func(one *table) bool { return one.meta.Expiring > 0 })
}

// lookThroughLarge notes what expires in large batches. What they overwrite is seen when it is due.
func (x *expirer) lookThroughLarge() {
	for {
		x.mu.Lock()
		var first *feedTables
		if len(x.large) > 0 {
			first = x.large[0]
		}
		x.mu.Unlock()
		if first == nil || x.ctx.Err() != nil {
			return
		}
		watched := x.db.feed.watchedBounds()
		for _, t := range first.tables {
			if err := x.noteAll(t, watched); err != nil {
				x.db.report("look for values that expire in a large batch", err)
			}
		}
		x.mu.Lock()
		x.large = x.large[1:]
		x.advanceLocked()
		x.mu.Unlock()
		first.unref()
	}
}

// noteAll notes what expires in a table, within some bounds.
func (x *expirer) noteAll(t *table, watched []bounds) (err error) {
	if t.meta.Expiring == 0 {
		return nil
	}
	it, err := t.stream()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for _, b := range watched {
		for kv := it.SeekGE(b.lower, key.MaxTrailer); kv != nil && b.contain(kv.Stored) && x.ctx.Err() == nil; kv = it.Next() {
			if kv.Trailer.Kind() == key.KindSetExpiring {
				expiry, _, _ := key.SplitExpiring(kv.Value)
				x.note(expiring{expiry: expiry, stored: string(kv.Stored), seq: kv.Trailer.Seq()})
			}
		}
	}
	return it.Err()
}

// giveUpLarge gives up what was not looked through.
func (x *expirer) giveUpLarge() {
	for _, t := range x.large {
		t.unref()
	}
}

func (f *feed) watchedBounds() []bounds {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []scanTarget
	for w := range f.watchers {
		all = append(all, scanTarget{bounds: w.bounds})
	}
	return joined(all)
}

// floor returns what compactions may drop of what has expired: what had done so at a reading, and was written up to a sequence number; false when
// nobody wants to know of it.
func (f *feed) floor() (reading int64, seen key.SeqNum, ok bool) {
	x := f.telling.Load()
	if x == nil {
		return math.MaxInt64, key.MaxSeqNum, false
	}
	seen = key.SeqNum(x.seen.Load()) // first: see expirer
	reading = x.floor.Load()
	if seen < key.SeqNum(f.db.visible.Load()) {
		reading = min(reading, x.lag.Load())
	}
	return reading, seen, true
}
