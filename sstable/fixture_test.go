package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/vfs"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

const testID = 0x7ab1e7ab1e7ab1e7

// entry is what a table holds.
type entry struct {
	key   key.Internal
	value []byte
}

func (e entry) String() string { return e.key.String() + ":" + short(e.value) }

// short writes a value, or what tells it from others when it is long.
func short(value []byte) string {
	if len(value) <= 40 {
		return string(value)
	}
	return fmt.Sprintf("%s...(%d bytes, %x)", value[:8], len(value), xxhash.Sum64(value))
}

// parse reads entries in notation, separated by spaces.
func parse(t *testing.T, text string) (entries []entry) {
	t.Helper()
	for _, word := range strings.Fields(text) {
		k, value, err := key.ParseInternal(word)
		must(t, err)
		entries = append(entries, entry{k, value})
	}
	return entries
}

// table makes a table file.
func table(t *testing.T, opts WriterOptions, entries []entry) []byte {
	t.Helper()
	file, _ := tableOf(t, opts, entries)
	return file
}

// tableOf makes a table file and returns its properties too.
func tableOf(t *testing.T, opts WriterOptions, entries []entry) ([]byte, Properties) {
	t.Helper()
	if opts.ID == 0 {
		opts.ID = testID
	}
	if opts.BlockSize == 0 {
		opts.BlockSize = 4096
	}
	var file bytes.Buffer
	w := NewWriter(&file, opts)
	for _, e := range entries {
		must(t, w.Add(e.key.Stored, e.key.Trailer, e.value))
	}
	props, size, err := w.Finish()
	must(t, err)
	if size != int64(file.Len()) {
		t.Fatalf("Finish says %d bytes, written are %d", size, file.Len())
	}
	return file.Bytes(), props
}

// memory is a vfs.Mapping of a byte slice. One that copies has no bytes to lend.
type memory struct {
	data      []byte
	copies    bool
	populated []int64 // offsets that Populate was called for
	lengths   []int64 // and lengths
	announced []int64 // offsets that Announce was called for
	fault     error   // what reading and Populate return, if not nil
	reads     atomic.Int64
	closed    int
}

var _ vfs.Mapping = (*memory)(nil)

func (m *memory) Bytes() []byte {
	if m.copies {
		return nil
	}
	return m.data
}

func (m *memory) Len() int64 { return int64(len(m.data)) }

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	m.reads.Add(1)
	if m.fault != nil {
		return 0, m.fault
	}
	return bytes.NewReader(m.data).ReadAt(p, off)
}

func (m *memory) Populate(off, n int64) error {
	m.populated, m.lengths = append(m.populated, off), append(m.lengths, n)
	return m.fault
}

func (m *memory) Announce(off, _ int64) { m.announced = append(m.announced, off) }

func (m *memory) Close() error {
	m.closed++
	return nil
}

// file is a vfs.File that reads a byte slice.
type file struct {
	vfs.File
	*bytes.Reader
	fault  error
	closed int
}

func newFile(data []byte) *file { return &file{Reader: bytes.NewReader(data)} }

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if f.fault != nil {
		return 0, f.fault
	}
	return f.Reader.ReadAt(p, off)
}

func (f *file) Size() (int64, error) { return f.Reader.Size(), nil }

func (f *file) Close() error {
	f.closed++
	return nil
}

// mode is a way to read tables.
type mode struct {
	name   string
	copies bool
	stream bool // iterators are those of compactions
}

var modes = []mode{{name: "mapped"}, {name: "copying", copies: true}, {name: "stream", stream: true}}

// open opens a table file in the given mode.
func (m mode) open(data []byte, opts ReaderOptions) (*Reader, error) {
	if opts.ID == 0 {
		opts.ID = testID
	}
	if opts.Name == "" {
		opts.Name = "7.sst"
	}
	return NewReader(&memory{data: data, copies: m.copies}, opts)
}

func (m mode) mustOpen(t *testing.T, data []byte, opts ReaderOptions) *Reader {
	t.Helper()
	r, err := m.open(data, opts)
	must(t, err)
	return r
}

