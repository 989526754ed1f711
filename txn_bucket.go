package tinykv

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
)

// A transaction keeps the buckets that it uses by the ids of its moment. One that was not there then gets a number that no
// store gives. Its commit goes by names, as that of a batch does: a bucket that is not there then is made. Reads of one that
// was dropped since meet the range tombstone of the drop; those of one that came into being, what is in it.

// Bucket returns the bucket of a name within the transaction.
func (tx *Tx) Bucket(name string) *Bucket {
	return &Bucket{db: tx.db, tx: tx, name: name, invalid: checkBucketName(name)}
}

// errTxBucket is what calls return that do not apply to the bucket of a transaction.
var errTxBucket = fmt.Errorf("%w: this does not apply to a bucket of a transaction; use DB.Bucket", ErrInvalidOption)

// inTx returns the keyspace in which the transaction that the bucket belongs to keeps it.
func (b *Bucket) inTx() (key.Space, error) {
	if b.invalid != nil {
		return 0, b.db.unlessClosed(b.invalid)
	}
	return b.tx.spaceOf(b.name), nil
}

// spaceOf returns the keyspace in which the transaction keeps a bucket.
func (tx *Tx) spaceOf(name string) key.Space {
	if space, ok := tx.spaces[name]; ok {
		return space
	}
	space, ok := tx.snapshot.spaces.Find(name)
	if !ok {
		tx.missing = append(tx.missing, name)
		space = noSpace + key.Space(len(tx.missing))
	}
	if tx.spaces == nil {
		tx.spaces, tx.names = map[string]key.Space{}, map[key.Space]string{}
	}
	tx.spaces[name], tx.names[space] = space, name
	return space
}

// splitOwn is key.SplitStored for keyspaces of a transaction. The end of one is a key of another.
func splitOwn(stored []byte) (space key.Space, user []byte) {
	v, n := binary.Uvarint(stored)
	return key.Space(v), stored[n:]
}

// addOwn adds to the batch of a transaction one of its writes.
func (tx *Tx) addOwn(b *Batch, op batchrepr.Op) error {
	space, user := splitOwn(op.Stored)
	if space == 0 {
		return b.addStored(op)
	}
	local := b.spaceOf(tx.names[space])
	if op.Kind == key.KindRangeDelete {
		_, op.Value = Range{Upper: ownRangeEnd(op.Stored[:len(op.Stored)-len(user)], op.Value)}.stored(local)
	}
	op.Stored = key.AppendStored(nil, local, user)
	return b.addStored(op)
}

// ownRangeEnd returns the user key at which a range ends in the keyspace with an id; nil for none.
func ownRangeEnd(id, end []byte) []byte {
	if user, ok := bytes.CutPrefix(end, id); ok {
		return user
	}
	return nil
}

// findMissing replaces in what was read the keyspaces of buckets that have come into being since.
func (tx *Tx) findMissing() {
	if len(tx.missing) == 0 {
		return
	}
	spaces, reads := tx.db.spaces.Load(), &tx.parts.reads
	for i := range reads.keys {
		if now, ok := tx.found(spaces, reads.key(i)); ok {
			from := len(reads.buf)
			reads.buf = append(reads.buf, now...)
			reads.keys[i] = readKey{sstable.Hash(now), from, len(reads.buf)}
		}
	}
	for i, r := range reads.ranges {
		lower, ok := tx.found(spaces, r.lower)
		if !ok {
			continue
		}
		_, user := splitOwn(r.lower)
		id, _ := splitOwn(lower)
		_, upper := Range{Upper: ownRangeEnd(r.lower[:len(r.lower)-len(user)], r.upper)}.stored(id)
		reads.ranges[i] = readRange{lower, upper}
	}
}

// found returns what is among some keyspaces the stored key of one in a bucket that was missing, if that is there.
func (tx *Tx) found(spaces *manifest.Spaces, stored []byte) ([]byte, bool) {
	space, user := splitOwn(stored)
	if space <= noSpace {
		return nil, false
	}
	id, ok := spaces.Find(tx.names[space])
	if !ok {
		return nil, false
	}
	return key.AppendStored(nil, id, user), true
}
