package tinykv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
)

// A batch knows buckets by their names alone. In its operations the keyspaces 1, 2, ... stand for the names in the
// order in which they came. When the batch is applied, these are looked up, and a copy with the ids of the store goes to the log: so a batch
// belongs to no store, and one that was made before a bucket was dropped can be applied after.

// bucketNames is what a batch with operations on buckets has beside them.
type bucketNames struct {
	names []string             // that of keyspace i + 1 at i
	local map[string]key.Space // where they stand
	bound *Batch               // the copy that was made last; its memory serves again

	// Of a copy:
	source *Batch      // what it was made from
	ids    []key.Space // that the names had
}

// reset forgets the names and keeps the memory.
func (n *bucketNames) reset() {
	clear(n.local)
	n.names = n.names[:0]
}

// spaceOf returns the keyspace that stands for a name.
func (n *bucketNames) spaceOf(name string) key.Space {
	if space, ok := n.local[name]; ok {
		return space
	}
	if n.local == nil {
		n.local = map[string]key.Space{}
	}
	n.names = append(n.names, name)
	space := key.Space(len(n.names))
	n.local[name] = space
	return space
}

// nameOf returns the name that a keyspace stands for; empty for keyspace 0.
func (n *bucketNames) nameOf(space key.Space) string {
	if space == 0 {
		return ""
	}
	return n.names[space-1]
}

// addTo is add for a bucket; nil is none.
func (b *Batch) addTo(to *Bucket, kind key.Kind, k, value []byte, opts []WriteOption) error {
	if to != nil && to.invalid != nil {
		return to.invalid
	}
	if err := b.check(k, value, opts); err != nil {
		return err
	}
	b.append(kind, b.spaceFor(to), k, value)
	return nil
}

// spaceFor returns the keyspace that stands for a bucket; 0 for nil.
func (b *Batch) spaceFor(to *Bucket) key.Space {
	if to == nil {
		return 0
	}
	return b.spaceOf(to.name)
}

// deleteRange is DeleteRange for a bucket; nil is none.
func (b *Batch) deleteRange(to *Bucket, lower, upper []byte, opts []WriteOption) error {
	if to != nil && to.invalid != nil {
		return to.invalid
	}
	first, end, ok, err := deleteRange(lower, upper, 0)
	if err != nil || !ok && len(opts) == 0 {
		return err
	}
	if err := b.check(first, end, opts); err != nil {
		return err
	}
	b.appendRange(to, first, upper)
	return nil
}

// appendRange adds a range deletion that was checked.
func (b *Batch) appendRange(to *Bucket, lower, upper []byte) {
	space := b.spaceFor(to)
	_, end := Range{Upper: upper}.stored(space)
	b.append(key.KindRangeDelete, space, lower, end)
}

// named returns the batch with names that a batch is, or was copied from.
func (b *Batch) named() *Batch {
	if b.source != nil {
		return b.source
	}
	return b
}

// bindTo returns the batch with the ids that its names have among some keyspaces; nil when one is not there. It
// is the batch itself when there are no names, or a copy that holds until the next call.
func (b *Batch) bindTo(s spaceFinder) *Batch {
	if len(b.names) == 0 {
		return b
	}
	if b.bound == nil {
		b.bound = &Batch{bucketNames: bucketNames{source: b}}
	}
	to := b.bound
	to.ids = to.ids[:0]
	for _, name := range b.names {
		id, ok := s.Find(name)
		if !ok {
			return nil
		}
		to.ids = append(to.ids, id)
	}
	to.repr = batchrepr.AppendHeader(slices.Grow(to.repr[:0], len(b.repr)), 0, 0)
	to.count, to.ranges, to.merges, to.expiring = b.count, b.ranges, b.merges, b.expiring
	b.appendTo(to, to.ids)
	return to
}

// appendTo appends the operations to the bytes of another batch. ids stand for the keyspaces from 1 on.
func (b *Batch) appendTo(to *Batch, ids []key.Space) {
	var end []byte
	for op := range b.ops() {
		space, user, _ := key.SplitStored(op.Stored)
		if space == 0 {
			to.repr = batchrepr.AppendOp(to.repr, op.Kind, 0, user, op.Value)
			continue
		}
		id := ids[space-1]
		if op.Kind == key.KindRangeDelete {
			_, end = Range{Upper: rangeEnd(space, op.Value)}.appendStored(nil, end[:0], id)
			op.Value = end
		}
		to.repr = batchrepr.AppendOp(to.repr, op.Kind, id, user, op.Value)
	}
}

