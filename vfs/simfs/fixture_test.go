package simfs_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// A script is a line of calls, separated by semicolons:
//
//	create F     log F         make a file, a log
//	write F TEXT               append to a file
//	extend F SIZE  at F OFF TEXT   grow a log, overwrite a part of it
//	sync F       dirsync [D]   of a file or log, of the directory D (default: the root)
//	rename F F   remove F      mkdir D
//
// TEXT is pieces joined by "+", each of which stands for itself or, as in "A*512", for repetitions.
// Names without a directory lie in the root. States are written "a=xy b=A*512", sorted by name, with
// "." for a zero byte; the empty state is "".
type machine struct {
	t *testing.T
	*simfs.FS
	files map[string]vfs.File
	logs  map[string]vfs.Log
}

// boot runs a script on a new file system. Every call must succeed.
func boot(t *testing.T, script string) *machine {
	t.Helper()
	return on(t, simfs.New()).run(script)
}

// on makes a file system take scripts.
func on(t *testing.T, fsys *simfs.FS) *machine {
	return &machine{t: t, FS: fsys, files: map[string]vfs.File{}, logs: map[string]vfs.Log{}}
}

func (m *machine) run(script string) *machine {
	m.t.Helper()
	for call := range strings.SplitSeq(script, ";") {
		if err := m.try(call); err != nil {
			m.t.Fatalf("%s: %v", call, err)
		}
	}
	return m
}

// try makes one call.
func (m *machine) try(call string) (err error) {
	words := append(strings.Fields(call), "", "", "", "")
	verb, name := words[0], words[1]
	switch verb {
	case "create":
		m.files[name], err = m.Create(name)
	case "log":
		m.logs[name], err = m.CreateLog(name)
	case "write":
		_, err = m.files[name].Write(expand(words[2]))
	case "extend":
		err = m.logs[name].Extend(int64(number(words[2])))
	case "at":
		_, err = m.logs[name].WriteAt(expand(words[3]), int64(number(words[2])))
	case "mapped":
		err = m.logs[name].WriteMapped(expand(words[3]), int64(number(words[2])))
	case "sync":
		if f := m.files[name]; f != nil {
			return f.Sync()
		}
		err = m.logs[name].Datasync()
	case "dirsync":
		err = m.SyncDir(name)
	case "rename":
		err = m.Rename(name, words[2])
		m.files[words[2]], m.logs[words[2]] = m.files[name], m.logs[name]
	case "remove":
		err = m.Remove(name)
	case "mkdir":
		err = m.MkdirAll(name)
	default:
		m.t.Fatalf("unknown call %q", call)
	}
	return err
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func expand(text string) []byte {
	var b []byte
	for piece := range strings.SplitSeq(text, "+") {
		if char, count, ok := strings.Cut(piece, "*"); ok {
			piece = strings.Repeat(char, number(count))
		}
		b = append(b, piece...)
	}
	return bytes.ReplaceAll(b, []byte("."), []byte{0})
}

// shrink is the way back from expand, for runs of at least four bytes.
func shrink(content []byte) string {
	var pieces []string
	plain := "" // the piece under way, if it has no long run
	for len(content) > 0 {
		run := 1
		for run < len(content) && content[run] == content[0] {
			run++
		}
		char := strings.ReplaceAll(string(content[:1]), "\x00", ".")
		content = content[run:]
		if run < 4 {
			plain += strings.Repeat(char, run)
			continue
		}
		pieces = append(pieces, plain, fmt.Sprintf("%s*%d", char, run))
		plain = ""
	}
	pieces = slices.DeleteFunc(append(pieces, plain), func(piece string) bool { return piece == "" })
	return strings.Join(pieces, "+")
}

// state describes all files of the root, and those of its directories with their paths.
func state(t *testing.T, fsys *simfs.FS) string {
	t.Helper()
	return strings.Join(describe(t, fsys, "."), " ")
}

func describe(t *testing.T, fsys *simfs.FS, dir string) (words []string) {
	t.Helper()
	names, err := fsys.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := strings.TrimPrefix(dir+"/"+name, "./")
		info, err := fsys.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir {
			words = append(words, path+"/")
			words = append(words, describe(t, fsys, path)...)
			continue
		}
		words = append(words, path+"="+shrink(content(t, fsys, path)))
	}
	return words
}

func content(t *testing.T, fsys *simfs.FS, name string) []byte {
	t.Helper()
	m, err := fsys.Map(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	return m.Bytes()
}

// after returns the state after a crash, under a policy that leaves one.
func (m *machine) after(policy simfs.Policy) string {
	m.t.Helper()
	return state(m.t, m.Image(policy, 1))
}

// outcomes returns all different states that a policy leaves, sorted.
func (m *machine) outcomes(policy simfs.Policy) []string {
	m.t.Helper()
	return m.outcomesOf(policy, 0)
}

func (m *machine) outcomesOf(policy simfs.Policy, limit int) []string {
	m.t.Helper()
	var states []string
	for _, image := range m.Images(policy, 1, limit) {
		states = append(states, state(m.t, image))
	}
	slices.Sort(states)
	return slices.Compact(states)
}

func same(t *testing.T, got string, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// sameSet compares lists of states; want need not be sorted.
func sameSet(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// sameSetAndCut compares lists of states of one file, of which got has others that are the wanted ones with the end cut off.
func sameSetAndCut(t *testing.T, got []string, want ...string) {
	t.Helper()
	whole := slices.DeleteFunc(slices.Clone(got), func(state string) bool {
		return !slices.Contains(want, state) && slices.ContainsFunc(want, func(longer string) bool {
			return bytes.HasPrefix(expand(longer), expand(state))
		})
	})
	sameSet(t, whole, want...)
}
