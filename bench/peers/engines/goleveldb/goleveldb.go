// Package goleveldb puts goleveldb behind the benchmarks' interface.
package goleveldb

import (
	"errors"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	levelit "github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

// New returns the engine.
func New() engine.Engine {
	return engine.Engine{
		Name:       "goleveldb",
		Module:     "github.com/syndtr/goleveldb",
		Settings:   settings,
		Durability: durability,
		Open:       open,
	}
}

func settings(c engine.Config) string {
	if c.Profile == engine.Default {
		return "nil options: memtable 4 MiB, cache 8 MiB, Snappy, no filters"
	}
	return "memtable " + engine.MiB(c.MemTableBytes()) + ", cache " + engine.MiB(c.CacheBytes()) + ", no compression, 10 bits, else defaults: one compaction, tables of 2 MiB, level 0 from 4 to 12"
}

func durability(c engine.Config) string {
	if c.Sync {
		return "power loss"
	}
	return "killed process"
}

func options(c engine.Config) *opt.Options {
	if c.Profile == engine.Default {
		return nil
	}
	return &opt.Options{
		WriteBuffer:            c.MemTableBytes(),
		BlockCacheCapacity:     c.CacheBytes(),
		OpenFilesCacheCapacity: 16384,
		Compression:            opt.NoCompression,
		Filter:                 filter.NewBloomFilter(engine.FilterBits),
	}
}

type store struct {
	db     *leveldb.DB
	writes *opt.WriteOptions
}

func open(dir string, c engine.Config) (engine.Store, error) {
	db, err := leveldb.OpenFile(dir, options(c))
	if err != nil {
		return nil, err
	}
	return &store{db: db, writes: &opt.WriteOptions{Sync: c.Sync}}, nil
}

func (s *store) NewSession(int) (engine.Session, error) {
	return &session{db: s.db, writes: s.writes}, nil
}

func (s *store) Stats() engine.Stats { return engine.Stats{} }

func (s *store) Close() error { return s.db.Close() }

type session struct {
	db     *leveldb.DB
	writes *opt.WriteOptions
	batch  leveldb.Batch
}

func (s *session) Get(key []byte, look func([]byte) error) (bool, error) {
	value, err := s.db.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, look(value)
}

// MultiGet is a loop, as goleveldb has no such call.
func (s *session) MultiGet(keys [][]byte, each func(int, []byte) error) error {
	for i, key := range keys {
		if _, err := s.Get(key, func(value []byte) error { return each(i, value) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) Put(key, value []byte) error { return s.db.Put(key, value, s.writes) }

func (s *session) Delete(key []byte) error { return s.db.Delete(key, s.writes) }

func (s *session) PutBatch(keys, values [][]byte) error {
	s.batch.Reset()
	for i := range keys {
		s.batch.Put(keys[i], values[i])
	}
	return s.db.Write(&s.batch, s.writes)
}

func (s *session) NewIterator(engine.Plan) (engine.Iterator, error) {
	return &iterator{s.db.NewIterator(nil, nil)}, nil
}

func (s *session) Close() error { return nil }

type iterator struct{ levelit.Iterator }

func (i *iterator) SeekGE(key []byte) bool { return i.Seek(key) }

func (i *iterator) Value() ([]byte, error) { return i.Iterator.Value(), nil }

func (i *iterator) Close() error {
	i.Release()
	return i.Error()
}
