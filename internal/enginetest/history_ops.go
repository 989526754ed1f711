package enginetest

import (
	"slices"

	"github.com/tinykv/tinykv"
)

// historyOp is an operation that is drawn as often as its weight says.
type historyOp struct {
	name   string
	weight int
	run    func(*History)
}

// historyOps are the operations of every history.
var historyOps = []historyOp{
	{"put", 250, func(h *History) { h.put(h.writeOption()...) }},
	{"put, synced", 10, func(h *History) { h.put(tinykv.Sync) }},
	{"put, unsynced", 10, func(h *History) { h.put(tinykv.NoSync) }},
	{"put a long value", 3, (*History).putLong},
	{"delete", 60, func(h *History) { h.delete(h.writeOption()...) }},
	{"delete, synced", 4, func(h *History) { h.delete(tinykv.Sync) }},
	{"delete range", 12, func(h *History) { h.deleteRange(h.NarrowRange()) }},
	{"delete range without end", 1, func(h *History) { h.deleteRange(tinykv.Between(h.Key(), nil)) }},
	{"clear", 1, func(h *History) { h.deleteRange(tinykv.All()) }},
	{"put if absent", 30, (*History).putIfAbsent},
	{"compare and swap", 30, (*History).compareAndSwap},
	{"compare and delete", 30, (*History).compareAndDelete},

	{"merge", 60, func(h *History) { h.merge(h.writeOption()...) }},
	{"merge, synced", 3, func(h *History) { h.merge(tinykv.Sync) }},
	{"merge with one key", 4, (*History).mergeHot},

	{"transaction", 24, (*History).transaction},
	{"large transaction", 1, (*History).largeTransaction},

	{"batch: merge", 30, func(h *History) { h.must(h.anyBatch().Merge(h.Key(), h.operand())) }},
	{"batch: put", 140, func(h *History) { h.must(h.anyBatch().Put(h.Key(), h.Value())) }},
	{"batch: delete", 60, func(h *History) { h.must(h.anyBatch().Delete(h.Key())) }},
	{"batch: delete range", 7, (*History).batchDeleteRange},
	{"batch: append", 5, (*History).appendBatch},
	{"batch: encode and decode", 5, (*History).codeBatch},
	{"batch: list", 5, (*History).listBatch},
	{"batch: reset", 2, func(h *History) { h.anyBatch().Reset() }},
	{"apply", 16, func(h *History) { h.applyAny(h.writeOption()...) }},
	{"apply, synced", 3, func(h *History) { h.applyAny(tinykv.Sync) }},
	{"apply and keep", 3, func(h *History) { h.apply(h.anyBatch()) }},
	{"apply large", 2, (*History).applyLarge},
	{"apply many range deletions", 1, (*History).applyRanges},

	{"get", 80, onStore((*History).getKey)},
	{"get to", 40, onStore((*History).getTo)},
	{"peek", 40, onStore((*History).peek)},
	{"has", 40, onStore((*History).has)},
	{"get multi", 60, onStore((*History).getMultiFrom)},
	{"explain", 20, (*History).explain},
	{"scan", 14, onStore(scanning())},
	{"scan backward", 10, onStore(scanning(tinykv.Reverse))},
	{"scan keys only", 6, onStore(scanning(tinykv.KeysOnly))},
	{"scan limited", 6, func(h *History) { scanning(tinykv.Limit(h.IntN(10)))(h, h.db, h.model) }},
	{"scan backward, keys only, limited", 4, func(h *History) {
		scanning(tinykv.Reverse, tinykv.KeysOnly, tinykv.Limit(h.IntN(10)))(h, h.db, h.model)
	}},
	{"scan broken off", 6, (*History).breakOff},
	{"count", 10, onStore((*History).countIn)},
	{"estimate size", 4, (*History).estimate},

	{"snapshot", 10, (*History).newSnapshot},
	{"snapshot: get", 30, onSnapshot((*History).getFrom)},
	{"snapshot: get multi", 10, onSnapshot((*History).getMultiFrom)},
	{"snapshot: scan", 8, onSnapshot(scanning())},
	{"snapshot: scan backward", 6, onSnapshot(scanning(tinykv.Reverse))},
	{"snapshot: count", 6, onSnapshot((*History).countIn)},
	{"snapshot: close", 8, (*History).closeSnapshot},

	{"iterator", 12, onStore((*History).newIterOf)},
	{"iterator of a snapshot", 6, onSnapshot((*History).newIterOf)},
	{"iterator: first", 20, moving(func(_ *History, p *pastCursor) (bool, bool) { return p.iter.First(), p.cursor.First() })},
	{"iterator: last", 20, moving(func(_ *History, p *pastCursor) (bool, bool) { return p.iter.Last(), p.cursor.Last() })},
	{"iterator: seek up", 40, moving((*History).seekGE)},
	{"iterator: seek down", 40, moving((*History).seekLT)},
	{"iterator: next", 130, moving(func(_ *History, p *pastCursor) (bool, bool) { return p.iter.Next(), p.cursor.Next() })},
	{"iterator: previous", 100, moving(func(_ *History, p *pastCursor) (bool, bool) { return p.iter.Prev(), p.cursor.Prev() })},
	{"iterator: walk", 12, (*History).walk},
	{"iterator: close", 12, (*History).closeIter},

	{"watch", 4, (*History).watch},
	{"learn what happened", 10, (*History).learn},

	{"flush", 5, (*History).flush},
	{"flush, given up", 2, (*History).flushGivenUp},
	{"compact", 1, func(h *History) { h.compact(tinykv.All()) }},
	{"compact a range", 3, func(h *History) { h.compact(h.Range()) }},
	{"sync", 4, (*History).sync},
	{"metrics", 2, (*History).metrics},
	{"verify", 1, (*History).verify},
	{"resume", 1, func(h *History) { h.must(h.db.Resume()) }},
	{"wrong calls", 4, (*History).wrong},
	{"reopen", 2, (*History).reopen},
	{"open to read", 1, func(h *History) {
		h.close()
		h.readOnly()
		h.open()
	}},
}

