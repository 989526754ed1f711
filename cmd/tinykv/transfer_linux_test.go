package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/tally"
)

// mostResident is how much memory an import or an export may hold, whatever the size of the file.
const mostResident = 200 << 20

// bigFile is a file of CSV that is known without keeping it: record i of the rows, in whatever order these are.
type bigFile struct{ rows, inverse int }

func newBigFile(rows int) bigFile {
	inverse := new(big.Int).ModInverse(big.NewInt(stride), big.NewInt(int64(rows)))
	return bigFile{rows, int(inverse.Int64())}
}

// stride is prime, and divides no number of rows that is used: so its multiples are all rows, each once.
const stride = 7919

// order is the record of row n of the file, row the row of record i.
func (f bigFile) order(n int) int { return int(int64(n) * stride % int64(f.rows)) }
func (f bigFile) row(i int) int   { return int(int64(i) * int64(f.inverse) % int64(f.rows)) }

const bigHeader = "key,value,expires_at,key_hex,value_hex\n"

// record appends record i, as an export writes it.
func (f bigFile) record(dst []byte, i int) []byte {
	h := uint64(i+1) * 0x9e3779b97f4a7c15
	dst = fmt.Appendf(dst, "user/%09d,", i)
	switch i % 20 {
	case 0:
		return fmt.Appendf(dst, "\"said \"\"%x\"\",\nand %d\",,,\n", h, i)
	case 1:
		return fmt.Appendf(dst, ",2090-01-01T00:00:00Z,,ff%016x\n", h)
	default:
		return fmt.Appendf(dst, "%x some text that goes with it %x and more of it %x,,,\n", h, h>>7, h*31)
	}
}

// bytes is about how many bytes a row takes.
func (f bigFile) bytes() int { return 100 }

// write writes rows from one up to another, in the order of the file.
func (f bigFile) write(w io.Writer, from, to int) error {
	buf := make([]byte, 0, 1<<20)
	for n := from; n < to; n++ {
		buf = f.record(buf, f.order(n))
		if len(buf) > 1<<19 || n == to-1 {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	return nil
}

// process is a command of the built program, whose standard error is read as it comes.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string // of standard error
	out   bytes.Buffer
	begun time.Time
}

func startProcess(t *testing.T, stdin io.Reader, args ...string) *process {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), path, args...), lines: make(chan string, 1000), begun: time.Now()}
	p.cmd.Stdin, p.cmd.Stdout = stdin, &p.out
	pipe, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(pipe); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p
}

// end waits for the end, and returns the exit code, and the lines of standard error that are left. It checks how much memory it took.
func (p *process) end(what string, size int64) (code int, lines []string) {
	p.t.Helper()
	for line := range p.lines {
		lines = append(lines, line)
	}
	err := p.cmd.Wait()
	if err != nil && p.cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	took := time.Since(p.begun)
	resident := p.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	if resident > mostResident {
		p.t.Errorf("%s held %d MiB, want at most %d", what, resident>>20, mostResident>>20)
	}
	p.t.Logf("%s: %d MB in %.1f s, %.0f MB/s; %.1f s of processors; at most %d MiB resident", what, size/1e6, took.Seconds(),
		float64(size)/1e6/took.Seconds(), (p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()).Seconds(), resident>>20)
	return p.cmd.ProcessState.ExitCode(), lines
}

// progressOf returns the progress in a line, if it is that.
func progressOf(line string) (p jsonProgress, ok bool) {
	return p, json.Unmarshal([]byte(line), &p) == nil && p.Phase != ""
}

