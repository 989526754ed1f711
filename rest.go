package tinykv

import "time"

// restAfter is how long nothing must have been written until a store gives back what it keeps ready for
// the next writes: a spare memtable, and spare log segments, which on disk may be more than the data.
const restAfter = 2 * time.Second

// rest gives it back, or looks again later when something was written since the last look. Whoever
// makes something spare sets the alarm that calls it.
func (db *DB) rest() {
	if now := db.visible.Load(); db.restedAt.Swap(now) != now {
		db.rester.arm()
		return
	}
	db.mems.trim()
	db.ownTables.trim()
	if err := db.log.Load().Trim(); err != nil {
		db.report("remove spare log segments", err)
	}
}
