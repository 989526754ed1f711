package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tinykv/tinykv"
)

// built returns the path of the program: this one, which stories run under its name. Under the race detector it is built once, without: that takes
// time and memory which some tests look at.
var built = sync.OnceValues(func() (string, error) {
	if !raceDetector {
		return exec.LookPath("tinykv")
	}
	path := filepath.Join(buildDir, "tinykv.exe")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

// buildDir is set while tests run. A process that is the program, as stories run it, has none.
var buildDir string

func TestMain(m *testing.M) {
	testscript.Main(cleanUp{m}, map[string]func(){"tinykv": main, "curl": curl})
}

// cleanUp runs the tests with a directory that they share, and removes it.
type cleanUp struct{ *testing.M }

func (c cleanUp) Run() int {
	dir, err := os.MkdirTemp("", "tinykv-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	buildDir = dir
	return c.M.Run()
}

// program is run as its user does.
type program struct {
	*testing.T
	dir   string // the store
	input string // standard input of the next call
}

func newProgram(t *testing.T) *program {
	return &program{T: t, dir: filepath.Join(t.TempDir(), "db")}
}

// run runs a command line, divided at spaces, and returns both outputs and the exit code.
func (s *program) run(line string) (out, errOut string, code int) {
	s.Helper()
	path, err := built()
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command(path, strings.Fields(line)...)
	cmd.Env = append(os.Environ(), "TINYKV_DB="+s.dir)
	cmd.Stdin = strings.NewReader(s.input)
	s.input = ""
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// want runs a command line that must succeed with this output.
func (s *program) want(line, want string) {
	s.Helper()
	if out, errOut, code := s.run(line); code != 0 || out != want || errOut != "" {
		s.Errorf("%s: exit code %d, output\n%s%s, want\n%s", line, code, out, errOut, want)
	}
}

// shows runs a command line that must succeed and have all these words in its output, which must fit
// in 80 columns. It returns the output.
func (s *program) shows(line string, words ...string) string {
	s.Helper()
	out, errOut, code := s.run(line)
	if code != 0 || errOut != "" {
		s.Errorf("%s: exit code %d, %s", line, code, errOut)
	}
	s.contains(line, strings.ReplaceAll(strings.ReplaceAll(out, s.dir, "DIR"), os.TempDir(), "TMP"), words)
	return out
}

func (s *program) contains(line, out string, words []string) {
	s.Helper()
	for _, word := range words {
		if !strings.Contains(out, word) {
			s.Errorf("%s: no %q in\n%s", line, word, out)
		}
	}
	for text := range strings.Lines(out) {
		if len(text) > 81 {
			s.Errorf("%s: more than 80 columns: %s", line, text)
		}
	}
}

// fails runs a command line that must end with an exit code and say these words on standard error.
func (s *program) fails(line string, want int, words ...string) {
	s.Helper()
	_, errOut, code := s.run(line)
	if code != want {
		s.Errorf("%s: exit code %d, want %d: %s", line, code, want, errOut)
	}
	for _, word := range words {
		if !strings.Contains(errOut, word) {
			s.Errorf("%s: no %q in: %s", line, word, errOut)
		}
	}
}

// fill makes a store with a few keys, of which some were deleted.
func (s *program) fill() {
	s.Helper()
	s.want("put fig ripe --create", "")
	db, err := tinykv.Open(s.dir, nil)
	if err != nil {
		s.Fatal(err)
	}
	b := db.NewBatch()
	for i := range 9 {
		err = errors.Join(err, b.Put(fmt.Appendf(nil, "fruit/%d", i+1), fmt.Appendf(nil, "v%d", i+1)))
	}
	err = errors.Join(err, b.Put([]byte("bin\x00"), []byte("\xff")), b.Put([]byte("empty"), nil))
	if err = errors.Join(err, db.Apply(b), db.Close()); err != nil {
		s.Fatal(err)
	}
}

// footprint describes every byte of the store.
func (s *program) footprint() (text string) {
	s.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			s.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(s.dir, e.Name()))
		if err != nil {
			s.Fatal(err)
		}
		text += fmt.Sprintf("%s %v %v %x\n", e.Name(), info.Mode(), info.ModTime(), sha256.Sum256(data))
	}
	return text
}

// files returns the paths of the files whose names match.
func (s *program) files(pattern string) []string {
	s.Helper()
	paths, err := filepath.Glob(filepath.Join(s.dir, pattern))
	if err != nil || len(paths) == 0 {
		s.Fatalf("%s: %v, %v", pattern, paths, err)
	}
	return paths
}

// flip damages a file.
func (s *program) flip(path string, off int) {
	s.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		data[off] ^= 1
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		s.Fatal(err)
	}
}

func TestLookingAround(t *testing.T) {
	s := newProgram(t)
	s.fill()
	s.want("del --range fruit/1 fruit/3", "")
	s.shows("info", "store      DIR", "keys       about", "tables     ", "sequence   13", "log        0 files")
	s.shows("info --json", `"last_seq": 13`)
	s.shows("levels", "level  tables", "L6", "total", "level 0 is merged into L6")
	s.shows("levels --json", `"target_bytes"`)
	s.shows("explain fig", "found #1,SET with a value of 4 bytes")
	s.shows("explain fruit/1", "absent: deleted by #13,RANGEDEL")
	s.shows("explain fig --json", `"entry_seq": 1`)
	s.shows("verify", "no damage", "manifest: ")
	s.shows("verify --json", `"problem_count": 0`, `"problems": []`)
	s.shows("dump sst", "entries", "first: ", "1 range deletion", "range deleted: fruit/1 up to fruit/3, at [13]")
	s.shows("dump sst --entries", "fruit/9#10,SET = v9", "empty#12,SET = \"\"", `"bin\x00"#11,SET = "\xff"`, "block at 0:")
	s.shows("dump manifest", "record 1 at 128", "next file", "+ L", "fruit/1#13,RANGEDEL to before fruit/3")
	s.shows("compact", "tables: ", " before, ")
	s.shows("scan", "fruit/3\tv3")
	s.shows("--version", "tinykv ", "go1.")
	s.shows("", "Keys and values:", "manifest ")
	s.shows("scan --help", "--limit=N")
}

func TestDumpWal(t *testing.T) {
	s := newProgram(t)
	s.fill()
	db, err := tinykv.Open(s.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	b := db.NewBatch()
	err = errors.Join(b.Put([]byte("kiwi"), []byte("new")), b.Delete([]byte("fig")), b.DeleteRange([]byte("x"), nil),
		db.Apply(b), db.Put([]byte("plum"), []byte("blue"), tinykv.Sync))
	if err != nil {
		t.Fatal(err)
	}
	// It may be looked at while the store is open.
	out := s.shows("dump wal", "record 1 at 128", "kiwi#13,SET = new", "fig#14,DEL", "x#15,RANGEDEL up to (end)", "plum#16,SET = blue", "2 records, up to ")
	if strings.Contains(out, "record 3") {
		t.Error(out)
	}
	for _, path := range s.files("*.wal") { // a copy, since the log of an open store is mapped
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if data[0] == 0 {
			continue // a spare
		}
		bad := filepath.Join(t.TempDir(), "bad.wal")
		data[150] ^= 1
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s.fails("dump wal "+bad, exitDamaged, "at offset 128: record: none can be read")
		s.fails("dump manifest "+bad, exitUsage, "another kind")
		if out, _, _ := s.run("dump wal " + bad); !strings.Contains(out, "plum#16,SET = blue") {
			t.Errorf("what is behind the damage is missing:\n%s", out)
		}
	}
}

func TestWhatIsWrongWithTheCommandLine(t *testing.T) {
	s := newProgram(t)
	s.fill()
	s.fails("gte fig", exitUsage, "did you mean", `"get"`, "tinykv --help")
	s.fails("get --hxe fig", exitUsage, `did you mean "--hex"?`)
	s.fails("get", exitUsage, "expected \"<key>\"")
	s.fails("get fig plum", exitUsage, "unexpected argument plum")
	s.fails("get --hex xyz", exitUsage, `"xyz" is not hexadecimal`)
	s.fails("scan --lower b --upper a", exitUsage, "tinykv: lower bound is above upper bound")
	s.fails("scan --prefix b --upper a", exitUsage, "--prefix and --upper can't be used together")
	s.fails("scan --limit -1", exitUsage)
	s.fails("del --range a", exitUsage, "two keys")
	s.dir = ""
	s.fails("get fig", exitUsage, "--db DIR", "TINYKV_DB")
	s.fails("verify", exitUsage, "--db DIR")
	s.fails("dump sst", exitUsage, "--db DIR")
}

func TestWhatIsWrongWithTheDirectory(t *testing.T) {
	s := newProgram(t)
	for _, line := range []string{"get a", "scan", "count", "info", "levels", "explain a", "verify", "del a", "compact"} {
		s.fails(line, exitFailed, "no store in "+s.dir)
	}
	s.fails("dump sst", exitFailed, s.dir)
	if _, err := os.Stat(s.dir); err == nil {
		t.Error("a command made the directory")
	}
	s.dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(s.dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.fails("get a", exitFailed, "no store in "+s.dir)
	s.fails("put a b --create", exitFailed, "notes.txt", "choose an empty directory")

	s = newProgram(t)
	s.fill()
	db, err := tinykv.Open(s.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"get a", "put a b", "scan", "verify", "compact", "info"} {
		s.fails(line, exitLocked, fmt.Sprint(os.Getpid()), "try again")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDamage(t *testing.T) {
	s := newProgram(t)
	s.fill()
	s.shows("compact", "tables: ")
	tables := s.files("*.sst")
	for _, path := range tables {
		s.flip(path, 30)
		s.flip(path, 31)
	}
	s.fails("get fig", exitDamaged, ".sst", "tinykv verify")
	s.fails("scan", exitDamaged)
	s.fails("count", exitDamaged)
	s.fails("explain fig", exitDamaged)
	s.fails("compact", exitDone) // nothing is to be merged
	out, errOut, code := s.run("verify")
	if code != exitDamaged || errOut != "" {
		t.Errorf("verify: exit code %d, %s", code, errOut)
	}
	s.contains("verify", strings.ReplaceAll(out, s.dir, "DIR"), []string{"damaged: " + filepath.Base(tables[0]) + ", offset 0", "data block: checksum is"})
	out, _, code = s.run("verify --json")
	if s.contains("verify --json", "", nil); code != exitDamaged || !strings.Contains(out, `"what": "data block"`) {
		t.Errorf("exit code %d, %s", code, out)
	}
	s.fails("dump sst --entries", exitDamaged, "data block: checksum is")
	s.repairs(tables[0])
	manifest := s.files("MANIFEST-*")[0]
	s.flip(manifest, 140)
	s.fails("get fig", exitDamaged, "MANIFEST")
	s.fails("dump manifest", exitDamaged, "MANIFEST", "none can be read before")
	if err := os.WriteFile(tables[0], nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.fails("dump sst "+tables[0], exitDamaged, "file has 0 bytes")
}

// repairs copies the store, of which a block of a table is damaged.
func (s *program) repairs(table string) {
	s.Helper()
	before, dst := s.footprint(), filepath.Join(s.TempDir(), "dst")
	out, errOut, code := s.run("repair " + s.dir + " " + dst)
	if code != exitDamaged || errOut != "" {
		s.Errorf("repair: exit code %d, %s", code, errOut)
	}
	s.contains("repair", strings.NewReplacer(s.dir, "SRC", dst, "DST").Replace(out), []string{
		"damaged: " + filepath.Base(table) + ", offset 0", "data block: checksum is", "may have held keys from", "lost: ", "the copy is not complete",
	})
	s.fails("repair "+s.dir+" "+dst, exitFailed, "directory is not empty", "choose another")
	out, errOut, code = s.run("repair --progress --json --keep-doubtful " + s.dir + " " + dst + "2")
	if code != exitDamaged || !strings.Contains(out, `"kept_doubtful": true`) || !strings.Contains(out, `"hides": true`) || !strings.Contains(errOut, "damaged place") {
		s.Errorf("repair --json: exit code %d, %s%s", code, out, errOut)
	}
	for _, copied := range []string{dst, dst + "2"} {
		if out, errOut, code := s.run("verify --db " + copied); code != exitDone {
			s.Errorf("the copy: exit code %d, %s%s", code, out, errOut)
		}
	}
	if after := s.footprint(); after != before {
		s.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestRepairOfWhatIsWhole(t *testing.T) {
	s := newProgram(t)
	s.fill()
	want, _, _ := s.run("scan")
	src := s.dir
	s.dir = filepath.Join(t.TempDir(), "dst")
	s.shows("repair "+src+" "+s.dir, "no damage: the copy is complete")
	s.want("scan", want)
	s.fails("repair "+filepath.Join(src, "none")+" "+s.dir, exitFailed, "no store in "+filepath.Join(src, "none"))
	s.fails("repair "+src+" "+filepath.Join(src, "new"), exitUsage, "choose a directory elsewhere")
	s.fails("repair "+src, exitUsage, "expected \"<dst>\"")
	db, err := tinykv.Open(src, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.fails("repair "+src+" "+s.dir+"2", exitLocked, "try again")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReadingCommandsChangeNothing(t *testing.T) {
	s := newProgram(t)
	s.fill()
	other, err := tinykv.Open(s.dir, &tinykv.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	before := s.footprint()
	for _, line := range []string{
		"get fig", "scan", "count", "info", "levels", "explain fig", "verify", "verify --progress",
		"dump sst", "dump sst -e", "dump manifest",
	} {
		if _, errOut, code := s.run(line); code != 0 {
			t.Errorf("%s: exit code %d, %s", line, code, errOut)
		}
	}
	if after := s.footprint(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
}
