// Package tidy holds the house rules that a test can check: which package may import which, and a
// few about what stands in the code. It has no code of its own.
package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tinykv/tinykv"

// directions says what each package may import beside the standard library; "." is the root. A
// package in the order below may import only what stands above it, and the rule says which of that.
// A new package is one more line here, with its reason.
const directions = `
# 1. The ground: files, keys, errors, memory, the cache.
vfs                 golang.org/x/exp/mmap golang.org/x/sys/unix github.com/gofrs/flock
internal/key
internal/corrupt
internal/offheap    golang.org/x/sys/unix
internal/blockcache github.com/dgraph-io/ristretto/v2
# Which bit of a damaged block was flipped: the formats say where, Repair asks.
internal/onebit     github.com/cespare/xxhash/v2

# 2. What the formats and the engine share.
internal/iterator   internal/key
internal/batchrepr  internal/key internal/corrupt
internal/rangedel   internal/key

# 3. The formats in memory and on disk; never one another.
memtable            internal/key internal/iterator internal/rangedel internal/offheap
wal                 vfs internal/corrupt internal/onebit github.com/cespare/xxhash/v2
sstable             vfs internal/key internal/iterator internal/rangedel internal/corrupt internal/blockcache internal/onebit github.com/cespare/xxhash/v2 github.com/bits-and-blooms/bloom/v3 github.com/klauspost/compress/s2 github.com/klauspost/compress/zstd

# 4. The books; wal for the framing of records, and no table is opened.
manifest            vfs internal/key internal/corrupt internal/onebit wal github.com/cespare/xxhash/v2

# 5. Deciding and doing compactions; neither log nor memtable.
compaction          vfs internal/key internal/iterator internal/rangedel manifest sstable

# 6. The engine, which alone knows them all.
.                   vfs internal/key internal/batchrepr internal/iterator internal/rangedel internal/corrupt internal/blockcache internal/offheap internal/onebit memtable wal sstable manifest compaction

# 7. Programs on top of it.
bench               . bench/internal/meter bench/internal/draw bench/internal/values bench/internal/memory bench/internal/machine github.com/HdrHistogram/hdrhistogram-go github.com/cespare/xxhash/v2 github.com/klauspost/compress/s2 github.com/klauspost/compress/zstd
# What bench shares with bench/peers, which is a module of its own; no store, so that all engines are measured alike.
bench/internal/meter   github.com/HdrHistogram/hdrhistogram-go
bench/internal/draw
bench/internal/values
bench/internal/memory
# Its probes use the log and the file that the engine writes to, its hash, and pages that are not huge.
bench/internal/machine vfs bench/internal/meter bench/internal/memory github.com/cespare/xxhash/v2 golang.org/x/sys/unix
examples/...        . vfs
# Items as JSON and CSV, for the command line and the server alike.
internal/interchange .
# The words of the shell and of the page's terminal, over an open store.
internal/shell      .
# The command line; dump opens no store, since it is for files that cannot be opened any more: so it reads the formats.
cmd/tinykv          . vfs server server/classroom internal/shell internal/key internal/batchrepr internal/corrupt internal/iterator wal sstable manifest internal/interchange github.com/alecthomas/kong github.com/coder/websocket github.com/peterh/liner
# A store over HTTP; it knows the engine by its public names alone.
server              . server/web server/classroom internal/shell internal/interchange github.com/coder/websocket github.com/HdrHistogram/hdrhistogram-go
# A child process, of which it knows how to start it and where it listens.
server/classroom
# The page: files for a browser, and nothing of the store.
server/web

# Tests only: a file system that crashes, what the tests of several packages share, and what the suites of faults count.
vfs/simfs           vfs
internal/tally
internal/enginetest . vfs github.com/cespare/xxhash/v2
# The process that suites kill, starve and cut off, and the check of what it leaves; the ledger between them is a mapped file. Suites have no code but tests.
reliability/load    . internal/enginetest golang.org/x/sys/unix
reliability/process
reliability/planted
# The search for anomalies is test code too.
reliability/isolation
# Mounts file systems and cuts their power.
reliability/disk    golang.org/x/sys/unix
# Runs them all, and makes the table of docs/RELIABILITY.md.
reliability         internal/tally
`

