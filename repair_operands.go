package tinykv

import (
	"bytes"
	"container/heap"
	"fmt"
	"slices"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/sstable"
)

// A key whose newest entry is a merge operand has as its value what a chain of entries amounts to. It is copied entry by entry,
// so that Repair needs no operator, and only if none can be missing, whatever else is wanted.

// repairChain is that chain.
type repairChain struct {
	entries []repairEntry // newest first; what the operands follow, if anything, is the last
	low     key.SeqNum    // the next entry that counts lies below
	bottom  key.SeqNum    // of what the operands follow; 0 for nothing
	runs    int           // nothing that bears on the key lies in later runs
}

type repairEntry struct {
	kind  key.Kind
	value []byte
}

// copyOperands copies a key, the least, whose newest entry is a merge operand.
func (r *repair) copyOperands(m *repairMerge, stored []byte, to *repairCopy) error {
	deleted := m.spans.newest(m.spans.runs()).seq
	if deleted > m.heads[0].kv.Trailer.Seq() {
		return nil
	}
	c, err := m.chain(stored, deleted)
	if err != nil {
		return err
	}
	if r.books.Known == nil {
		c.runs = m.gaps.runs()
	}
	if to.db.opts.MergeOperator == nil { // nobody knows any more what the operands mean
		r.report.Doubtful++
		return nil
	}
	if gap := m.gaps.newest(c.runs); gap.seq > c.bottom || r.books.Known == nil { // what it amounts to without something may never have been
		r.report.Doubtful++
		if gap.seq > c.bottom {
			gap.damage.Doubtful++
		}
		return nil
	}
	r.report.Entries++
	for _, e := range slices.Backward(c.entries) {
		if e.kind == key.KindMerge {
			_, operand, _ := key.SplitOperand(e.value)
			e.value = key.AppendOperand(nil, 0, operand)
		}
		if err := to.put(e.kind, stored, e.value); err != nil {
			return err
		}
	}
	return nil
}

// chain takes the entries of the least key off the runs, as far as they count.
func (m *repairMerge) chain(stored []byte, deleted key.SeqNum) (*repairChain, error) {
	c := &repairChain{low: key.MaxSeqNum, runs: m.gaps.runs(), bottom: deleted}
	for len(m.heads) > 0 && bytes.Equal(m.heads[0].kv.Stored, stored) {
		from := m.heads[0]
		kind, seq := from.kv.Trailer.Kind(), from.kv.Trailer.Seq()
		if seq < deleted {
			return c, nil
		}
		if seq < c.low {
			if kind != key.KindDelete {
				c.entries = append(c.entries, repairEntry{kind, bytes.Clone(from.kv.Value)})
			}
			if kind != key.KindMerge {
				c.bottom, c.runs = seq, from.num+1
				return c, nil
			}
			reach, _, _ := key.SplitOperand(from.kv.Value)
			c.low = seq - reach
		}
		if err := m.advanceFirst(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// advanceFirst moves the run that stands first.
func (m *repairMerge) advanceFirst() error {
	if err := m.heads[0].next(); err != nil {
		return err
	}
	if m.heads[0].kv == nil {
		heap.Pop(&m.heads)
	} else {
		heap.Fix(&m.heads, 0)
	}
	return nil
}

// repairBases knows what merges in the log follow. Where something is missing in the tables, a key that is not in the copy may have had
// a value; until the log says what it has, merges with it are in doubt.
type repairBases struct {
	r          *repair
	to         *repairCopy
	incomplete bool
	known      map[string]bool // stored keys of which the log says what they have
	deleted    []rangedel.Span // ranges of which it says so
}

func (r *repair) bases(to *repairCopy) *repairBases {
	incomplete := r.books.Known == nil || r.gaps > 0 || r.report.Doubtful > 0 || r.report.Lost > 0
	return &repairBases{r: r, to: to, incomplete: incomplete, known: map[string]bool{}}
}

// settle takes merges that are in doubt out of a batch of the log, even if what is in doubt is wanted: of a key that is out of date they
// would make a value that it never had.
func (b *repairBases) settle(batch *Batch) error {
	if !b.incomplete {
		return nil
	}
	left := Batch{bucketNames: batch.bucketNames}
	for op := range batch.ops() {
		switch op.Kind {
		case key.KindMerge:
			if sure, err := b.sure(op.Stored); err != nil {
				return err
			} else if !sure {
				b.r.report.Doubtful++
				continue
			}
		case key.KindRangeDelete:
			span := tombstone(op, 1)
			b.deleted = append(b.deleted, rangedel.Span{Lower: bytes.Clone(span.Lower), Upper: bytes.Clone(span.Upper), Seqs: span.Seqs})
		default:
			b.known[string(op.Stored)] = true
		}
		if err := left.addStored(op); err != nil {
			return err
		}
	}
	if batch.merges == 0 {
		return nil
	}
	*batch = left
	return nil
}

// sure tells whether it is known what a key has.
func (b *repairBases) sure(stored []byte) (bool, error) {
	if b.known[string(stored)] || slices.ContainsFunc(b.deleted, func(s rangedel.Span) bool { return s.Contains(stored) }) {
		return true, nil
	}
	if b.r.o.KeepDoubtful { // what the copy has may be out of date
		return false, nil
	}
	_, found, err := b.to.db.newestEntry(stored, sstable.Hash(stored))
	return found != 0 && found.Kind() != key.KindDelete && found.Kind() != key.KindRangeDelete, err
}

// operator returns what the copy has as its merge operator: nil if the store had none.
func (r *repair) operator() MergeOperator {
	name := r.books.MergeOperator
	if k := r.books.Known; k != nil {
		name = k.MergeOperator
	}
	if name == "" {
		return nil
	}
	if op := builtinMerge(name); op != nil {
		return op
	}
	return unknownOperator(name)
}

// unknownOperator stands for an operator that is not at hand. Its operands stay apart.
type unknownOperator string

// Name implements MergeOperator.
func (u unknownOperator) Name() string { return string(u) }

// Merge implements MergeOperator. Its failure is caught where operands are put together, see merge.
func (u unknownOperator) Merge(_, _ []byte) []byte {
	panic(fmt.Sprintf("the operator %q is not at hand", string(u)))
}
