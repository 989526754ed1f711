// Package badger puts Badger behind the benchmarks' interface.
package badger

import (
	"errors"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

// New returns the engine.
func New() engine.Engine {
	return engine.Engine{
		Name:       "badger",
		Module:     "github.com/dgraph-io/badger/v4",
		Settings:   settings,
		Durability: durability,
		Open:       open,
	}
}

func settings(c engine.Config) string {
	if c.Profile == engine.Default {
		return "DefaultOptions: up to 5 memtables of 64 MiB, cache 256 MiB, Snappy, 1 % false positives; conflicts detected"
	}
	return "up to 5 memtables of " + engine.MiB(c.MemTableBytes()) + ", no compression, and so no cache, as its documents advise, 1 % false positives (about 10 bits), values up to 1 MiB in the tree, " +
		"four compactors; no conflict detection, no metrics"
}

func durability(c engine.Config) string {
	if c.Sync {
		return "power loss"
	}
	return "killed process"
}

func opts(dir string, c engine.Config) badger.Options {
	o := badger.DefaultOptions(dir).WithLogger(nil).WithSyncWrites(c.Sync)
	if c.Profile == engine.Default {
		return o
	}
	return o.WithMemTableSize(int64(c.MemTableBytes())).
		WithBlockCacheSize(0).
		WithBloomFalsePositive(0.01).
		WithCompression(options.None).
		WithDetectConflicts(false).
		WithMetricsEnabled(false)
}

type store struct{ db *badger.DB }

func open(dir string, c engine.Config) (engine.Store, error) {
	db, err := badger.Open(opts(dir, c))
	if err != nil {
		return nil, err
	}
	return &store{db: db}, nil
}

func (s *store) NewSession(int) (engine.Session, error) { return &session{db: s.db}, nil }

func (s *store) Stats() engine.Stats { return engine.Stats{} }

func (s *store) Close() error { return s.db.Close() }

type session struct{ db *badger.DB }

func (s *session) Get(key []byte, look func([]byte) error) (found bool, err error) {
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	return get(txn, key, look)
}

func get(txn *badger.Txn, key []byte, look func([]byte) error) (found bool, err error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, item.Value(look)
}

func (s *session) MultiGet(keys [][]byte, each func(int, []byte) error) error {
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	for i, key := range keys {
		if _, err := get(txn, key, func(value []byte) error { return each(i, value) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) Put(key, value []byte) error {
	return s.db.Update(func(txn *badger.Txn) error { return txn.Set(key, value) })
}

func (s *session) Delete(key []byte) error {
	return s.db.Update(func(txn *badger.Txn) error { return txn.Delete(key) })
}

// PutBatch is a transaction: Badger's WriteBatch is not atomic.
func (s *session) PutBatch(keys, values [][]byte) error {
	return s.db.Update(func(txn *badger.Txn) error {
		for i := range keys {
			if err := txn.Set(keys[i], values[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *session) NewIterator(p engine.Plan) (engine.Iterator, error) {
	o := badger.DefaultIteratorOptions
	o.Reverse = p.Reverse
	o.PrefetchSize = min(o.PrefetchSize, p.Entries)
	o.PrefetchValues = p.Entries > 1
	txn := s.db.NewTransaction(false)
	i := &iterator{txn: txn, it: txn.NewIterator(o)}
	i.keep = func(value []byte) error { i.value = value; return nil }
	return i, nil
}

func (s *session) Close() error { return nil }

type iterator struct {
	txn   *badger.Txn
	it    *badger.Iterator
	value []byte
	keep  func(value []byte) error // sets value
}

func (i *iterator) First() bool { return i.rewind() }

func (i *iterator) Last() bool { return i.rewind() }

func (i *iterator) rewind() bool {
	i.it.Rewind()
	return i.it.Valid()
}

func (i *iterator) SeekGE(key []byte) bool {
	i.it.Seek(key)
	return i.it.Valid()
}

func (i *iterator) Next() bool { return i.next() }

func (i *iterator) Prev() bool { return i.next() }

func (i *iterator) next() bool {
	i.it.Next()
	return i.it.Valid()
}

func (i *iterator) Key() []byte { return i.it.Item().Key() }

// Value keeps what the function is lent: a value within the tree belongs to the item, which lives until the next move.
func (i *iterator) Value() ([]byte, error) {
	err := i.it.Item().Value(i.keep)
	return i.value, err
}

func (i *iterator) Close() error {
	i.it.Close()
	i.txn.Discard()
	return nil
}