// rule returns what a package may import, and whether there is a rule for it.
func rule(pkg string) (allowed []string, ok bool) {
	for line := range strings.Lines(directions) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		prefix, isTree := strings.CutSuffix(fields[0], "...")
		if fields[0] == pkg || isTree && strings.HasPrefix(pkg, prefix) {
			return fields[1:], true
		}
	}
	return nil, false
}

// source is a parsed file.
type source struct {
	name   string // path from the top
	pkg    string // directory from the top
	module string // directory of its module from the top, "." for this one
	isTest bool
	text   string
	ast    *ast.File
}

// sources returns all Go files of this module.
func sources(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	set, all := allSources(t)
	return set, slices.DeleteFunc(all, func(s source) bool { return s.module != "." })
}

// allSources returns also those of modules within this one, as bench/peers: how they are written is held to
// the same rules, but not what they import.
func allSources(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	top := filepath.Join("..", "..")
	var all []source
	set, modules := token.NewFileSet(), map[string]string{}
	err := filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != top && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
				return fs.SkipDir
			}
			modules[name] = moduleOf(name, modules)
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		s, err := parse(set, top, name)
		s.module = fromTop(top, modules[filepath.Dir(name)])
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("%d files: the top of the tree is not where it was", len(all))
	}
	return set, all
}

// moduleOf returns the directory of the module that a directory is in, given those of directories above.
func moduleOf(dir string, modules map[string]string) string {
	above, known := modules[filepath.Dir(dir)]
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || !known {
		return dir
	}
	return above
}

func fromTop(top, name string) string {
	rel, err := filepath.Rel(top, name)
	if err != nil {
		return name
	}
	return filepath.ToSlash(rel)
}

func parse(set *token.FileSet, top, name string) (source, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return source{}, err
	}
	file, err := parser.ParseFile(set, name, text, parser.ParseComments)
	rel := fromTop(top, name)
	return source{
		name: rel, pkg: path.Dir(rel), isTest: strings.HasSuffix(rel, "_test.go"), text: string(text), ast: file,
	}, err
}

func TestSources_ModulesWithinAreTheirOwn(t *testing.T) {
	top := t.TempDir()
	within := filepath.Join(top, "a", "b")
	if err := os.MkdirAll(within, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{top, filepath.Join(top, "a")} {
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	modules := map[string]string{}
	for _, dir := range []string{top, filepath.Join(top, "a"), within} {
		modules[dir] = moduleOf(dir, modules)
	}
	if got := fromTop(top, modules[within]); got != "a" || modules[top] != top {
		t.Errorf("a/b is of module %q, the top of %q", got, modules[top])
	}
}

func TestImports_GoInTheDirectionsThatTheDesignSays(t *testing.T) {
	_, all := sources(t)
	for _, s := range all {
		if s.isTest {
			continue
		}
		allowed, ok := rule(s.pkg)
		if !ok {
			t.Errorf("%s: package %s has no line in the import directions", s.name, s.pkg)
			continue
		}
		for _, spec := range s.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Split(imported, "/")[0], ".") {
				continue // standard library
			}
			short := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
			if short == "" {
				short = "."
			}
			if !slices.Contains(allowed, short) {
				t.Errorf("%s: %s must not import %s", s.name, s.pkg, short)
			}
		}
	}
}

