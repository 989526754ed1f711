package wal

// LiveSegment describes a segment of a log. Sizes are in bytes.
type LiveSegment struct {
	Number  SegmentNum
	Size    int64 // of the file
	Used    int64 // header and records, those that are still in a buffer not
	Synced  int64 // of these, what is known to be on stable storage
	Current bool  // records are written here
}

// Segments describes the live segments, oldest first, and returns the sizes of the spare files.
func (l *Log) Segments() (live []LiveSegment, spares []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	vouched := l.Vouched()
	for i, s := range l.live {
		info := LiveSegment{Number: s.header.number, Size: s.log.Size(), Used: s.flushed.Load(), Current: i == len(l.live)-1}
		switch {
		case info.Number < vouched.Segment:
			info.Synced = info.Used
		case info.Number == vouched.Segment:
			info.Synced = min(vouched.Offset, info.Used)
		}
		live = append(live, info)
	}
	for _, s := range l.spares {
		spares = append(spares, s.log.Size())
	}
	return live, spares
}
