package main

import (
	"fmt"
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
	return e.look(func(s site) error {
		m, err := s.metrics()
		if err != nil {
			return err
		}
		i := storeInfo{Dir: e.db, Metrics: m}
		if e.server != "" {
			i.Dir = e.server
		} else if err := i.addFiles(); err != nil {
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
	if i.Files == 0 {
		return // of a server somewhere else
	}
	e.printf("log        %s, %s\n", countText(i.Logs, "file"), sizeText(i.LogSize))
	e.printf("files      %d, %s in all\n", i.Files, sizeText(i.Bytes))
}

type levelsCommand struct{ formatFlag }

// Run prints a line for each level that holds tables.
func (c *levelsCommand) Run(e *environment) error {
	return e.look(func(s site) error {
		m, err := s.metrics()
		if err != nil {
			return err
		}
		if form := c.form("json", ""); form != "" {
			return c.list(e, form, m)
		}
		e.printf("%s", shell.Levels(m))
		return nil
	})
}

// list writes a row for each level, empty ones too.
func (c *levelsCommand) list(e *environment, form string, m *tinykv.Metrics) error {
	if c.Format == "" {
		return e.json(m.Levels)
	}
	l := newList(e, form, ">level", ">tables", ">bytes", ">data_bytes", ">entries", ">deletes", ">target_bytes", ">score")
	type level struct {
		Level int `json:"level"`
		tinykv.LevelMetrics
	}
	var err error
	for n, v := range m.Levels {
		if err == nil {
			err = l.row(level{n, v}, cellsOf(n, v.Tables, v.Bytes, v.DataBytes, v.Entries, v.Deletes, v.TargetBytes, fmt.Sprintf("%.2f", v.Score))...)
		}
	}
	return l.end(err)
}

// cellsOf writes values as cells.
func cellsOf(values ...any) (cells []string) {
	for _, v := range values {
		cells = append(cells, fmt.Sprint(v))
	}
	return cells
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
	return e.look(func(s site) error {
		in, err := c.in(s)
		if err != nil {
			return err
		}
		x, err := in.explain(k)
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
