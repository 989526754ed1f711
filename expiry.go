package tinykv

import (
	"time"

	"github.com/tinykv/tinykv/internal/key"
)

// now returns the time by which values expire, in Unix nanoseconds.
func (db *DB) now() int64 { return time.Now().UnixNano() }

// hidden tells whether a value that was written with a sequence number has expired for a reader whose clock
// shows now.
func (db *DB) hidden(expiry int64, _ key.SeqNum, now int64) bool { return expiry <= now }

// clock returns the reading by which a reader hides values: that of its snapshot, or the present one. A snapshot without one was
// made when nothing could expire.
func (r reader) clock() int64 {
	if r.snapshot != nil {
		return r.snapshot.now
	}
	return r.db.now()
}
