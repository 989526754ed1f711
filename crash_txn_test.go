package tinykv_test

import "github.com/tinykv/tinykv"

// transactions is a workload of transactions, some of which outgrow their memory, are rolled back, or are left open.
func transactions(r *crashRun) {
	r.open()
	r.puts(2, 20)
	r.inTx = true
	r.puts(4, 40)
	r.puts(2, 40, tinykv.Sync)
	for range 2 {
		r.commit(r.spilling())
		r.synced = r.acked // it is tables
		r.puts(2, 100)
	}
	tx, err := r.db.Begin(true)
	r.must(err)
	r.must(r.fill(tx, r.spilling()))
	r.puts(2, 20)
	r.must(tx.Rollback())
	tx, err = r.db.Begin(true)
	r.must(err)
	r.must(r.fill(tx, r.spilling()))
	r.puts(1, 20)
	r.inTx = false
	r.close() // before the transaction has ended
	r.must(tx.Rollback())
	r.open()
	r.puts(2, 100)
	r.compact()
	r.close()
}

// spilling returns a batch that a transaction cannot keep in memory.
func (r *crashRun) spilling() *tinykv.Batch {
	b := r.largeBatch()
	for range 2 {
		r.must(b.Append(r.batch(100)))
		r.must(b.DeleteRange([]byte("030"), []byte("033")))
		r.must(b.Append(r.largeBatch()))
	}
	return b
}

// apply makes a batch take effect, or a transaction that does the same.
func (r *crashRun) apply(b *tinykv.Batch, opts []tinykv.WriteOption) error {
	if !r.inTx {
		return r.db.Apply(b, opts...)
	}
	tx, err := r.db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Has(counterKey); err != nil {
		return err
	}
	if err := r.fill(tx, b); err != nil {
		return err
	}
	return tx.Commit(opts...)
}

// fill adds to a transaction what a batch has.
func (r *crashRun) fill(tx *tinykv.Tx, b *tinykv.Batch) error {
	for op := range b.Ops() {
		var err error
		switch {
		case op.Range:
			err = tx.DeleteRange(op.Key, op.Upper)
		case op.Delete:
			err = tx.Delete(op.Key)
		case op.Merge:
			err = tx.Merge(op.Key, op.Value)
		case !op.ExpiresAt.IsZero():
			err = tx.Put(op.Key, op.Value, tinykv.ExpireAt(op.ExpiresAt))
		default:
			err = tx.Put(op.Key, op.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
