package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/bench/internal/memory"
)

// upkeep is what a store does to stay in shape, and to prove that it is.
func upkeep() []benchmark {
	all := []benchmark{
		{name: "flush", about: "write the memtable to a table", loop: flush},
		{name: "compact", about: "merge everything down to the deepest level", loop: compact, state: compactionState},
		{
			name: "waitforcompaction", about: "wait until no flush and no compaction is due",
			loop: waitForCompaction, state: compactionState,
		},
		{name: "clear", about: "delete all keys by one DeleteRange", loop: clearStore},
		{
			name: "waitfordisk", about: "wait until only what a store without keys needs is in the directory",
			loop: waitForDisk,
		},
		{
			name: "verifychecksum", about: "open the store anew and verify every byte of its files",
			loop: verifyChecksum, reopen: true,
		},
	}
	for i := range all {
		all[i].every, all[i].size, all[i].alone = timeEvery, oneOp, true
	}
	return all
}

func flush(w *worker) error {
	return w.once(func() (int, error) { return 0, w.db.Flush(w.ctx) })
}

func compact(w *worker) error {
	return w.once(func() (int, error) { return 0, w.db.Compact(w.ctx, tinykv.All()) })
}

func clearStore(w *worker) error {
	return w.once(func() (int, error) { return 0, w.db.DeleteRange(nil, nil) })
}

// emptyTableBytes is more than the tables of a cleared store take, which hold a range tombstone.
const emptyTableBytes = 1 << 20

// waitForDisk returns once the files of tables that were dropped are gone.
func waitForDisk(w *worker) error {
	return w.once(func() (int, error) {
		poll := time.NewTicker(pollInterval)
		defer poll.Stop()
		for begun := time.Now(); ; {
			tables, err := readTables(w.dir)
			if err != nil {
				return 0, err
			}
			bytes := tables.bytes()
			switch {
			case bytes <= emptyTableBytes:
				return 0, nil
			case time.Since(begun) > maxIdle:
				return 0, fmt.Errorf("%s of tables are there after %v", memory.Megabytes(float64(bytes)), maxIdle)
			}
			select {
			case <-poll.C:
			case <-w.ctx.Done():
				return 0, w.ctx.Err()
			}
		}
	})
}

// verifyChecksum checks the files of the store against all that is known of them. The store was just opened,
// so everything is in tables.
func verifyChecksum(w *worker) error {
	return w.once(func() (int, error) {
		report, err := w.db.Verify(w.ctx, nil)
		if err != nil {
			return 0, err
		}
		return int(report.Bytes), report.Err()
	})
}

// once makes a single call, which fails as w.ctx does when that ends. This is no failure of the
// benchmark: it has then not been done.
func (w *worker) once(call func() (bytes int, err error)) error {
	w.Next()
	bytes, err := call()
	if errors.Is(err, context.Canceled) && w.ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	w.Did(1, bytes)
	return nil
}

const (
	pollInterval = 5 * time.Millisecond

	// maxIdle is how long nothing may come of a flush or compaction that is due. A single one takes
	// seconds.
	maxIdle = 5 * time.Minute
)

func waitForCompaction(w *worker) error {
	return w.once(func() (int, error) { return 0, waitUntilIdle(w.ctx, w.db) })
}

// waitUntilIdle returns once no flush and no compaction is due.
func waitUntilIdle(ctx context.Context, db *tinykv.DB) error {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	var last uint64
	idle := time.Now()
	for m := db.Metrics(); isDue(m); m = db.Metrics() {
		if n := m.Flushes + m.Compactions + m.Moves; n != last {
			last, idle = n, time.Now()
		}
		if time.Since(idle) > maxIdle {
			return fmt.Errorf("nothing came of background work in %v: %s", maxIdle, compactionState(db))
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// isDue tells whether a flush or a compaction is due.
func isDue(m *tinykv.Metrics) bool {
	return m.SealedMemTables > 0 || m.RunningCompactions > 0 || worstScore(m) >= 1
}

func worstScore(m *tinykv.Metrics) float64 {
	worst := 0.0
	for _, l := range m.Levels {
		worst = max(worst, l.Score)
	}
	return worst
}

// compactionState tells what is left to do.
func compactionState(db *tinykv.DB) string {
	m := db.Metrics()
	return fmt.Sprintf("%d memtables to flush, %d tables in level 0, worst score %.2f",
		m.SealedMemTables, m.Levels[0].Tables, worstScore(m))
}