// Every line of the directions is about a package that exists, and lists only what is imported.
func TestImports_DirectionsNameNothingInVain(t *testing.T) {
	_, all := sources(t)
	for line := range strings.Lines(directions) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" || strings.HasSuffix(fields[0], "...") {
			continue
		}
		used := map[string]bool{}
		for _, s := range all {
			if s.pkg != fields[0] || s.isTest {
				continue
			}
			used["itself"] = true
			for _, spec := range s.ast.Imports {
				imported, _ := strconv.Unquote(spec.Path.Value)
				short := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
				if short == "" {
					short = "."
				}
				used[short] = true
			}
		}
		for _, want := range append(fields[1:], "itself") {
			if !used[want] {
				t.Errorf("directions of %s: %s is not there any more", fields[0], want)
			}
		}
	}
}

// library tells whether a package is part of what a program links that embeds the store.
func library(pkg string) bool {
	return pkg != "internal/enginetest" && pkg != "internal/tally" && pkg != "vfs/simfs" && !strings.HasPrefix(pkg, "bench") &&
		!strings.HasPrefix(pkg, "reliability") && !strings.HasPrefix(pkg, "examples") && !strings.HasPrefix(pkg, "cmd")
}

// forbidden is what a library leaves to the program: its output, its end, its loggers. A star stands
// for everything that begins so.
var forbidden = []string{
	"fmt.Print*", "os.Exit", "os.Stdout", "os.Stderr", "log.*",
	"log/slog.Default", "log/slog.SetDefault", "log/slog.With", "log/slog.Log", "log/slog.LogAttrs",
	"log/slog.Debug*", "log/slog.Info*", "log/slog.Warn*", "log/slog.Error*",
}

// isForbidden tells whether a library may not use a name of an imported package.
func isForbidden(imported, name string) bool {
	return slices.ContainsFunc(forbidden, func(f string) bool {
		prefix, isTree := strings.CutSuffix(f, "*")
		return f == imported+"."+name || isTree && strings.HasPrefix(imported+"."+name, prefix)
	})
}

// importNames returns the paths of what a file imports by the names that it uses for them.
func importNames(file *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = imported
	}
	return names
}

func TestLibrary_NeitherPrintsNorExitsNorStartsByItself(t *testing.T) {
	set, all := sources(t)
	for _, s := range all {
		if s.isTest || !library(s.pkg) {
			continue
		}
		imports := importNames(s.ast)
		if imports["."] != "" {
			t.Errorf("%s: the names of %s stand in it as if they were its own", s.name, imports["."])
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && isForbidden(imports[x.Name], n.Sel.Name) {
					t.Errorf("%v: the library uses %s.%s", set.Position(n.Pos()), x.Name, n.Sel.Name)
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
					t.Errorf("%v: the library uses %s", set.Position(n.Pos()), f.Name)
				}
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%v: a package must not run code when it is imported", set.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// What a store does to files goes through package vfs: the file system that crashes sees nothing else.
func TestLibrary_ReachesTheSystemThroughVfsAlone(t *testing.T) {
	_, all := sources(t)
	for _, s := range all {
		if s.isTest || !library(s.pkg) || s.pkg == "vfs" {
			continue
		}
		if s.pkg == "server" || strings.HasPrefix(s.pkg, "server/") { // the network is its business, the store's files are not
			continue
		}
		if s.name == "internal/offheap/limit_linux.go" { // reads what the kernel says of memory, no file of a store
			continue
		}
		for _, spec := range s.ast.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if top, _, _ := strings.Cut(imported, "/"); slices.Contains([]string{"os", "syscall", "net", "plugin", "C"}, top) {
				t.Errorf("%s: %s must not import %s", s.name, s.pkg, imported)
			}
		}
	}
}

func TestUnsafe_IsUsedInOnePackage(t *testing.T) {
	_, all := sources(t)
	for _, s := range all {
		for _, spec := range s.ast.Imports {
			if spec.Path.Value == `"unsafe"` && s.pkg != "internal/offheap" {
				t.Errorf("%s imports unsafe", s.name)
			}
		}
	}
}

func TestExported_NamesHaveComments(t *testing.T) {
	set, all := allSources(t)
	for _, s := range all {
		if s.isTest || s.ast.Name.Name == "main" {
			continue
		}
		for _, d := range s.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
					t.Errorf("%v: %s has no comment", set.Position(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					checkSpec(t, set, d, spec)
				}
			}
		}
	}
}

// exportedReceiver tells whether a function is one that users see: no method of an unexported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	name, ok := typ.(*ast.Ident)
	return ok && name.IsExported()
}

