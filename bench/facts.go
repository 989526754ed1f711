package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/bench/internal/memory"
)

// facts are told, not measured.
func facts() []benchmark {
	return []benchmark{
		{name: "stats", about: "print the engine's metrics and the memory of the process", info: statsOf},
		{name: "levelstats", about: "print tables and bytes of each level", info: levelsOf},
		{name: "sstables", about: "print the table files", info: tablesOf},
	}
}

// info is what a benchmark tells that measures nothing. With -json it is marshalled.
type info interface {
	writeText(w io.Writer)
}

type storeStats struct {
	Metrics *tinykv.Metrics `json:"metrics"`
	Process memory.Usage    `json:"process"`
}

func statsOf(s *session) (info, error) {
	return &storeStats{Metrics: s.db.Metrics(), Process: memory.Read()}, nil
}

func (s *storeStats) writeText(w io.Writer) {
	fmt.Fprint(w, s.Metrics)
	fmt.Fprintf(w, "process: %s\n", s.Process)
}

// levelStats are in the form of RocksDB's.
type levelStats struct {
	Levels []levelSize `json:"levels"`
}

type levelSize struct {
	Tables int   `json:"tables"`
	Bytes  int64 `json:"bytes"`
}

func levelsOf(s *session) (info, error) {
	l := &levelStats{}
	for _, level := range s.db.Metrics().Levels {
		l.Levels = append(l.Levels, levelSize{Tables: level.Tables, Bytes: level.Bytes})
	}
	return l, nil
}

func (l *levelStats) writeText(w io.Writer) {
	fmt.Fprint(w, "Level Files Size(MB)\n--------------------\n")
	for i, level := range l.Levels {
		fmt.Fprintf(w, "%5d %5d %8.0f\n", i, level.Tables, float64(level.Bytes)/memory.BytesPerMB)
	}
}

// tableFiles are those in the directory: of a store that is busy, some may be about to go, or not be
// in use yet.
type tableFiles struct {
	Tables []tableFile `json:"tables"`
}

type tableFile struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

const tableSuffix = ".sst"

func tablesOf(s *session) (info, error) { return readTables(s.dir) }

func readTables(dir string) (*tableFiles, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	t := &tableFiles{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), tableSuffix) {
			continue
		}
		if file, err := os.Stat(filepath.Join(dir, e.Name())); err == nil { // or it has just gone
			t.Tables = append(t.Tables, tableFile{Name: e.Name(), Bytes: file.Size()})
		}
	}
	return t, nil
}

func (t *tableFiles) writeText(w io.Writer) {
	for _, f := range t.Tables {
		fmt.Fprintf(w, "%-20s %12d bytes\n", f.Name, f.Bytes)
	}
	fmt.Fprintf(w, "%d files, %s\n", len(t.Tables), memory.Megabytes(float64(t.bytes())))
}

func (t *tableFiles) bytes() (total int64) {
	for _, f := range t.Tables {
		total += f.Bytes
	}
	return total
}
