package server

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/tinykv/tinykv"
)

// liveMetrics is what a subscription to metrics is told.
type liveMetrics struct {
	At       int64           `json:"at"` // Unix milliseconds
	UptimeMS int64           `json:"uptime_ms"`
	Ops      liveOps         `json:"ops"`
	Metrics  *tinykv.Metrics `json:"metrics"`
	Requests liveRequests    `json:"requests"`
}

// liveOps are totals since the store was opened; each is an estimate, as drawn samples are.
type liveOps struct {
	Reads  uint64 `json:"reads"`
	Writes uint64 `json:"writes"`
}

func (s *Server) liveMetrics() liveMetrics {
	m := s.db.Metrics()
	now := time.Now()
	return liveMetrics{
		At: now.UnixMilli(), UptimeMS: now.Sub(s.started).Milliseconds(), Metrics: m, Requests: s.times.told(),
		Ops: liveOps{Reads: m.Reads.Lookups, Writes: m.LastSeq},
	}
}

// tellMetrics tells the numbers, at once and then at each tick.
func (c *conversation) tellMetrics(ctx context.Context, q *request) error {
	return everySoOften(ctx, q.every(wsDefaultMetrics), func() error {
		return c.send(message{Kind: "metrics", ID: q.ID, Data: c.s.liveMetrics()})
	})
}

// tellLayout tells what the store consists of, whenever that has changed.
func (c *conversation) tellLayout(ctx context.Context, q *request) error {
	var last []byte
	return everySoOften(ctx, q.every(wsDefaultLayout), func() error {
		l, err := c.s.db.Layout()
		if err != nil {
			return err
		}
		text, err := json.Marshal(layoutJSON(l))
		if err != nil || bytes.Equal(text, last) {
			return err
		}
		last = text
		return c.send(message{Kind: "layout", ID: q.ID, Data: json.RawMessage(text)})
	})
}

// everySoOften calls fn now and at each tick until it fails or the context ends.
func everySoOften(ctx context.Context, every time.Duration, fn func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := fn(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