// iter returns an iterator over a table.
func (m mode) iter(r *Reader, data []byte) *Iter {
	if m.stream {
		return r.NewStreamIter(newFile(data))
	}
	return r.NewIter()
}

// get looks up a stored key and describes the answer.
func get(r *Reader, stored []byte, at key.Trailer) string {
	value, found, ok, err := r.Get(stored, Hash(stored), at)
	switch {
	case err != nil && ok:
		return "both an answer and " + err.Error()
	case err != nil:
		return failure(err)
	case !ok:
		return "none"
	}
	return entry{key.Internal{Stored: stored, Trailer: found}, value}.String()
}

// failure names an error by its class.
func failure(err error) string {
	switch {
	case errors.Is(err, corrupt.ErrCorrupt):
		return "corrupt"
	case errors.Is(err, corrupt.ErrTooNew):
		return "too new"
	}
	return "error: " + err.Error()
}

// show describes where an iterator arrived.
func show(kv *iterator.KV, err error) string {
	switch {
	case kv != nil && err != nil:
		return "both an entry and " + err.Error()
	case kv != nil:
		return entry{kv.Key(), kv.Value}.String()
	case err != nil:
		return failure(err)
	}
	return "end"
}

// scan returns all entries in order, and behind them the failure if one ends it.
func scan(it iterator.Iterator) (entries []string) {
	for kv := it.First(); kv != nil; kv = it.Next() {
		entries = append(entries, show(kv, it.Err()))
	}
	if err := it.Err(); err != nil {
		entries = append(entries, failure(err))
	}
	return entries
}

// twin is the naive counterpart of a table: a slice sorted by internal key.
type twin []entry

// from returns the place of the first entry at or behind k.
func (w twin) from(k key.Internal) int {
	at, _ := slices.BinarySearchFunc(w, k, func(e entry, k key.Internal) int { return key.Compare(e.key, k) })
	return at
}

func (w twin) show(i int) string {
	if i < 0 || i >= len(w) {
		return "end"
	}
	return w[i].String()
}

func (w twin) get(stored []byte, at key.Trailer) string {
	i := w.from(key.Internal{Stored: stored, Trailer: at})
	if i == len(w) || !bytes.Equal(w[i].key.Stored, stored) {
		return "none"
	}
	return w.show(i)
}

func (w twin) strings() (all []string) {
	for _, e := range w {
		all = append(all, e.String())
	}
	return all
}

// shift returns a twin whose sequence numbers are higher by base.
func (w twin) shift(base key.SeqNum) twin {
	shifted := slices.Clone(w)
	for i := range shifted {
		shifted[i].key.Trailer += key.MakeTrailer(base, 0)
	}
	return shifted
}

// handles returns where the blocks and sections of a table file lie.
func handles(t *testing.T, data []byte) (blocks []handle, f footer) {
	t.Helper()
	f, err := decodeFooter(data[len(data)-footerLen:], int64(len(data)))
	must(t, err)
	h := f.sections[sectionIndex]
	x, err := openIndex(data[h.off:h.off+h.length], f.sections[sectionFilter].off)
	must(t, err)
	for i := range x.count {
		blocks = append(blocks, x.block(i))
	}
	return blocks, f
}

// reseal makes the checksums of a table file right again, as far as its footer and index still lead
// to what they cover.
func reseal(data []byte) {
	if len(data) < footerLen {
		return
	}
	b := data[len(data)-footerLen:]
	copy(b[footerMagic:], magic)
	id := binary.LittleEndian.Uint64(b[footerID:])
	section := func(i int) (off, length int64, ok bool) {
		off = int64(binary.LittleEndian.Uint64(b[24*i:]))
		length = int64(binary.LittleEndian.Uint64(b[24*i+8:]))
		return off, length, off >= 0 && length >= 0 && off <= int64(len(data)) && length <= int64(len(data))-off
	}
	if off, length, ok := section(sectionIndex); ok && length >= indexHeaderLen {
		index := data[off : off+length]
		count := min(int64(binary.LittleEndian.Uint32(index)), (length-indexHeaderLen)/indexEntryLen)
		for i := range count {
			e := index[indexHeaderLen+i*indexEntryLen+8:]
			at, n := int64(binary.LittleEndian.Uint32(e))*alignment, int64(binary.LittleEndian.Uint32(e[4:]))
			if n >= 8 && at <= int64(len(data)) && n <= int64(len(data))-at {
				binary.LittleEndian.PutUint64(data[at:], xxhash.Sum64(data[at+8:at+n])^salt(id, at))
			}
		}
	}
	for i := range sectionCount {
		if off, length, ok := section(i); ok {
			binary.LittleEndian.PutUint64(b[24*i+16:], xxhash.Sum64(data[off:off+length])^salt(id, off))
		}
	}
	binary.LittleEndian.PutUint64(b[footerChecksum:], xxhash.Sum64(b[:footerChecksum])^salt(id, 0))
}

