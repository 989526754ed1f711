package tinykv

import (
	"slices"
	"time"

	"github.com/tinykv/tinykv/manifest"
)

// beginJob notes a job, for Layout.
func (db *DB) beginJob(j JobLayout) {
	j.Since = time.Now()
	db.mu.Lock()
	defer db.mu.Unlock()
	db.doing = append(db.doing, j)
}

// beginCompaction notes a compaction.
func (db *DB) beginCompaction(info *CompactionInfo) {
	db.beginJob(JobLayout{Job: info.Job, Kind: info.Kind, FromLevel: info.FromLevel, ToLevel: info.ToLevel, Inputs: info.InputTables})
}

// endJob notes that a job is over. It may be known already.
func (db *DB) endJob(job uint64) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.endJobLocked(job)
}

func (db *DB) endJobLocked(job uint64) {
	db.doing = slices.DeleteFunc(db.doing, func(j JobLayout) bool { return j.Job == job })
}

// doingNow returns the jobs under way, in memory of the caller.
func (db *DB) doingNow() []JobLayout {
	db.mu.Lock()
	defer db.mu.Unlock()
	jobs := append([]JobLayout{}, db.doing...)
	for i := range jobs {
		jobs[i].Inputs = append([]uint64{}, jobs[i].Inputs...)
	}
	return jobs
}

func tableNumbers(tables []*manifest.Table) []uint64 {
	nums := make([]uint64, len(tables))
	for i, t := range tables {
		nums[i] = uint64(t.Num)
	}
	return nums
}
