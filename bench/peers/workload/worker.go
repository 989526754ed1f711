package workload

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/tinykv/tinykv/bench/internal/draw"
	"github.com/tinykv/tinykv/bench/internal/meter"
	"github.com/tinykv/tinykv/bench/peers/engine"
)

// worker is one thread of a row.
type worker struct {
	*Bench
	*meter.Meter
	session engine.Session

	rng     *rand.Rand
	numbers draw.Numbers
	from    uint64 // number of its first key, where threads share out all keys

	key      []byte
	value    []byte
	putBytes uint64 // of keys and values

	// What a look-up expects, for look, which is made once so that calls do not allocate.
	id      uint64
	checked uint64
	look    func(value []byte) error // that of id
	lookAny func(value []byte) error // any
}

// run runs a loop by the clock and closes the session.
func (w *worker) run(loop func(*worker) error) error {
	w.Begin()
	err := loop(w)
	w.Finish()
	return errors.Join(err, w.session.Close())
}

// checkValue checks a value that was found for id.
func (w *worker) checkValue(value []byte) error {
	w.checked++
	w.Found++
	return w.Values.Check(value, w.id, w.checked%checkAllEvery == 0)
}

// takeValue counts a value that may be any.
func (w *worker) takeValue(value []byte) error {
	w.Found++
	if len(value) != w.Values.size {
		return fmt.Errorf("a value has %d bytes, not %d", len(value), w.Values.size)
	}
	return nil
}

// entryBytes is what an operation on a key with its value counts for.
func (w *worker) entryBytes() int { return KeyBytes + w.Values.size }

// set makes key and value those of an id, in some version.
func (w *worker) set(id, version uint64) {
	w.Keys.Set(w.key, id)
	w.Values.Set(w.value, id, version)
}

// put writes an id.
func (w *worker) put(id, version uint64) error {
	w.set(id, version)
	w.putBytes += uint64(w.entryBytes())
	return w.session.Put(w.key, w.value)
}

// get reads an id that must be there.
func (w *worker) get(id uint64) error {
	w.id = id
	w.Keys.Set(w.key, id)
	found, err := w.session.Get(w.key, w.look)
	if err == nil && !found {
		return fmt.Errorf("key %d is not there", id)
	}
	return err
}
