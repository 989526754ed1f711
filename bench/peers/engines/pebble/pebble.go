// Package pebble puts Pebble behind the benchmarks' interface.
package pebble

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

// New returns the engine.
func New() engine.Engine {
	return engine.Engine{
		Name:       "pebble",
		Module:     "github.com/cockroachdb/pebble/v2",
		Settings:   settings,
		Durability: durability,
		Open:       open,
	}
}

func settings(c engine.Config) string {
	if c.Profile == engine.Default {
		return "empty options: oldest format, memtable 4 MB, cache 8 MB, Snappy, no filters; writes synced, as without write options"
	}
	return "those of its own benchmark: newest format, columnar blocks of 32 KiB, values from 512 B on apart, up to 4 memtables of " + engine.MiB(c.MemTableBytes()) + ", cache " + engine.MiB(c.CacheBytes()) + ", " +
		"L0 2 to 1000, 1 to 3 compactions, 10 bits but in the last level; no compression, no ballast for the garbage collector"
}

func durability(c engine.Config) string {
	switch {
	case c.Sync, c.Profile == engine.Default:
		return "power loss"
	default:
		return "neither: the tail of its log is in the process's memory"
	}
}

// equal are the options of Pebble's own benchmark program (cmd/pebble), but for the size of the cache and compression. That program
// also holds a GiB of memory that it never touches, so that Go collects garbage seldom; here all engines run with Go's default.
func equal(c engine.Config) *pebble.Options {
	o := &pebble.Options{
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   int64(c.CacheBytes()),
		MemTableSize:                uint64(c.MemTableBytes()),
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                16384,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 3 },
	}
	o.Experimental.EnableColumnarBlocks = func() bool { return true }
	o.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{
			Enabled:               true,
			MinimumSize:           512,
			MaxBlobReferenceDepth: 10,
			RewriteMinimumAge:     5 * time.Minute,
			TargetGarbageRatio:    1,
		}
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = 32 << 10
		o.Levels[i].IndexBlockSize = 256 << 10
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(engine.FilterBits)
		o.Levels[i].FilterType = pebble.TableFilter
	}
	o.Levels[len(o.Levels)-1].FilterPolicy = pebble.NoFilterPolicy // Get would not look at it
	o.Experimental.CompactionGarbageFractionForMaxConcurrency = func() float64 { return -1 }
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	return o
}

type store struct {
	db     *pebble.DB
	writes *pebble.WriteOptions
}

func open(dir string, c engine.Config) (engine.Store, error) {
	o, writes := &pebble.Options{}, (*pebble.WriteOptions)(nil)
	if c.Profile == engine.Equal {
		o, writes = equal(c), pebble.NoSync
	}
	if c.Sync {
		writes = pebble.Sync
	}
	o.Logger = silence{}
	db, err := pebble.Open(dir, o)
	if err != nil {
		return nil, err
	}
	return &store{db: db, writes: writes}, nil
}

func (s *store) NewSession(int) (engine.Session, error) {
	return &session{db: s.db, writes: s.writes}, nil
}

func (s *store) Stats() engine.Stats { return engine.Stats{} }

func (s *store) Close() error { return s.db.Close() }

type session struct {
	db     *pebble.DB
	writes *pebble.WriteOptions
}

func (s *session) Get(key []byte, look func([]byte) error) (bool, error) {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, errors.Join(look(value), closer.Close())
}

// MultiGet is a loop, as Pebble has no such call. A snapshot would make it slower.
func (s *session) MultiGet(keys [][]byte, each func(int, []byte) error) error {
	for i, key := range keys {
		if _, err := s.Get(key, func(value []byte) error { return each(i, value) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) Put(key, value []byte) error { return s.db.Set(key, value, s.writes) }

func (s *session) Delete(key []byte) error { return s.db.Delete(key, s.writes) }

func (s *session) PutBatch(keys, values [][]byte) error {
	b := s.db.NewBatch()
	for i := range keys {
		if err := b.Set(keys[i], values[i], nil); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	return errors.Join(b.Commit(s.writes), b.Close())
}

func (s *session) NewIterator(engine.Plan) (engine.Iterator, error) {
	i, err := s.db.NewIter(nil)
	if err != nil {
		return nil, err
	}
	return iterator{i}, nil
}

func (s *session) Close() error { return nil }

type iterator struct{ *pebble.Iterator }

func (i iterator) Value() ([]byte, error) { return i.ValueAndErr() }

// silence takes messages that nobody reads. A fatal one ends the process by a panic, which is told as the row's error.
type silence struct{}

func (silence) Infof(string, ...any)  {}
func (silence) Errorf(string, ...any) {}
func (silence) Fatalf(format string, args ...any) {
	panic("pebble: " + fmt.Sprintf(format, args...))
}
