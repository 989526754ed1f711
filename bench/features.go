package main

import (
	"time"

	"github.com/tinykv/tinykv"
)

// fillMerge begins with an empty store, as its values are counters.
const fillMerge = "fillmerge"

// features are writes that are more than Put.
func features() []benchmark {
	return []benchmark{
		{
			name: "fillttl", about: "as fillrandom, values that expire within an hour or two",
			fresh: true, every: timeSome, loop: putExpiring, batch: 1,
		},
		{
			name: fillMerge, about: "add one to random counters of an empty store (Options.MergeOperator)",
			fresh: true, every: timeSome, loop: addRandom, batch: 1,
		},
		{
			name: "updatetransaction", about: "as updaterandom, each in a transaction (Update)",
			every: timeSome, loop: updateInTransaction, remark: updatesFound,
		},
	}
}

func putExpiring(w *worker) error {
	opts := make([]tinykv.WriteOption, 0, len(w.opts)+1)
	return w.write((*worker).random, func(w *worker, to writer, number uint64, given []tinykv.WriteOption) (int, error) {
		ttl := time.Hour + time.Duration(number%64)*time.Minute
		return put(w, to, number, append(append(opts, given...), tinykv.TTL(ttl)))
	})
}

func addRandom(w *worker) error {
	one := tinykv.EncodeInt64(1)
	return w.write((*worker).random, func(w *worker, to writer, number uint64, opts []tinykv.WriteOption) (int, error) {
		setKey(w.key, number)
		return len(w.key) + len(one), to.Merge(w.key, one, opts...)
	})
}

// updateInTransaction reads keys and writes them anew, whether they were there or not, each in a transaction of its own.
func updateInTransaction(w *worker) error {
	for w.Next() {
		setKey(w.key, w.random())
		bytes := 0
		value := w.values.Next()
		err := w.db.Update(func(tx *tinykv.Tx) error {
			n, err := w.getFrom(tx, w.key)
			bytes = n + len(w.key) + len(value)
			if err != nil {
				return err
			}
			return tx.Put(w.key, value)
		})
		if err != nil {
			return err
		}
		w.Did(1, bytes)
	}
	return nil
}
