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
