// Package bbolt puts bbolt behind the benchmarks' interface.
package bbolt

import (
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

// New returns the engine.
func New() engine.Engine {
	return engine.Engine{
		Name:       "bbolt",
		Module:     "go.etcd.io/bbolt",
		Settings:   settings,
		Durability: durability,
		Open:       open,
	}
}

func settings(c engine.Config) string {
	if c.Profile == engine.Default {
		return "nil options: a sync with each transaction; several writers share one by Batch"
	}
	return "NoSync, NoFreelistSync (so that opening scans the file), freelist as a map, no statistics; no cache but the system's; several writers share a transaction by Batch"
}

func durability(c engine.Config) string {
	if c.Sync || c.Profile == engine.Default {
		return "power loss"
	}
	return "killed process; power loss may damage the store"
}

var bucketName = []byte("b")

type store struct{ db *bbolt.DB }

func open(dir string, c engine.Config) (engine.Store, error) {
	var o *bbolt.Options
	if c.Profile == engine.Equal {
		o = &bbolt.Options{
			NoSync: !c.Sync, NoFreelistSync: true, NoStatistics: true,
			FreelistType: bbolt.FreelistMapType,
		}
	}
	db, err := bbolt.Open(filepath.Join(dir, "bolt.db"), 0o600, o)
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucketName)
		return err
	})
	return &store{db: db}, err
}

func (s *store) NewSession(writers int) (engine.Session, error) {
	if writers <= 1 {
		return &session{db: s.db, update: s.db.Update}, nil
	}
	s.db.MaxBatchSize = writers // else a batch waits for more, 10 ms long
	return &session{db: s.db, update: s.db.Batch}, nil
}

func (s *store) Stats() engine.Stats { return engine.Stats{} }

func (s *store) Close() error { return s.db.Close() }

type session struct {
	db     *bbolt.DB
	update func(func(*bbolt.Tx) error) error
}

func (s *session) Get(key []byte, look func([]byte) error) (found bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		value := tx.Bucket(bucketName).Get(key)
		if found = value != nil; !found {
			return nil
		}
		return look(value)
	})
	return found, err
}

func (s *session) MultiGet(keys [][]byte, each func(int, []byte) error) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketName)
		for i, key := range keys {
			value := bucket.Get(key)
			if value == nil {
				continue
			}
			if err := each(i, value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *session) Put(key, value []byte) error {
	return s.update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketName).Put(key, value) })
}

func (s *session) Delete(key []byte) error {
	return s.update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketName).Delete(key) })
}

func (s *session) PutBatch(keys, values [][]byte) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketName)
		for i := range keys {
			if err := bucket.Put(keys[i], values[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *session) NewIterator(engine.Plan) (engine.Iterator, error) {
	tx, err := s.db.Begin(false)
	if err != nil {
		return nil, err
	}
	return &iterator{tx: tx, cursor: tx.Bucket(bucketName).Cursor()}, nil
}

func (s *session) Close() error { return nil }

type iterator struct {
	tx         *bbolt.Tx
	cursor     *bbolt.Cursor
	key, value []byte
}

func (i *iterator) at(key, value []byte) bool {
	i.key, i.value = key, value
	return key != nil
}

func (i *iterator) First() bool            { return i.at(i.cursor.First()) }
func (i *iterator) Last() bool             { return i.at(i.cursor.Last()) }
func (i *iterator) SeekGE(key []byte) bool { return i.at(i.cursor.Seek(key)) }
func (i *iterator) Next() bool             { return i.at(i.cursor.Next()) }
func (i *iterator) Prev() bool             { return i.at(i.cursor.Prev()) }
func (i *iterator) Key() []byte            { return i.key }
func (i *iterator) Value() ([]byte, error) { return i.value, nil }
func (i *iterator) Close() error           { return i.tx.Rollback() }
