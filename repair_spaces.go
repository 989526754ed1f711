package tinykv

import (
	"fmt"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

// The copy has the buckets of the store under the ids that they had. Keys of a keyspace that was dropped belong to
// nobody. Where a name is missing, since no manifest that can be read has it, the keys go to a bucket that is named after the id: with an id above
// all others, and by batches of their own, as what goes to the last level must come in order.

// repairSpaces are the keyspaces of a copy.
type repairSpaces struct {
	named  *manifest.Spaces // of the store
	known  bool             // there are no others
	unsaid map[key.Space]key.Space
	strays Batch // entries of keyspaces without a name
	report *RepairReport
}

// spaces returns what is known of the keyspaces.
func (r *repair) spaces() repairSpaces {
	s := repairSpaces{named: r.books.Spaces, unsaid: map[key.Space]key.Space{}, report: r.report}
	if k := r.books.Known; k != nil {
		s.named, s.known = k.Spaces, true
	}
	return s
}

// makeSpaces makes the buckets that have names.
func (c *repairCopy) makeSpaces() error {
	e := &manifest.Edit{}
	if c.spaces.named.AddTo(e); c.spaces.named.Last() == 0 {
		return nil
	}
	return c.db.exclusively(func() error { return c.db.changeSpaces(e) })
}

// dropped tells whether a stored key belongs to a keyspace that was dropped.
func (s *repairSpaces) dropped(stored []byte) bool {
	space, _, _ := key.SplitStored(stored)
	if space == 0 || !s.known || space > s.named.Last() {
		return false
	}
	_, named := s.named.Name(space)
	return !named
}

// isStray tells whether a stored key belongs to a keyspace without a name, which was not dropped.
func (s *repairSpaces) isStray(stored []byte) bool {
	space, _, _ := key.SplitStored(stored)
	if space == 0 || s.dropped(stored) {
		return false
	}
	_, named := s.named.Name(space)
	return !named
}

// strayOf returns an operation on a keyspace without a name as one on the bucket that stands for it.
func (c *repairCopy) strayOf(op batchrepr.Op) (batchrepr.Op, error) {
	space, user, _ := key.SplitStored(op.Stored)
	id, ok := c.spaces.unsaid[space]
	if !ok {
		var err error
		if id, err = c.makeUnnamed(space); err != nil {
			return op, err
		}
		c.spaces.unsaid[space] = id
	}
	op.Stored = key.AppendStored(nil, id, user)
	if op.Kind == key.KindRangeDelete {
		_, op.Value = Range{Upper: rangeEnd(space, op.Value)}.stored(id)
	}
	return op, nil
}

// makeUnnamed makes a bucket for a keyspace without a name.
func (c *repairCopy) makeUnnamed(space key.Space) (key.Space, error) {
	name := fmt.Sprintf("unnamed keyspace %d", space)
	for _, taken := c.db.spaces.Load().Find(name); taken; _, taken = c.db.spaces.Load().Find(name) {
		name += "'"
	}
	if err := c.db.exclusively(func() error { return c.db.makeBuckets(name) }); err != nil {
		return 0, err
	}
	c.spaces.report.Unnamed = append(c.spaces.report.Unnamed, name)
	id, _ := c.db.spaces.Load().Find(name)
	return id, nil
}

// putStray adds an entry of a keyspace without a name.
func (c *repairCopy) putStray(op batchrepr.Op) error {
	op, err := c.strayOf(op)
	if err != nil {
		return err
	}
	if err := c.spaces.strays.addStored(op); err != nil || c.spaces.strays.Size() < repairBatchBytes {
		return err
	}
	return c.flushStrays()
}

func (c *repairCopy) flushStrays() error {
	if c.spaces.strays.Len() == 0 {
		return nil
	}
	err := c.db.Apply(&c.spaces.strays)
	c.spaces.strays.Reset()
	return err
}

// load takes the operations of a log record into the batch, which is empty, but for those on keyspaces that were
// dropped.
func (c *repairCopy) load(payload []byte) error {
	_, ops, err := batchrepr.Read(payload)
	if err != nil {
		return err
	}
	for {
		op, ok, err := ops.Next()
		if err != nil || !ok {
			return err
		}
		switch {
		case c.spaces.dropped(op.Stored):
			continue
		case c.spaces.isStray(op.Stored):
			if op, err = c.strayOf(op); err != nil {
				return err
			}
		}
		if err := c.batch.addStored(op); err != nil {
			return err
		}
	}
}
