package main

import (
	"fmt"
	"time"

	"github.com/tinykv/tinykv"
)

const (
	pollInterval = 5 * time.Millisecond

	// maxIdle is how long nothing may come of a flush or compaction that is due. A single one takes
	// seconds.
	maxIdle = 5 * time.Minute
)

// waitForCompaction returns once no flush and no compaction is due.
func waitForCompaction(w *worker) error {
	w.next()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	var last uint64
	idle := time.Now()
	for m := w.db.Metrics(); isDue(m); m = w.db.Metrics() {
		if n := m.Flushes + m.Compactions + m.Moves; n != last {
			last, idle = n, time.Now()
		}
		if time.Since(idle) > maxIdle {
			return fmt.Errorf("nothing came of background work in %v: %s", maxIdle, compactionState(w.db))
		}
		select {
		case <-poll.C:
		case <-w.ctx.Done():
			return nil
		}
	}
	w.did(1, 0)
	return nil
}

// isDue tells whether a flush or a compaction is due.
func isDue(m *tinykv.Metrics) bool { return m.SealedMemTables > 0 || worstScore(m) >= 1 }

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
