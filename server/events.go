package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv"
)

// EventLog keeps what an engine tells of itself last, for those who look at it over a WebSocket. It is made before the store is opened:
//
//	log := server.NewEventLog()
//	db, err := tinykv.Open(dir, &tinykv.Options{Events: log.Events()})
//	s, err := server.New(db, &server.Options{Events: log})
//
// It may be used concurrently. What it costs the engine is a lock and a copy for each event.
type EventLog struct {
	slow     atomic.Int64  // nanoseconds, see SetMotion
	released chan struct{} // closed by Release

	mu      sync.Mutex
	ring    [eventsKept]event // guarded by mu; event n lies at n modulo eventsKept
	next    uint64            // guarded by mu; number of the next event
	changed chan struct{}     // guarded by mu; closed at the next event; nil while nobody waits
	free    bool              // guarded by mu; Release was called
}

// eventsKept is how many events are kept, eventsReplayed how many of them a new listener is told.
const (
	eventsKept     = 1024
	eventsReplayed = 64
)

// event is one, as it goes over the wire.
type event struct {
	Seq   uint64 `json:"n"`  // counts from 0
	At    int64  `json:"at"` // Unix milliseconds
	Name  string `json:"event"`
	Info  any    `json:"info"`
	Error string `json:"error,omitempty"`
}

// NewEventLog returns an empty one.
func NewEventLog() *EventLog { return &EventLog{released: make(chan struct{})} }

// Events returns the functions for [tinykv.Options].
func (l *EventLog) Events() *tinykv.Events {
	return &tinykv.Events{
		Opened: func(i tinykv.OpenInfo) { i.Dir = ""; l.add("opened", i, nil) },
		FlushBegin: func(i tinykv.FlushInfo) {
			l.add("flush_begin", i, nil)
			l.pause()
		},
		FlushEnd: func(i tinykv.FlushInfo) {
			l.add("flush_end", i, i.Err)
			l.pause()
		},
		CompactionBegin: func(i tinykv.CompactionInfo) {
			l.add("compaction_begin", i, nil)
			l.pause()
		},
		CompactionEnd: func(i tinykv.CompactionInfo) {
			l.add("compaction_end", i, i.Err)
			l.pause()
		},
		TableCreated:    func(i tinykv.TableInfo) { i.Path = ""; l.add("table_created", i, nil) },
		TableDeleted:    func(i tinykv.TableInfo) { i.Path = ""; l.add("table_deleted", i, nil) },
		StallBegin:      func(i tinykv.StallInfo) { l.add("stall_begin", i, nil) },
		StallEnd:        func(i tinykv.StallInfo) { l.add("stall_end", i, i.Err) },
		Sync:            func(i tinykv.SyncInfo) { l.add("sync", i, i.Err) },
		Corruption:      func(i tinykv.CorruptionInfo) { i.Path = ""; l.add("corruption", i, i.Err) },
		BackgroundError: func(i tinykv.BackgroundErrorInfo) { l.add("background_error", i, i.Err) },
	}
}

// maxMotion is the longest pause of SetMotion: writers wait for flushes that do not end.
const maxMotion = 5 * time.Second

// SetMotion makes every flush and compaction pause so long when it begins and when it ends, for people who want to see it: 0 to 5 s.
func (l *EventLog) SetMotion(pause time.Duration) { l.slow.Store(int64(min(max(pause, 0), maxMotion))) }

// Release ends all pauses for good. It is called before the store is closed, which waits for flushes.
func (l *EventLog) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.free {
		l.free = true
		close(l.released)
	}
}

func (l *EventLog) pause() {
	slow := time.Duration(l.slow.Load())
	if slow <= 0 {
		return
	}
	timer := time.NewTimer(slow)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.released:
	}
}

func (l *EventLog) add(name string, info any, err error) {
	e := event{At: time.Now().UnixMilli(), Name: name, Info: info}
	if err != nil {
		e.Error = problemOf(err).Message
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Seq = l.next
	l.ring[l.next%eventsKept] = e
	l.next++
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// recent returns where a new listener begins.
func (l *EventLog) recent() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next - min(l.next, eventsReplayed)
}

// from returns the events from number n on that are still kept, and a channel that is closed when there is another one.
func (l *EventLog) from(n uint64) (events []event, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next > eventsKept {
		n = max(n, l.next-eventsKept)
	}
	for ; n < l.next; n++ {
		events = append(events, l.ring[n%eventsKept])
	}
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return events, l.changed
}

// listen tells of events until the context ends.
func (c *conversation) listen(ctx context.Context, id int64, l *EventLog) error {
	at := l.recent()
	for {
		events, more := l.from(at)
		for _, e := range events {
			if err := c.send(message{Kind: "event", ID: id, Data: e}); err != nil {
				return err
			}
			at = e.Seq + 1
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil
		}
	}
}
