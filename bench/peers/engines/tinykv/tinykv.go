// Package tinykv puts tinykv behind the benchmarks' interface.
package tinykv

import (
	"errors"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/bench/peers/engine"
)

// New returns the engine.
func New() engine.Engine {
	return engine.Engine{
		Name:       "tinykv",
		Module:     "github.com/tinykv/tinykv",
		Settings:   settings,
		Durability: durability,
		Open:       open,
	}
}

func settings(c engine.Config) string {
	if c.Profile == engine.Default {
		return "nil options: memtable 16 MiB, last two levels compressed by S2"
	}
	return "memtable " + engine.MiB(c.MemTableBytes()) + ", no compression (so its cache is not used), 10 bits, else defaults: two compactions at once, log synced every 100 ms"
}

func durability(c engine.Config) string {
	if c.Sync {
		return "power loss"
	}
	return "killed process; power loss but for the last 100 ms"
}

func options(c engine.Config) *tinykv.Options {
	o := &tinykv.Options{}
	if c.Profile == engine.Equal {
		o.MemTableSize = int64(c.MemTableBytes())
		o.CacheSize = int64(c.CacheBytes())
		o.BloomBitsPerKey = engine.FilterBits
		o.Compression = tinykv.CompressionNone
	}
	if c.Sync {
		o.Durability = tinykv.DurabilitySync
	}
	return o
}

type store struct{ db *tinykv.DB }

func open(dir string, c engine.Config) (engine.Store, error) {
	db, err := tinykv.Open(dir, options(c))
	if err != nil {
		return nil, err
	}
	return &store{db: db}, nil
}

func (s *store) NewSession(int) (engine.Session, error) {
	return &session{db: s.db, batch: s.db.NewBatch()}, nil
}

func (s *store) Stats() engine.Stats {
	return engine.Stats{ZeroedBytes: s.db.Metrics().LogZeroedBytes}
}

func (s *store) Close() error { return s.db.Close() }

type session struct {
	db    *tinykv.DB
	batch *tinykv.Batch
}

func (s *session) Get(key []byte, look func([]byte) error) (bool, error) {
	err := s.db.Peek(key, look)
	if errors.Is(err, tinykv.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (s *session) MultiGet(keys [][]byte, each func(int, []byte) error) error {
	values, err := s.db.GetMulti(keys...)
	if err != nil {
		return err
	}
	for i, value := range values {
		if value == nil {
			continue
		}
		if err := each(i, value); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) Put(key, value []byte) error { return s.db.Put(key, value) }

func (s *session) Delete(key []byte) error { return s.db.Delete(key) }

func (s *session) PutBatch(keys, values [][]byte) error {
	s.batch.Reset()
	for i := range keys {
		if err := s.batch.Put(keys[i], values[i]); err != nil {
			return err
		}
	}
	return s.db.Apply(s.batch)
}

func (s *session) NewIterator(engine.Plan) (engine.Iterator, error) {
	i, err := s.db.NewIter(tinykv.All())
	if err != nil {
		return nil, err
	}
	return iterator{i}, nil
}

func (s *session) Close() error { return nil }

type iterator struct{ *tinykv.Iterator }

func (i iterator) Value() ([]byte, error) { return i.Iterator.Value(), nil }

func (i iterator) Close() error { return errors.Join(i.Err(), i.Iterator.Close()) }