func checkSpec(t *testing.T, set *token.FileSet, d *ast.GenDecl, spec ast.Spec) {
	t.Helper()
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() && spec.Doc == nil && d.Doc == nil {
			t.Errorf("%v: %s has no comment", set.Position(spec.Pos()), spec.Name.Name)
		}
	case *ast.ValueSpec:
		if spec.Names[0].IsExported() && spec.Doc == nil && spec.Comment == nil && d.Doc == nil {
			t.Errorf("%v: %s has no comment", set.Position(spec.Pos()), spec.Names[0].Name)
		}
	}
}

func TestPackages_HaveACommentAndAProperName(t *testing.T) {
	_, all := allSources(t)
	documented := map[string]bool{}
	for _, s := range all {
		if s.ast.Doc != nil {
			documented[s.pkg] = true
		}
		if slices.Contains([]string{"util", "utils", "common", "base", "misc", "helpers", "types"}, path.Base(s.pkg)) {
			t.Errorf("%s: the name says nothing", s.pkg)
		}
	}
	for _, s := range all {
		if !documented[s.pkg] {
			t.Errorf("package %s has no comment", s.pkg)
			documented[s.pkg] = true
		}
	}
}

// The table of contents in db.go names every file of the root, and no other.
func TestContents_OfTheRootAreComplete(t *testing.T) {
	_, all := sources(t)
	contents, files := "", map[string]bool{}
	for _, s := range all {
		if s.pkg == "." && !s.isTest {
			files[s.name] = true
		}
		if s.name == "db.go" {
			contents, _, _ = strings.Cut(s.text, "type DB struct")
		}
	}
	named := map[string]bool{"db.go": true, "doc.go": true}
	for word := range strings.FieldsSeq(contents) {
		if strings.HasSuffix(word, ".go") {
			named[word] = true
		}
	}
	for name := range named {
		if !files[name] {
			t.Errorf("db.go names %s, which is not there", name)
		}
	}
	for name := range files {
		of, _, _ := strings.Cut(strings.TrimSuffix(name, ".go"), "_")
		if !named[name] && !named[of+".go"] {
			t.Errorf("db.go does not name %s", name)
		}
	}
}

func TestText_HasNoLeftovers(t *testing.T) {
	_, all := allSources(t)
	for _, s := range all {
		if s.pkg == "internal/tidy" {
			continue
		}
		for n, line := range strings.Split(s.text, "\n") {
			for _, marker := range []string{"TODO", "FIXME", "XXX", "HACK", "t.Skip()", "time.Sleep("} {
				if strings.Contains(line, marker) && !permitted(s, marker) {
					t.Errorf("%s:%d: %s", s.name, n+1, strings.TrimSpace(line))
				}
			}
		}
	}
}

// permitted lists where a marker may stand, and why.
func permitted(s source, marker string) bool {
	switch {
	case marker == "time.Sleep(" && s.name == "throttle.go": // slowing writers down is its purpose
		return true
	case marker == "time.Sleep(" && s.name == "open.go": // waiting for another process's lock can only be done by trying
		return true
	case marker == "time.Sleep(" && (s.pkg == "bench" || s.name == "bench/internal/meter/meter_test.go"): // by the clock of a bubble
		return true
	default:
		return false
	}
}

// Files grow until somebody asks which second idea moved in.
func TestFiles_AreShort(t *testing.T) {
	_, all := allSources(t)
	for _, s := range all {
		if lines := strings.Count(s.text, "\n"); lines > 500 && !s.isTest {
			t.Errorf("%s has %d lines; which second idea moved in?", s.name, lines)
		}
	}
}
