package tinykv

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/tinykv/tinykv/internal/key"
)

// An iterator that was never closed keeps files and memory for ever, a snapshot old entries. So that it can
// be found, Metrics tells how old the oldest is and where it was opened. When is noted for each, for some
// 30 ns; where, which costs ten times as much and more, for one in originEvery.

// originEvery is of how many that are opened one is asked where, the first among them.
const originEvery = 64

// originDepth is how many callers are noted: DB.NewIter or Scan may be between newIter and the user.
const originDepth = 3

// origin is when and, for some, where something was opened.
type origin struct {
	at  time.Duration // since the opening of the store
	pcs [originDepth]uintptr
}

// note notes where; skip is how many callers of note are ours for certain.
func (o *origin) note(skip int) { runtime.Callers(skip+2, o.pcs[:]) }

// isKnown tells whether it is known where.
func (o *origin) isKnown() bool { return o.pcs[0] != 0 }

// ownPackage begins the names of the functions of this package.
const ownPackage = "github.com/tinykv/tinykv."

// String returns file:line of the first caller that is none of ours.
func (o *origin) String() string {
	n := 0
	for n < originDepth && o.pcs[n] != 0 {
		n++
	}
	if n == 0 {
		return ""
	}
	for frames := runtime.CallersFrames(o.pcs[:n]); ; {
		f, more := frames.Next()
		if !more || !isOwn(f.Function) {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
}

// isOwn tells whether a function is one of this package. The loop over a Scan may have been inlined into
// the function of the user, whose name it then has part of.
func isOwn(function string) bool {
	return strings.HasPrefix(function, ownPackage) || strings.Contains(function, ".Scan.reader.scan.")
}

// held is what is known of one that is open. It is copied under a lock; told is for afterwards.
type held struct {
	origin origin
	seq    key.SeqNum
}

// holders are how many are open, the one that was opened first, and the first one of which it is known where.
type holders struct {
	count          int
	oldest, traced *held
}

// merge adds others.
func (h *holders) merge(o holders) {
	h.count += o.count
	h.oldest, h.traced = older(h.oldest, o.oldest), older(h.traced, o.traced)
}

// older returns which of two was opened first; there may be none.
func older(a, b *held) *held {
	if a == nil || b != nil && b.origin.at < a.origin.at {
		return b
	}
	return a
}

// told returns what Metrics tells of them.
func (h holders) told(now time.Duration) (n int, oldest, traced *Holder) {
	return h.count, h.oldest.told(now), h.traced.told(now)
}

func (h *held) told(now time.Duration) *Holder {
	if h == nil {
		return nil
	}
	return &Holder{Seq: uint64(h.seq), Age: now - h.origin.at, Origin: h.origin.String()}
}

// openIterators are the iterators that were not closed, in lists that their tickets pick, so that
// nobody has to wait for anybody.
type openIterators [maxCells]iteratorList

type iteratorList struct {
	mu     sync.Mutex
	count  int // guarded by mu, as all that follows and the links of the iterators in the list
	opened uint64

	oldest, newest *Iterator

	_ [128 - 5*8]byte
}

// add takes a new iterator into a list; newIter calls it.
func (o *openIterators) add(i *Iterator, s *sampler, ticket uint32) {
	l := &o[cellOf(ticket, maxCells)]
	i.list = l
	i.origin.at = s.now()
	l.mu.Lock()
	if l.opened%s.originEvery == 0 {
		i.origin.note(2)
	}
	l.opened++
	l.count++
	if i.older = l.newest; i.older == nil {
		l.oldest = i
	} else {
		i.older.newer = i
	}
	l.newest = i
	l.mu.Unlock()
}

// remove takes it out again.
func (l *iteratorList) remove(i *Iterator) {
	l.mu.Lock()
	if i.older == nil {
		l.oldest = i.newer
	} else {
		i.older.newer = i.newer
	}
	if i.newer == nil {
		l.newest = i.older
	} else {
		i.newer.older = i.older
	}
	i.older, i.newer = nil, nil
	l.count--
	l.mu.Unlock()
}

// holders looks over all lists.
func (o *openIterators) holders() (h holders) {
	for i := range o {
		h.merge(o[i].holders())
	}
	return h
}

// holders looks at about originEvery iterators, so the lock is not held for long.
func (l *iteratorList) holders() holders {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := holders{count: l.count}
	for i := l.oldest; i != nil && h.traced == nil; i = i.newer {
		h.look(i.origin, i.seq)
	}
	return h
}

func (l *snapshotList) holders() holders {
	h := holders{count: l.count}
	for s := l.oldest; s != nil && h.traced == nil; s = s.next {
		h.look(s.origin, s.seq)
	}
	return h
}

// look is called for one after the other, the oldest first.
func (h *holders) look(o origin, seq key.SeqNum) {
	if h.oldest == nil {
		h.oldest = &held{o, seq}
	}
	if h.traced == nil && o.isKnown() {
		h.traced = &held{o, seq}
	}
}
