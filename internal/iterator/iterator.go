// Package iterator holds the contract of internal iterators and the one that merges them.
package iterator

import "github.com/tinykv/tinykv/internal/key"

// KV is an entry: an internal key and its value. All slices are borrowed from the iterator that
// returned it and hold until its next move.
type KV struct {
	Stored  []byte
	Trailer key.Trailer
	Value   []byte
}

// Key returns the internal key.
func (kv *KV) Key() key.Internal { return key.Internal{Stored: kv.Stored, Trailer: kv.Trailer} }

// Iterator is a cursor over entries in the order of internal keys. Every move returns the entry it
// arrived at, or nil when there is none: at the end, or after a failure, which Err then tells.
//
// An iterator belongs to one goroutine. After nil from Next only Prev or a seek may follow, after
// nil from Prev only Next or a seek; Prev then returns the last entry, Next the first. A failure
// sticks until the next First, Last or seek.
type Iterator interface {
	// First moves to the first entry, Last to the last.
	First() *KV
	Last() *KV

	// SeekGE moves to the first entry at or behind the internal key (stored, trailer).
	SeekGE(stored []byte, trailer key.Trailer) *KV

	// SeekLT moves to the last entry before the internal key (stored, trailer).
	SeekLT(stored []byte, trailer key.Trailer) *KV

	Next() *KV
	Prev() *KV

	// Err returns the failure that ended the last move, or nil.
	Err() error

	// Close releases what the iterator holds. A second call does nothing.
	Close() error
}

// Bounded is an Iterator that knows, after a move that failed, where what it could not read lies.
type Bounded interface {
	Iterator

	// FailedAt returns an internal key at or before every entry that the move, which went forward,
	// could not read; or, for a move backward, one at or behind every such entry. It reports false
	// when nothing is known. The key holds until the next move.
	FailedAt(forward bool) (bound key.Internal, known bool)
}

// FailedAt is Bounded.FailedAt for any Iterator.
func FailedAt(it Iterator, forward bool) (bound key.Internal, known bool) {
	if b, ok := it.(Bounded); ok {
		return b.FailedAt(forward)
	}
	return key.Internal{}, false
}