// isBoundTo tells whether the names have the same ids among some keyspaces as in the copy, if it is one.
func (b *Batch) isBoundTo(s spaceFinder) bool {
	if b.source == nil {
		return len(b.names) == 0
	}
	for i, name := range b.source.names {
		if id, ok := s.Find(name); !ok || id != b.ids[i] {
			return false
		}
	}
	return true
}

// sameNames tells whether the keyspaces of another batch stand for the same names, as far as it has any.
func (b *Batch) sameNames(other *Batch) bool {
	return len(other.names) <= len(b.names) && slices.Equal(other.names, b.names[:len(other.names)])
}

// appendNamed adds the operations of a batch with other names.
func (b *Batch) appendNamed(other *Batch) {
	var spaces []key.Space
	for _, name := range other.names {
		spaces = append(spaces, b.spaceOf(name))
	}
	other.appendTo(b, spaces)
}

// In binary form, a batch with operations on buckets has 0 where others have a sequence number, and the
// names between the header and the operations: their number (uvarint), then length (uvarint) and bytes of each.

// namesLen returns how many bytes the names take in binary form.
func (b *Batch) namesLen() int {
	if len(b.names) == 0 {
		return 0
	}
	n := uvarintLen(len(b.names))
	for _, name := range b.names {
		n += uvarintLen(len(name)) + len(name)
	}
	return n
}

func uvarintLen(v int) int { return len(binary.AppendUvarint(nil, uint64(v))) }

func (b *Batch) appendNames(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b.names)))
	for _, name := range b.names {
		dst = binary.AppendUvarint(dst, uint64(len(name)))
		dst = append(dst, name...)
	}
	return dst
}

// cutNames takes the names off what follows the header of a batch.
func cutNames(data []byte) (names []string, rest []byte, err error) {
	damage := func(what string) error {
		return corrupt.Errorf("batch", "%s", what).At(batchrepr.HeaderLen)
	}
	count, n := binary.Uvarint(data)
	if n <= 0 || count == 0 || count > uint64(len(data)) {
		return nil, nil, damage("number of bucket names")
	}
	data = data[n:]
	seen := map[string]bool{}
	for range count {
		length, n := binary.Uvarint(data)
		if n <= 0 || length > uint64(len(data)-n) {
			return nil, nil, damage("bucket name is cut short")
		}
		name := string(data[n:][:length])
		if checkBucketName(name) != nil || seen[name] {
			return nil, nil, damage(fmt.Sprintf("bucket name %.20q is invalid, or there twice", name))
		}
		seen[name] = true
		names = append(names, name)
		data = data[n+int(length):]
	}
	return names, data, nil
}

// unmarshalNamed is UnmarshalBinary for a batch with names.
func (b *Batch) unmarshalNamed(data []byte) error {
	names, ops, err := cutNames(data[batchrepr.HeaderLen:])
	if err != nil {
		return err
	}
	plain := append(batchrepr.AppendHeader(make([]byte, 0, batchrepr.HeaderLen+len(ops)), 0, 0), ops...)
	_, count := batchrepr.Header(data)
	return b.take(plain, count, names)
}

// take replaces the batch by checked operations; names are those of the keyspaces from 1 on, all of which occur.
func (b *Batch) take(repr []byte, count uint32, names []string) error {
	ranges, merges, expiring := uint32(0), uint32(0), uint32(0)
	used := make([]bool, len(names)+1)
	r := batchrepr.ReadOps(repr, count)
	for {
		op, ok, err := r.Next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		space, user, _ := key.SplitStored(op.Stored)
		if int64(space) > int64(len(names)) {
			return fmt.Errorf("%w: keyspace %d", ErrFormatTooNew, space)
		}
		used[space] = true
		value := op.Value
		if op.Kind == key.KindMerge {
			merges++
			_, value, _ = key.SplitOperand(value)
		}
		if op.Kind == key.KindSetExpiring {
			expiring++
			_, value, _ = key.SplitExpiring(value)
		}
		if err := checkSizes(user, value); err != nil {
			return err
		}
		if op.Kind == key.KindRangeDelete {
			if ranges++; rangeEnd(space, op.Value) == nil && !bytes.Equal(op.Value, key.SpaceEnd(space)) {
				return fmt.Errorf("%w: a range that ends at % x", ErrFormatTooNew, op.Value)
			}
		}
	}
	if i := slices.Index(used[1:], false); i >= 0 {
		return corrupt.Errorf("batch", "no operation for bucket %.20q", names[i]).At(batchrepr.HeaderLen)
	}
	b.Reset()
	for _, name := range names {
		b.spaceOf(name)
	}
	b.repr, b.count, b.ranges, b.merges, b.expiring = append(b.repr[:0], repr...), count, ranges, merges, expiring
	return nil
}