// changeOps are for histories with other options now and then, faultOps for those with full disks.
var (
	changeOps = []historyOp{{"reopen with other options", 3, func(h *History) { h.Change(); h.reopen() }}}
	faultOps  = []historyOp{
		{"full disk in a flush", 3, (*History).faultyFlush},
		{"full disk in a compaction", 2, (*History).faultyCompaction},
		{"full disk in a large batch", 2, (*History).faultyLarge},
	}
)

// crashOps are for histories with crashes, crashInOps for crashes in the middle of something.
var (
	crashOps   = []historyOp{{"crash", 6, (*History).crash}}
	crashInOps = []historyOp{
		{"crash in writes", 4, crashingIn(func(h *History) {
			for range 12 {
				h.put(h.writeOption()...)
			}
		})},
		{"crash in an apply", 2, crashingIn(func(h *History) { h.applyAny() })},
		{"crash in a transaction", 3, crashingIn((*History).transaction)},
		{"crash in a large transaction", 2, crashingIn((*History).largeTransaction)},
		{"crash in a large batch", 2, crashingIn((*History).applyLarge)},
		{"crash in a flush", 3, crashingIn((*History).flush)},
		{"crash in a compaction", 3, crashingIn(func(h *History) { h.compact(tinykv.All()) })},
		{"crash in a range deletion", 2, crashingIn(func(h *History) { h.deleteRange(h.NarrowRange()); h.flush() })},
		{"crash in a drop of a bucket", 2, (*History).crashInDrop},
		{"crash in closing and opening", 3, crashingIn((*History).reopen)},
	}
)

// Kinds returns the names of all operations.
func Kinds() []string {
	var names []string
	for _, op := range slices.Concat(historyOps, bucketOps, expiryOps, changeOps, faultOps, crashOps, crashInOps) {
		names = append(names, op.name)
	}
	return names
}

// operations returns the operations that this history draws from, and those that crash.
func (h *History) operations() (ops, crashes []historyOp) {
	ops = slices.Concat(historyOps, bucketOps)
	if h.Clock != nil {
		ops = append(ops, expiryOps...)
	}
	if h.Change != nil {
		ops = append(ops, changeOps...)
	}
	if h.Fault != nil {
		ops = append(ops, faultOps...)
	}
	if h.Crash != nil {
		h.lost.durable = &Model{}
		crashes = append(crashes, crashOps...)
	}
	if h.CrashIn != nil {
		crashes = append(crashes, crashInOps...)
	}
	if h.Crashes == 0 {
		ops = append(ops, crashes...)
	}
	for i := range ops {
		if h.Fuzzed {
			ops[i].weight = 1
		}
	}
	return ops, crashes
}

// crashPlaces draws before which operations the store crashes, where that is not left to chance.
func (h *History) crashPlaces(operations int) map[int]bool {
	places := map[int]bool{}
	for len(places) < min(h.Crashes, operations) {
		places[h.IntN(operations)] = true
	}
	return places
}