// shape is a kind of table.
type shape struct {
	name    string
	block   int // size of a data block
	bits    int // of the filter
	entries twin
}

// sorted makes n entries of different internal keys and sorts them.
func sorted(n int, make func(i int) entry) (w twin) {
	for i := range n {
		w = append(w, make(i))
	}
	slices.SortFunc(w, func(a, b entry) int { return key.Compare(a.key, b.key) })
	return slices.CompactFunc(w, func(a, b entry) bool { return key.Compare(a.key, b.key) == 0 })
}

func set(user string, seq int, value string) entry {
	return entry{key.Internal{Stored: key.AppendStored(nil, 0, []byte(user)), Trailer: key.MakeTrailer(key.SeqNum(seq), key.KindSet)}, []byte(value)}
}

func del(user string, seq int) entry {
	return entry{key.Internal{Stored: key.AppendStored(nil, 0, []byte(user)), Trailer: key.MakeTrailer(key.SeqNum(seq), key.KindDelete)}, nil}
}

// shapes returns tables of every kind.
func shapes() []shape {
	rng := rand.New(rand.NewPCG(11, 11))
	letters := func(alphabet string, most int) string {
		b := make([]byte, rng.IntN(most+1))
		for i := range b {
			b[i] = alphabet[rng.IntN(len(alphabet))]
		}
		return string(b)
	}
	sized := func(n int) string { return strings.Repeat(string(rune('a'+rng.IntN(26))), n) }
	all := []shape{
		{"one key", 4096, 10, sorted(1, func(int) entry { return set("fig", 1, "ripe") })},
		{"one empty key without a value", 256, 10, sorted(1, func(int) entry { return set("", 1, "") })},
		{"one tombstone", 4096, 10, sorted(1, func(int) entry { return del("fig", 1) })},
		{"versions of one key over many blocks", 256, 10, sorted(300, func(i int) entry { return set("fig", i+1, fmt.Sprint("v", i)) })},
		{"versions of few keys over many blocks", 256, 10, sorted(600, func(i int) entry { return set(letters("ab", 2), i+1, fmt.Sprint("v", i)) })},
		{"heads that tie", 256, 10, sorted(400, func(i int) entry {
			return set(strings.Repeat("p", 30)+"\x00\x00\x00\x00"+letters("\x00q", 10), i+1, "v")
		})},
		{"heads that tie in groups", 300, 10, sorted(900, func(i int) entry { return set(fmt.Sprintf("%02d-a-long-common-part-%03d", i%7, i), i+1, "v") })},
		{"keys that share more than a block states", 4096, 10, sorted(300, func(i int) entry { return set(strings.Repeat("p", 300)+fmt.Sprint(i), i+1, "v") })},
		{"saturated and zero bytes", 256, 10, sorted(400, func(i int) entry { return set(letters("\x00\xff\xfe", 11), i+1, "v") })},
		{"keys of a few letters", 256, 10, sorted(500, func(i int) entry { return set(letters("abc", 6), i+1, letters("xyz", 20)) })},
		{"mixed kinds", 512, 10, sorted(400, func(i int) entry {
			if i%3 == 0 {
				return del(fmt.Sprintf("k%d", i%200), i+1)
			}
			return set(fmt.Sprintf("k%d", i%200), i+1, "v")
		})},
		{"values of up to 100 KiB", 4096, 10, sorted(40, func(i int) entry { return set(fmt.Sprintf("k%03d", i), i+1, sized(rng.IntN(1+rng.IntN(100<<10)))) })},
		{"offsets of four bytes", 1 << 20, 10, sorted(20, func(i int) entry { return set(fmt.Sprintf("k%03d", i), i+1, sized(10_000)) })},
		{"offsets around 64 KiB", 64 << 10, 10, sorted(3000, func(i int) entry { return set(fmt.Sprintf("k%05d", i), i+1, sized(rng.IntN(80))) })},
		{"blocks somewhat longer than 64 KiB", 100_000, 10, sorted(400, func(i int) entry { return set(fmt.Sprintf("k%03d", i), i+1, sized(900)) })},
		{"one value larger than offsets of two bytes", 4096, 10, sorted(2, func(i int) entry { return set(fmt.Sprint(i), i+1, sized(70_000)) })},
		{"sequence numbers that are all one", 4096, 10, sorted(200, func(i int) entry { return set(fmt.Sprint(i), 9, "v") })},
		{"sequence numbers of two bytes", 4096, 10, sorted(200, func(i int) entry { return set(fmt.Sprint(i), 1+i*65535/199, "v") })},
		{"sequence numbers of four bytes", 4096, 10, sorted(200, func(i int) entry { return set(fmt.Sprint(i), 1+i*(1<<24), "v") })},
		{"no filter", 512, 0, sorted(300, func(i int) entry { return set(fmt.Sprint(i), i+1, "v") })},
		{"longest keys", 4096, 10, sorted(6, func(i int) entry { return set(strings.Repeat("k", key.MaxUserLen-1)+string(rune('a'+i)), i+1, "v") })},
		{"many keyspaces", 256, 10, sorted(300, func(i int) entry {
			return entry{key.Internal{Stored: key.AppendStored(nil, key.Space(i*i*i), []byte("k")), Trailer: key.MakeTrailer(key.SeqNum(i+1), key.KindSet)}, []byte("v")}
		})},
	}
	wide := shape{"sequence numbers of eight bytes", 4096, 10, nil}
	for i := range 200 {
		k := key.Internal{Stored: fmt.Appendf([]byte{0}, "%03d", i), Trailer: key.MakeTrailer(1+key.SeqNum(i)<<47, key.KindSet)}
		wide.entries = append(wide.entries, entry{k, []byte("v")})
	}
	all = append(all, wide)
	for _, size := range []int{1, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10} {
		all = append(all, shape{
			fmt.Sprintf("blocks of %d bytes", size), size, 10,
			sorted(1500, func(i int) entry { return set(fmt.Sprintf("user%06d", i*7), i+1, letters("xyz", 60)) }),
		})
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\ngot  %v\nwant %v", got, want)
	}
}

