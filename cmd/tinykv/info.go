package main

import (
	"os"
	"path/filepath"

	"github.com/tinykv/tinykv"
)

type infoCommand struct {
	JSON bool `name:"json" help:"As JSON, with all numbers that the store has of itself."`
}

// storeInfo is what info prints as JSON.
type storeInfo struct {
	Dir     string          `json:"dir"`
	Files   int             `json:"files"`
	Bytes   int64           `json:"bytes"`
	Logs    int             `json:"logs"`
	LogSize int64           `json:"log_bytes"`
	Metrics *tinykv.Metrics `json:"metrics"`
}

// Run prints what there is.
func (c *infoCommand) Run(e *environment) error {
	return e.read(func(db *tinykv.DB) error {
		i := storeInfo{Dir: e.db, Metrics: db.Metrics()}
		if err := i.addFiles(); err != nil {
			return err
		}
		if c.JSON {
			return e.json(&i)
		}
		i.print(e)
		return nil
	})
}

// addFiles counts what is in the directory.
func (i *storeInfo) addFiles() error {
	entries, err := os.ReadDir(i.Dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			continue
		}
		i.Files++
		i.Bytes += info.Size()
		if filepath.Ext(entry.Name()) == ".wal" {
			i.Logs++
			i.LogSize += info.Size()
		}
	}
	return nil
}

func (i *storeInfo) print(e *environment) {
	m := i.Metrics
	var all tinykv.LevelMetrics
	levels := 0
	for _, l := range m.Levels {
		all.Tables += l.Tables
		all.Bytes += l.Bytes
		all.DataBytes += l.DataBytes
		all.Entries += l.Entries
		all.Deletes += l.Deletes
		if l.Tables > 0 {
			levels++
		}
	}
	row := func(name, format string, args ...any) {
		e.printf("%-10s "+format+"\n", append([]any{name}, args...)...)
	}
	row("store", "%s", i.Dir)
	row("keys", "about %d", m.Keys)
	row("tables", "%d in %s, %s", all.Tables, countText(levels, "level"), sizeText(all.Bytes))
	row("entries", "%d, of which %s; %s of keys and values", all.Entries, countText(all.Deletes, "tombstone"), sizeText(all.DataBytes))
	row("log", "%s, %s", countText(i.Logs, "file"), sizeText(i.LogSize))
	row("sequence", "%d", m.LastSeq)
	row("files", "%d, %s in all", i.Files, sizeText(i.Bytes))
}

type levelsCommand struct {
	JSON bool `name:"json" help:"As JSON."`
}

// Run prints a line for each level that holds tables.
func (c *levelsCommand) Run(e *environment) error {
	return e.read(func(db *tinykv.DB) error {
		m := db.Metrics()
		if c.JSON {
			return e.json(m.Levels)
		}
		e.printf("level  tables       size       data    entries  deletes     target  score\n")
		var total tinykv.LevelMetrics
		for n := range m.Levels {
			l := &m.Levels[n]
			total.Tables += l.Tables
			total.Bytes += l.Bytes
			total.DataBytes += l.DataBytes
			total.Entries += l.Entries
			total.Deletes += l.Deletes
			if l.Tables > 0 {
				e.printf("L%-5d", n)
				e.printLevel(l)
			}
		}
		e.printf("total ")
		e.printLevel(&total)
		e.printf("level 0 is merged into L%d; a score of 1 makes a compaction due\n", m.BaseLevel)
		return nil
	})
}

func (e *environment) printLevel(l *tinykv.LevelMetrics) {
	target := "-"
	if l.TargetBytes > 0 {
		target = sizeText(l.TargetBytes)
	}
	e.printf(" %6d %10s %10s %10d %8d %10s", l.Tables, sizeText(l.Bytes), sizeText(l.DataBytes), l.Entries, l.Deletes, target)
	if l.Score > 0 {
		e.printf(" %6.2f\n", l.Score)
	} else {
		e.printf("      -\n")
	}
}

type explainCommand struct {
	hexFlag
	bucketFlag
	JSON bool   `name:"json" help:"As JSON."`
	Key  string `arg:"" help:"The key."`
}

// Run tells the way of a read, also where it ends at damage. A key that is not there is no error: its way is what was asked for.
func (c *explainCommand) Run(e *environment) error {
	k, err := c.bytes(c.Key)
	if err != nil {
		return err
	}
	return e.read(func(db *tinykv.DB) error {
		x, err := c.of(db).Explain(k)
		if x == nil {
			return err
		}
		if c.JSON {
			if jsonErr := e.json(x); err == nil {
				err = jsonErr
			}
			return err
		}
		e.printf("%s", x)
		return err
	})
}
