// Package tinykv is an embedded, ordered key-value store: a log-structured merge tree whose tables
// are read in place through memory maps.
//
//	db, err := tinykv.Open("data", nil)
//	if err != nil {
//		return err
//	}
//	defer db.Close()
//
//	if err := db.Put([]byte("fig"), []byte("ripe")); err != nil {
//		return err
//	}
//	value, err := db.Get([]byte("fig")) // a copy; errors.Is(err, tinykv.ErrNotFound) when absent
//
// # Rules
//
// Keys order bytewise. The empty key and the empty value are legal, and differ from absent ones; a
// nil value is an empty one. A key has up to 64 KiB - 1, a value up to 1 GiB, a batch up to 2 GiB
// (64 and 65 MiB on 32-bit systems). Deleting what is absent is no error.
//
// Every function copies what it is given: the caller may reuse its slices as soon as a call
// returns. Get and Scan return memory that the caller owns. Peek and an [Iterator] lend theirs for
// a time that their documentation states.
//
// A [DB] and a [Snapshot] may be used by any number of goroutines; a [Batch] and an [Iterator] by
// one at a time. Reads never wait for writes. After Close, everything returns [ErrClosed].
//
// A [Bucket] is a keyspace of its own within a store, under a name. What a DB reads and writes without one lies
// outside of all buckets.
//
// A write that returned nil survives the death of the process. Whether it survives power loss is
// the caller's choice, per store ([Durability]) and per call ([Sync], [NoSync]). A write that
// returned an error may or may not have taken effect; if it has, then whole.
//
// A DB comes from [Open], and a [Snapshot], [Iterator], [Tx] or Bucket from a DB or one another: their zero values are of no
// use. Those of a Batch, a [Range] and of all options are an empty batch, all keys, and the defaults.
//
// No function panics on input, ends the process or prints. Errors match the Err values of this
// package under errors.Is.
package tinykv
