package tinykv

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/manifest"
)

// stats are the counters behind Metrics.
type stats struct {
	dropped    atomic.Uint64
	expired    atomic.Uint64 // values
	manifests  atomic.Uint64
	flushedSeq atomic.Uint64
	resumes    atomic.Uint64
	pastLogs   struct{ written, zeroed atomic.Int64 } // bytes of logs that Resume gave up

	mu sync.Mutex
	m  Metrics // guarded by mu; only the counters
}

func (s *stats) fill(m *Metrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*m = s.m
	m.DroppedTables = s.dropped.Load()
	m.ExpiredValues = s.expired.Load()
	m.ManifestRenewals = s.manifests.Load()
	m.Resumes = s.resumes.Load()
}

func (s *stats) flushed(tables []*manifest.Table, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bytes := inputBytes(tables)
	s.m.Flushes++
	s.m.FlushedBytes += bytes
	s.m.FlushTime += took
	s.m.Levels[0].InBytes += bytes
	s.m.Levels[0].WrittenBytes += bytes
	s.m.Levels[0].CompactionTime += took
}

// large records a batch that became a table.
func (s *stats) large(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.LargeWrites++
	s.m.LargeBytes += bytes
	s.m.Levels[0].InBytes += bytes
	s.m.Levels[0].WrittenBytes += bytes
}

func (s *stats) compacted(p *compaction.Plan, did *CompactionInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.m.Levels[p.Output]
	l.InBytes += inputBytes(p.Upper)
	if p.Move {
		s.m.Moves++
		return
	}
	s.m.Compactions++
	l.Compactions++
	l.ReadBytes += did.InputBytes
	l.WrittenBytes += did.OutputBytes
	l.CompactionTime += did.Duration
}

// rotated records how long the committer was kept from committing by a change of memtables.
func (s *stats) rotated(took time.Duration) {
	if took < minStall {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.Stalls++
	s.m.StallTime += took
	s.m.LongestStall = max(s.m.LongestStall, took)
}