// field is a named part of a golden file.
type field struct {
	width int
	name  string
}

// golden compares bytes, field by field, with the hex in a file of testdata.
func golden(t *testing.T, name string, data []byte, fields []field) {
	t.Helper()
	var b strings.Builder
	off := 0
	for _, f := range fields {
		for row := range slices.Chunk(data[off:off+f.width], 16) {
			fmt.Fprintf(&b, "%s\n", strings.TrimRight(fmt.Sprintf("%6d  %-47s  %s", off, fmt.Sprintf("% x", row), f.name), " "))
			off += len(row)
			f.name = ""
		}
	}
	if off != len(data) {
		t.Errorf("%d bytes behind the last field", len(data)-off)
	}
	path := filepath.Join("testdata", name)
	if *update {
		must(t, os.WriteFile(path, []byte(b.String()), 0o666))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if b.String() != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("%s: got\n%swant\n%s", path, b.String(), want)
	}
}

var errDisk = errors.New("disk fails")

// failing is a destination whose nth write fails.
type failing struct {
	nth int
	io.Writer
}

func (f *failing) Write(p []byte) (int, error) {
	if f.nth--; f.nth < 0 {
		return 0, errDisk
	}
	return len(p), nil
}

// blockChecksum is what a block at an offset begins with.
func blockChecksum(b []byte, id uint64, off int64) uint64 {
	return xxhash.Sum64(b[8:]) ^ salt(id, off)
}
