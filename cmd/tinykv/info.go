package main

import (
	"os"
	"path/filepath"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/shell"
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
	e.printf("store      %s\n%s", i.Dir, shell.Info(i.Metrics))
	e.printf("log        %s, %s\n", countText(i.Logs, "file"), sizeText(i.LogSize))
	e.printf("files      %d, %s in all\n", i.Files, sizeText(i.Bytes))
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
		e.printf("%s", shell.Levels(m))
		return nil
	})
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
