package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/server"
)

type demoCommand struct {
	Listen      string `default:"127.0.0.1:0" placeholder:"ADDRESS" help:"Where to listen. Default: a free port."`
	Load        int    `default:"20" placeholder:"N" help:"How many reads and writes a second go on meanwhile, so that there is something to see; 0: none."`
	NoClassroom bool   `help:"Without the store of tiny sizes whose process may be killed."`
}

// Run fills a store with sample data and serves it: in a temporary directory that goes at the end, or in that of --db, which stays.
func (c *demoCommand) Run(e *environment) (err error) {
	if e.db == "" {
		dir, err := os.MkdirTemp("", "tinykv-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		e.db = filepath.Join(dir, "db")
	}
	events := server.NewEventLog()
	o := &tinykv.Options{
		MemTableSize: demoMemTable, MergeOperator: tinykv.MergeAddInt64, Events: events.Events(), // small: so that there are tables to look at
	}
	return e.with(o, func(db *tinykv.DB) error {
		if err := fillDemo(e.ctx, db); err != nil {
			return err
		}
		m := db.Metrics()
		e.say("%s in %s: about %d keys in %s of tables", "sample data", e.db, m.Keys, sizeText(m.TableBytes))
		load, stop := context.WithCancel(e.ctx)
		done := make(chan error, 1)
		go func() { done <- c.load(load, db) }()
		err := (&serveCommand{Listen: c.Listen, Classroom: !c.NoClassroom}).serve(e, db, events)
		stop()
		return errors.Join(err, <-done)
	})
}

// load reads and writes a little until the context ends: sensors tell what they measure, and visitors look at users.
func (c *demoCommand) load(ctx context.Context, db *tinykv.DB) error {
	if c.Load <= 0 {
		return nil
	}
	tick := time.NewTicker(time.Second / time.Duration(min(c.Load, 1000)))
	defer tick.Stop()
	rnd := rand.New(rand.NewPCG(2, 2))
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if err := demoStep(db, rnd, now); err != nil {
				return err
			}
		}
	}
}

// demoStep is one read or write. It makes no new keys.
func demoStep(db *tinykv.DB, rnd *rand.Rand, now time.Time) error {
	switch rnd.IntN(4) {
	case 0:
		return db.Put(sensorKey(rnd.IntN(demoSensors)), measurement(rnd, now))
	case 1:
		return db.Merge(pageKey(rnd.IntN(demoPages)), tinykv.EncodeInt64(1))
	default:
		_, err := db.Has(userKey(rnd.IntN(demoUsers * 5 / 4))) // some are not there
		return err
	}
}