// A large file goes in through a pipe, is interrupted, goes on from the file where it said, and comes out as it was but in the order of its keys. All
// of that takes little memory.
func TestTransfer_OfAnySizeTakesLittleMemoryAndGoesOnAfterAnInterrupt(t *testing.T) {
	f := newBigFile(tally.Pick(200_000, 200_000, 10_000_000))
	dir := t.TempDir()
	db, in, out := filepath.Join(dir, "db"), filepath.Join(dir, "in.csv"), filepath.Join(dir, "out.csv")
	file, err := os.Create(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(bigHeader); err != nil {
		t.Fatal(err)
	}
	if err := f.write(file, 0, f.rows); err != nil {
		t.Fatal(err)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	tally.Row{
		ID: "A27", Suite: "import and export", Load: fmt.Sprintf("a CSV file of %d MB goes in by a pipe, is interrupted, goes on, comes out; at most 200 MB of memory", size/1e6),
		Faults: 1, Unit: "interrupted imports", Counts: []tally.Count{{Name: "rows", N: int64(f.rows)}},
		Replay: "TINYKV_RELIABILITY=full go test -run TestTransfer_ ./cmd/tinykv",
	}.Record(t)
	rows := interruptedImport(t, f, db)
	checkFirstRows(t, f, db, rows)

	p := startProcess(t, nil, "--db", db, "import", "--progress=json", "--from-row", strconv.Itoa(rows+1), in)
	code, lines := p.end("import, the rest", size)
	if want := fmt.Sprintf("%d rows imported, 0 skipped, 0 wrong and left out\n", f.rows+1-rows); code != 0 || p.out.String() != want {
		t.Fatalf("code %d, %s, %q; want %s", code, &p.out, lines, want)
	}
	checkProgress(t, lines, "importing", size)

	p = startProcess(t, nil, "--db", db, "export", "--progress=json", out)
	code, lines = p.end("export", size)
	if code != 0 {
		t.Fatalf("code %d: %q", code, lines)
	}
	checkProgress(t, lines, "exporting", int64(f.rows))
	checkExport(t, f, out)
}

// interruptedImport imports the first half of the file from a pipe that then goes silent, interrupts that, and returns up to which row it says that
// everything is in the store.
func interruptedImport(t *testing.T, f bigFile, db string) (rows int) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close() // only then: an end of the file would end the import
	defer r.Close()
	p := startProcess(t, r, "--db", db, "import", "--create", "--progress=json", "--format", "csv", "-")
	written := make(chan error, 1)
	go func() {
		_, err := io.WriteString(w, bigHeader)
		if err == nil {
			err = f.write(w, 0, f.rows/2)
		}
		written <- err
	}()
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	for line := range p.lines { // some of it is in the store
		if at, ok := progressOf(line); ok && strings.Contains(at.Note, "row") {
			break
		}
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	code, lines := p.end("import, interrupted", int64(f.rows/2*f.bytes()))
	said := regexp.MustCompile(`^tinykv: -: interrupted; everything up to row (\d+) is in the store, and nothing behind it: go on with --from-row (\d+)$`)
	found := said.FindStringSubmatch(lines[len(lines)-1])
	if code != exitFailed || found == nil {
		t.Fatalf("code %d: %q", code, lines)
	}
	rows, _ = strconv.Atoi(found[1])
	if next, _ := strconv.Atoi(found[2]); next != rows+1 || rows < 2 {
		t.Fatalf("%s", found[0])
	}
	return rows
}

// checkFirstRows checks that the store has the rows up to one, the header among them, and no others. It takes little memory itself: what this process
// held before counts for those that it starts.
func checkFirstRows(t *testing.T, f bigFile, dir string, rows int) {
	db, err := tinykv.Open(dir, streaming(tinykv.Options{ReadOnly: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	seen := 0
	for item, err := range db.Scan(tinykv.All(), tinykv.KeysOnly) {
		if err != nil {
			t.Fatal(err)
		}
		i, err := strconv.Atoi(strings.TrimPrefix(string(item.Key), "user/"))
		if n := f.row(i); err != nil || n >= rows-1 {
			t.Fatalf("row %d, %s, is in the store, %v; it said that %d are", n+2, item.Key, err, rows)
		}
		seen++
	}
	if seen != rows-1 {
		t.Fatalf("%d keys; it said that there are %d", seen, rows-1)
	}
}

// checkProgress checks that it was told how far it is, up to the end.
func checkProgress(t *testing.T, lines []string, phase string, total int64) {
	last := jsonProgress{}
	for _, line := range lines {
		p, ok := progressOf(line)
		if !ok || p.Phase != phase || p.Done < last.Done {
			t.Fatalf("progress %q behind %+v", line, last)
		}
		last = p
	}
	if !last.Ended || last.Done != total || last.Percent == nil || *last.Percent != 100 {
		t.Errorf("the last progress is %+v, want %d", last, total)
	}
}

// checkExport compares the export with the records in order.
func checkExport(t *testing.T, f bigFile, name string) {
	out, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	r := bufio.NewReaderSize(out, 1<<20)
	want, got := []byte(bigHeader), make([]byte, 1000)
	for i := 0; ; i++ {
		if _, err := io.ReadFull(r, got[:len(want)]); err != nil || !bytes.Equal(got[:len(want)], want) {
			t.Fatalf("record %d is %q, %v; want %q", i-1, got[:len(want)], err, want)
		}
		if i == f.rows {
			break
		}
		want = f.record(want[:0], i)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("something follows on the last record: %v", err)
	}
}
