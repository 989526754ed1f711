package workload

import (
	"context"
	"errors"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

// WriteCounted writes keys in random order by one thread, and tells after each how many have been acknowledged.
func (b *Bench) WriteCounted(acknowledged func(n uint64)) error {
	w, err := b.newWorker(Row{every: someCalls}, 1, 0, &never)
	if err != nil {
		return err
	}
	for i := range b.Keys.Len() {
		if err := w.put(b.Keys.Shuffled(i), 0); err != nil {
			return err
		}
		acknowledged(i + 1)
	}
	return w.session.Close()
}

// CountLost returns how many of the first n keys that WriteCounted wrote are not there. A value that is not what was written is an error.
func (b *Bench) CountLost(n uint64) (lost uint64, err error) {
	w, err := b.newWorker(Row{every: someCalls}, 1, 0, &never)
	if err != nil {
		return 0, err
	}
	for i := range n {
		w.id = b.Keys.Shuffled(i)
		w.Keys.Set(w.key, w.id)
		found, err := w.session.Get(w.key, w.look)
		if err != nil {
			return 0, errors.Join(err, w.session.Close())
		}
		if !found {
			lost++
		}
	}
	return lost, w.session.Close()
}

// sampledKeys is how many keys Sample reads.
const sampledKeys = 1000

// Sample reads some random keys of a store that was filled, and returns an error if one is not there as it was written.
func (b *Bench) Sample() error {
	w, err := b.newWorker(Row{every: someCalls}, 1, 0, &never)
	if err != nil {
		return err
	}
	w.Total, w.Limit = sampledKeys, 0
	return w.run(readRandom)
}

// Warm reads everything once, so that what follows finds caches as full as they get.
func (b *Bench) Warm(ctx context.Context) error {
	w, err := b.newWorker(Row{every: fewCalls}, 1, 0, &never)
	if err != nil {
		return err
	}
	w.Limit = 0
	_, err = w.pass(engine.Plan{}, engine.Iterator.First, engine.Iterator.Next)
	return errors.Join(err, w.session.Close(), ctx.Err())
}
