package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Kinds of file.
const (
	kindManifest = "manifest"
	kindPointer  = "pointer to it"
	kindLog      = "log"
	kindTable    = "table"
	kindOther    = "other"
)

// kindOf tells what a file is, by its name.
func kindOf(name string) string {
	switch ext := filepath.Ext(name); {
	case strings.HasPrefix(name, "marker."), name == "CURRENT":
		return kindPointer
	case strings.HasPrefix(name, "MANIFEST"):
		return kindManifest
	case ext == ".wal", ext == ".log", ext == ".mem", ext == ".vlog":
		return kindLog
	case ext == ".sst", ext == ".ldb", ext == ".db":
		return kindTable
	}
	return kindOther
}

// tally counts what came of flipped bits in one kind of file.
type tally struct {
	flips, errors, harmless, last, lost, wrong, exits, hangs int

	mostLost int
}

func flipAll(names []string, perKind int) error {
	fmt.Printf("\nOne bit of a byte flipped, in stores of %d batches of one key and %d bytes, each synced. Read by an iterator and by lookups.\n\n", batches, len(valueOf(0)))
	fmt.Println("| engine | store | file | flips | error | harmless | lost the last batch | lost more | wrong value | process ended | hang | most lost |")
	fmt.Println("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, name := range names {
		for _, end := range []string{"closed", "killed"} {
			if err := flipStore(name, end, perKind); err != nil {
				return fmt.Errorf("%s, %s: %w", name, end, err)
			}
		}
	}
	return nil
}

func flipStore(name, end string, perKind int) (err error) {
	root, err := os.MkdirTemp("", "faults")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	files, err := makeStore(name, end, filepath.Join(root, "made"))
	if err != nil {
		return err
	}
	f := &flipper{name: name, dir: filepath.Join(root, "damaged"), files: files}
	defer f.end()
	if text, err := f.check(); err != nil || text != "whole" {
		return fmt.Errorf("before any damage: %s, %w", text, err)
	}
	for _, kind := range []string{kindManifest, kindPointer, kindLog, kindTable, kindOther} {
		t, err := f.flipKind(kind, perKind)
		if err != nil {
			return err
		}
		if t.flips > 0 {
			fmt.Printf("| %s | %s | %s | %d | %d | %d | %d | %d | %d | %d | %d | %d |\n", name, end, kind,
				t.flips, t.errors, t.harmless, t.last, t.lost, t.wrong, t.exits, t.hangs, t.mostLost)
		}
	}
	return nil
}

// makeStore has a child make a store, and returns its files by their paths within it.
func makeStore(name, end, dir string) (map[string][]byte, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	w, err := startWorker(name)
	if err != nil {
		return nil, err
	}
	order := "fill"
	if end == "closed" {
		order = "close"
	}
	text := w.ask(order, dir)
	w.kill()
	if text != "done" {
		return nil, errors.New(text)
	}
	files := map[string][]byte{}
	err = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files[rel], err = os.ReadFile(path)
		return err
	})
	return files, err
}

// flipper damages the files of one store.
type flipper struct {
	name  string
	dir   string
	files map[string][]byte
	w     *worker
}

func (f *flipper) end() {
	if f.w != nil {
		f.w.kill()
		f.w = nil
	}
}

// place is a byte of a file.
type place struct {
	file string
	off  int
}

// places lists the bytes of a kind of file that are in use, and some behind; perKind of them, evenly spread, or all of a small kind.
func (f *flipper) places(kind string, perKind int) (all []place) {
	for name, data := range f.files {
		used := min(len(bytes.TrimRight(data, "\x00"))+16, len(data))
		for off := range used {
			if kindOf(filepath.Base(name)) == kind && filepath.Base(name) != "LOCK" {
				all = append(all, place{name, off})
			}
		}
	}
	slices.SortFunc(all, func(a, b place) int { return strings.Compare(a.file, b.file)*1<<20 + a.off - b.off })
	if kind == kindManifest || kind == kindPointer || len(all) <= perKind {
		return all
	}
	var some []place
	for i := range perKind {
		some = append(some, all[i*len(all)/perKind])
	}
	return some
}

func (f *flipper) flipKind(kind string, perKind int) (*tally, error) {
	t := &tally{}
	for _, p := range f.places(kind, perKind) {
		data := f.files[p.file]
		flipped := bytes.Clone(data)
		flipped[p.off] ^= 1 << (p.off % 8)
		f.files[p.file] = flipped
		text, err := f.check()
		f.files[p.file] = data
		if err != nil {
			return nil, err
		}
		t.count(text)
	}
	return t, nil
}

func (t *tally) count(text string) {
	t.flips++
	what, rest, _ := strings.Cut(text, " ")
	switch what {
	case "error":
		t.errors++
	case "whole":
		t.harmless++
	case "wrong":
		t.wrong++
	case "exit":
		t.exits++
	case "hang":
		t.hangs++
	case "lost":
		n, _, _ := strings.Cut(rest, " ")
		missing, _ := strconv.Atoi(n)
		t.mostLost = max(t.mostLost, missing)
		if rest == fmt.Sprintf("1 %d", batches-1) {
			t.last++
		} else {
			t.lost++
		}
	}
}

// check writes the files and has a child read them. A child that ended or hangs is replaced.
func (f *flipper) check() (string, error) {
	if err := os.RemoveAll(f.dir); err != nil {
		return "", err
	}
	for name, data := range f.files {
		path := filepath.Join(f.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
			return "", err
		}
	}
	if f.w == nil {
		w, err := startWorker(f.name)
		if err != nil {
			return "", err
		}
		f.w = w
	}
	text := f.w.ask("check", f.dir)
	if text == "exit" || text == "hang" {
		f.end()
	}
	return text, nil
}
