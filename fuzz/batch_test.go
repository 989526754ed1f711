package fuzz

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/key"
)

// batch makes a batch of alternating operations.
func batch(seq key.SeqNum, users ...string) []byte {
	repr := batchrepr.AppendHeader(nil, seq, uint32(len(users)))
	for i, user := range users {
		kind := key.KindSet
		if i%2 == 1 {
			kind = key.KindDelete
		}
		repr = batchrepr.AppendOp(repr, kind, key.Space(i*100), []byte(user), []byte("value of "+user))
	}
	return repr
}

// ops reads a batch.
func ops(repr []byte) (all []batchrepr.Op, err error) {
	_, r, err := batchrepr.Read(repr)
	for err == nil {
		op, ok, nextErr := r.Next()
		if nextErr != nil || !ok {
			return all, nextErr
		}
		all = append(all, op)
	}
	return nil, err
}

func FuzzBatch(f *testing.F) {
	f.Add([]byte{})
	f.Add(batch(1))
	f.Add(batch(12, "fig", "kiwi"))
	f.Add(batch(key.MaxSeqNum-4, "", "\xff\xff", "a", "b"))
	f.Add(batchrepr.AppendOp(batchrepr.AppendHeader(nil, 1, 1), key.KindSet, key.MaxSpace, make([]byte, 300), make([]byte, 20_000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		wellBehaved(t, len(data), func() error {
			all, err := ops(data)
			if err != nil {
				if batchrepr.Validate(data) == nil {
					t.Error("Validate accepts what a reader refuses")
				}
				return err
			}
			seq, count := batchrepr.Header(data)
			if uint32(len(all)) != count {
				t.Errorf("%d operations, the header says %d", len(all), count)
			}
			again := batchrepr.AppendHeader(nil, seq, count)
			for _, op := range all {
				space, user, ok := key.SplitStored(op.Stored)
				if !ok {
					t.Errorf("% x passes for a stored key", op.Stored)
				}
				again = batchrepr.AppendOp(again, op.Kind, space, user, op.Value)
			}
			same, err := ops(again)
			for i := range same {
				if same[i].Kind != all[i].Kind || !bytes.Equal(same[i].Stored, all[i].Stored) || !bytes.Equal(same[i].Value, all[i].Value) {
					t.Errorf("operation %d does not round trip", i)
				}
			}
			if len(same) != len(all) || len(again) > len(data) {
				t.Errorf("%d operations in %d bytes became %d in %d", len(all), len(data), len(same), len(again))
			}
			return err
		})
	})
}

// FuzzBatchBinary decodes what Batch.MarshalBinary may have encoded, names of buckets included.
func FuzzBatchBinary(f *testing.F) {
	var b tinykv.Batch
	for i, name := range []string{"", "fruit", "\xff", "fruit"} {
		to := interface {
			Put(k, v []byte, opts ...tinykv.WriteOption) error
			DeleteRange(lower, upper []byte, opts ...tinykv.WriteOption) error
		}(&b)
		if name != "" {
			to = b.Bucket(name)
		}
		must(to.Put([]byte("fig"), []byte("ripe")))
		must(to.DeleteRange([]byte("a"), [][]byte{nil, []byte("b")}[i%2]))
		data, err := b.MarshalBinary()
		must(err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		wellBehaved(t, 4*len(data), func() error {
			var b tinykv.Batch
			err := b.UnmarshalBinary(data)
			if err != nil {
				if b.Len() != 0 {
					t.Errorf("%d operations in spite of %v", b.Len(), err)
				}
				return err
			}
			again, err := b.MarshalBinary()
			must(err)
			if len(again) > len(data) || len(again) != b.Size() {
				t.Errorf("%d bytes became %d, the size is %d", len(data), len(again), b.Size())
			}
			var c tinykv.Batch
			must(c.UnmarshalBinary(again))
			if got, want := listed(&c), listed(&b); got != want {
				t.Errorf("%s became %s", want, got)
			}
			return nil
		})
	})
}

func listed(b *tinykv.Batch) string {
	text := ""
	for op := range b.Ops() {
		text += fmt.Sprintf("%+v;", op)
	}
	return text
}
