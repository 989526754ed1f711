package tinykv

import (
	"context"
	"errors"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// A write that waits for the leader was bound to a keyspace before it came to wait. What the leader does meanwhile must not send it
// where nobody looks.
func TestCommit_WritesThatWaitWhileTheirBucketIsDroppedGoToANewOne(t *testing.T) {
	for name, write := range map[string]func(db *DB) error{
		"put": func(db *DB) error { return db.Bucket("b").Put([]byte("k"), []byte("v")) },
		"batch": func(db *DB) error {
			b := db.NewBatch()
			if err := b.Bucket("other").Put([]byte("k"), nil); err != nil {
				return err
			}
			if err := b.Bucket("b").Put([]byte("k"), []byte("v")); err != nil {
				return err
			}
			return db.Apply(b)
		},
		"put if absent": func(db *DB) error {
			_, err := db.Bucket("b").PutIfAbsent([]byte("k"), []byte("v"))
			return err
		},
	} {
		for _, again := range []bool{false, true} { // made anew by another write in between
			t.Run(name, func(t *testing.T) {
				s := newLedStore(t, 1<<20)
				s.leave()
				for _, k := range []string{"old", "older"} {
					if err := s.Bucket("b").Put([]byte(k), nil); err != nil {
						t.Fatal(err)
					}
				}
				if !s.queue.tryLead() {
					t.Fatal("somebody leads")
				}
				s.waitPut("before", 1)
				s.wait(func() error { return write(s.DB) })
				s.waitPut("behind", 1)
				if err := s.dropBucket(context.Background(), "b"); err != nil {
					t.Fatal(err)
				}
				if again {
					if err := s.makeBuckets("a", "b"); err != nil {
						t.Fatal(err)
					}
				}
				s.leave()
				v, err := s.Bucket("b").Get([]byte("k"))
				if err != nil || string(v) != "v" {
					t.Errorf("%q, %v", v, err)
				}
				if n, err := s.Bucket("b").Count(context.Background(), All()); n != 1 || err != nil {
					t.Errorf("%d keys, %v", n, err)
				}
				if !s.has("before") || !s.has("behind") {
					t.Error("those that waited with it are not there")
				}
			})
		}
	}
}

// A range deletion has the id of its bucket in both of its bounds.
func TestCommit_RangeDeletionThatWaitsWhileItsBucketIsDroppedDeletesNothingElse(t *testing.T) {
	s := newLedStore(t, 1<<20)
	s.leave()
	for _, name := range []string{"a", "b", "c", "d"} {
		if err := s.Bucket(name).Put([]byte("k"), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, upper := range [][]byte{nil, []byte("z")} {
		if !s.queue.tryLead() {
			t.Fatal("somebody leads")
		}
		s.waiting = 0
		s.wait(func() error { return s.Bucket("a").DeleteRange(nil, upper) })
		if err := s.dropBucket(context.Background(), "a"); err != nil {
			t.Fatal(err)
		}
		s.leave()
		for _, name := range []string{"b", "c", "d"} {
			if has, err := s.Bucket(name).Has([]byte("k")); !has || err != nil {
				t.Errorf("%s: %v, %v", name, has, err)
			}
		}
	}
}

// The table of a large batch has the ids of its buckets in it before the batch is committed.
func TestCommit_LargeBatchWhoseBucketIsDroppedMeanwhileIsWrittenAnew(t *testing.T) {
	s := newLedStore(t, 1<<20)
	s.leave()
	b := s.NewBatch()
	for i := range 20 {
		if err := b.Bucket("b").Put(numbered(i), make([]byte, 100<<10)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "b"} {
		if err := s.Bucket(name).Put([]byte("k"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if !s.queue.tryLead() {
		t.Fatal("somebody leads")
	}
	s.wait(func() error { return s.Apply(b) }) // its table is written
	if err := s.dropBucket(context.Background(), "b"); err != nil {
		t.Fatal(err)
	}
	s.leave()
	if n, err := s.Bucket("b").Count(context.Background(), All()); n != 20 || err != nil {
		t.Errorf("%d keys, %v", n, err)
	}
}

func TestCommit_ABucketThatCannotBeMadeFailsItsOwnWriteAlone(t *testing.T) {
	s := newLedStore(t, 1<<20)
	s.waitPut("before", 1)
	s.wait(func() error { return s.Bucket("new").Put([]byte("k"), nil) })
	s.waitPut("behind", 1)
	group := s.queue.takeWhile(s.shares, 1<<20)
	if group.next != nil {
		t.Error("a write whose bucket is to be made is taken along")
	}
	group.finish(s.commitGroup(&group.write, group.next))
	s.leave()
	if has, err := s.Bucket("new").Has([]byte("k")); !has || err != nil || !s.has("behind") {
		t.Errorf("%v, %v", has, err)
	}
}

// The manifest has the id before the log does, so a log with another was not written so.
func TestOpen_LogOfAKeyspaceThatTheManifestDoesNotKnowIsCorruption(t *testing.T) {
	for space, want := range map[key.Space]error{1: nil, 2: nil, 3: ErrCorrupt, 300: ErrCorrupt} {
		fsys := simfs.New()
		db, err := Open("/store", &Options{FS: fsys})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		err = db.exclusively(func() error {
			w := write{kind: key.KindSet, space: space, user: []byte("k")}
			return errors.Join(db.makeBuckets("a", "b"), db.dropBucket(t.Context(), "a"), db.commitGroup(&w, nil))
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, readOnly := range []bool{true, false} {
			image := fsys.Image(simfs.KillProcess, 1)
			report, err := Verify(t.Context(), "/store", &VerifyOptions{FS: image})
			if err != nil || !errors.Is(report.Err(), want) {
				t.Errorf("keyspace %d: verify: %v, %v", space, report.Err(), err)
			}
			again, err := Open("/store", &Options{FS: image, ReadOnly: readOnly})
			if !errors.Is(err, want) {
				t.Errorf("keyspace %d: %v", space, err)
			}
			if err == nil {
				_ = again.Close()
			}
		}
	}
}
