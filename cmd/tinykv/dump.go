package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
	"github.com/tinykv/tinykv/vfs"
)

type dumpCommands struct {
	Sst      dumpTable    `cmd:"" help:"A table: properties, data blocks, range deletions, entries."`
	Wal      dumpLog      `cmd:"" help:"A log segment: records and their operations."`
	Manifest dumpManifest `cmd:"" help:"A manifest: edits."`
}

// fileArgument is a file, or a directory that stands for all files of a kind in it.
type fileArgument struct {
	File string `arg:"" optional:"" help:"The file, or a store for all such files in it. Default: the store of --db."`
}

// dump calls fn for each file. Damage to one does not keep the others from being shown.
func (a fileArgument) dump(e *environment, kind manifest.FileKind, fn func(path string) error) error {
	top := a.File
	if top == "" {
		top = e.db
	}
	if top == "" {
		return usageError{"name a file, or a store by --db DIR"}
	}
	info, err := os.Stat(top)
	if err != nil {
		return err
	}
	paths := []string{top}
	if info.IsDir() {
		if paths, err = filesOf(top, kind); err != nil {
			return err
		}
		if len(paths) == 0 {
			return e.none(top, kind)
		}
	}
	var first error
	for n, path := range paths {
		if n > 0 {
			e.printf("\n")
		}
		err := fn(path)
		if errors.Is(err, corrupt.ErrCorrupt) {
			var quiet quietError
			if !errors.As(err, &quiet) {
				e.damage(err)
			}
			first, err = quietError{err}, nil
		}
		if err != nil {
			return err
		}
	}
	return first
}

// none tells that a store has no file of a kind, if it is one.
func (e *environment) none(dir string, kind manifest.FileKind) error {
	manifests, err := filesOf(dir, manifest.FileManifest)
	if err == nil && len(manifests) == 0 {
		err = fmt.Errorf("there is no store in %s", dir)
	}
	switch {
	case err != nil:
		return err
	case kind == manifest.FileLog:
		e.printf("the log is empty, as an orderly close leaves it\n")
	default:
		e.printf("there are no tables\n")
	}
	return nil
}

// damage tells of damage where it stands among the rest, which went out before.
func (e *environment) damage(err error) {
	_ = e.out.Flush() // fails again at the end
	e.say("tinykv: %v", err)
}

// filesOf returns the paths of the files of a kind in a directory.
func filesOf(dir string, kind manifest.FileKind) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if k, _ := manifest.ParseName(entry.Name()); k == kind {
			paths = append(paths, filepath.Join(dir, entry.Name()))
		}
	}
	return paths, err
}

type dumpTable struct {
	fileArgument
	hexFlag
	Entries bool `short:"e" help:"Show every entry."`
	Blocks  bool `short:"b" help:"Show every data block."`
}

// Run shows tables, and verifies them on the way.
func (c *dumpTable) Run(e *environment) error {
	return c.dump(e, manifest.FileTable, func(path string) error { return c.table(e, path) })
}

func (c *dumpTable) table(e *environment, path string) (err error) {
	file, err := vfs.OS().Map(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	e.printf("%s: %s\n", path, sizeText(file.Len()))
	id, err := sstable.ReadID(file)
	if err != nil {
		return corrupt.Locate(err, path, 0)
	}
	e.printf("table %016x\n", id)
	var damaged error
	o := sstable.VerifyOptions{
		Name: path, ID: id,
		Damage: func(err error) {
			e.damage(err)
			damaged = quietError{err}
		},
		Stated: func(p sstable.Properties) { c.properties(e, &p) },
	}
	if c.Blocks || c.Entries {
		o.Block = func(b sstable.BlockInfo) { c.block(e, &b) }
	}
	if c.Entries {
		o.Entry = func(kv *iterator.KV) {
			e.operation(c.hexFlag, key.Internal{Stored: kv.Stored, Trailer: kv.Trailer}, kv.Value)
		}
	}
	contents, err := sstable.Verify(e.ctx, file, o)
	for i := range contents.Ranges {
		s := &contents.Ranges[i]
		e.printf("range deleted: %s up to %s, at %d\n", c.stored(s.Lower), c.stored(s.Upper), s.Seqs)
	}
	return errors.Join(err, damaged)
}

func (c *dumpTable) properties(e *environment, p *sstable.Properties) {
	e.printf("%s: %d tombstones, %d overwritten; sequence numbers %d to %d\n", entriesText(p.Entries), p.Deletes, p.Shadowed, p.SmallestSeq, p.LargestSeq)
	e.printf("%s of keys, %s of values; filter of %d bits a key\n", sizeText(int64(p.KeyBytes)), sizeText(int64(p.ValueBytes)), p.BitsPerKey)
	e.printf("%s, %d compressed; %s\n", countText(p.DataBlocks, "data block"), p.Compressed, countText(p.RangeDeletes, "range deletion"))
	if p.Expiring > 0 {
		e.printf("%s that expire, from %s to %s\n", countText(p.Expiring, "value"), timeText(p.LeastExpiry), timeText(p.GreatestExpiry))
	}
	if p.Entries > 0 {
		e.printf("first: %s\nlast:  %s\n", c.internal(p.Smallest), c.internal(p.Largest))
	}
}

func (c *dumpTable) block(e *environment, b *sstable.BlockInfo) {
	packed := [...]string{"", ", S2", ", zstd"}[b.Compression]
	e.printf("block at %d: %d bytes%s, %s, up to %s\n", b.Offset, b.Length, packed, entriesText(uint64(b.Entries)), c.stored(b.Separator.Stored))
}

// stored writes a stored key, or a bound between stored keys, as its user key.
func (f hexFlag) stored(b []byte) string {
	if string(b) == string(key.SpaceEnd(0)) {
		return "(end)"
	}
	return f.key(b)
}

// key writes a stored key as its user key, behind its keyspace unless that is 0.
func (f hexFlag) key(b []byte) string {
	switch space, user, ok := key.SplitStored(b); {
	case ok && space == 0:
		return f.text(user)
	case ok:
		return fmt.Sprintf("%d/%s", space, f.text(user))
	default:
		return "(stored key) " + hex.EncodeToString(b)
	}
}

// internal writes an internal key in the notation of package key.
func (f hexFlag) internal(k key.Internal) string {
	return fmt.Sprintf("%s#%d,%v", f.key(k.Stored), k.Trailer.Seq(), k.Trailer.Kind())
}

// operation writes what an entry or an operation of a batch does.
func (e *environment) operation(f hexFlag, k key.Internal, value []byte) {
	e.printf("  %s", f.internal(k))
	switch k.Trailer.Kind() {
	case key.KindSet:
		e.printf(" = %s", f.text(value))
	case key.KindMerge:
		reach, operand, _ := key.SplitOperand(value)
		if reach > 0 {
			e.printf(" of #%d to #%d", k.Trailer.Seq()-reach, k.Trailer.Seq())
		}
		e.printf(" + %s", f.text(operand))
	case key.KindSetExpiring:
		expiry, value, _ := key.SplitExpiring(value)
		e.printf(" = %s until %s", f.text(value), timeText(expiry))
	case key.KindRangeDelete:
		e.printf(" up to %s", f.stored(value))
	}
	e.printf("\n")
}

// timeText writes a time that is given in Unix nanoseconds.
func timeText(nanos int64) string { return time.Unix(0, nanos).UTC().Format(time.RFC3339Nano) }
