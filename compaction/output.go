package compaction

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
	"github.com/tinykv/tinykv/vfs"
)

// Files makes the files that outputs go to.
type Files interface {
	// Create makes a new table file and says its number, its random id and its path.
	Create() (num manifest.FileNum, id uint64, path string, file vfs.File, err error)

	// Remove deletes a file that Create made and that nothing refers to.
	Remove(path string) error
}

// TableOptions say how to make output tables.
type TableOptions struct {
	BlockSize  int // bytes
	BitsPerKey int // of the filter; not positive for none

	// Compression of data blocks, where it pays.
	Compression sstable.Compression

	// Later runs a function at the same time as its caller goes on, and returns one that waits for
	// its result. Tables are synced that way while the next one is written. Nil: at once.
	Later func(work func() error) (wait func() error)
}

// maxUnsynced bounds how many tables of one Outputs are written and not yet synced.
const maxUnsynced = 4

// Outputs makes tables out of entries that come in order: a flush or a compaction writes through it.
// Either Finish or Abort must be called at the end. It is for one goroutine.
type Outputs struct {
	files Files
	opts  TableOptions

	ranges rangedel.List
	lower  []byte // the table in the making begins here; nil for the first

	current  *output
	done     []*output
	unsynced []func() error // wait for the syncs of the last ones, oldest first
}

// output is a table being made, or made.
type output struct {
	table  *manifest.Table
	path   string
	file   vfs.File // nil once closed
	writer *sstable.Writer
}

// NewOutputs returns Outputs without a table yet.
func NewOutputs(files Files, opts TableOptions) *Outputs { return &Outputs{files: files, opts: opts} }

// Add appends an entry to the table in the making, beginning one if there is none.
func (o *Outputs) Add(stored []byte, trailer key.Trailer, value []byte) error {
	if o.current == nil {
		if err := o.begin(); err != nil {
			return err
		}
	}
	return o.current.writer.Add(stored, trailer, value)
}

// DeleteRanges adds range tombstones. Each table gets those between where it is cut off the one
// before and where the next is cut off it. It is called before the first cut.
func (o *Outputs) DeleteRanges(l rangedel.List) { o.ranges = l }

func (o *Outputs) begin() error {
	num, id, path, file, err := o.files.Create()
	if err != nil {
		return fmt.Errorf("new table: %w", err)
	}
	o.current = &output{
		table: &manifest.Table{Num: num, ID: id, Compression: uint8(o.opts.Compression)},
		path:  path,
		file:  file,
		writer: sstable.NewWriter(file, sstable.WriterOptions{
			ID: id, BlockSize: o.opts.BlockSize, BitsPerKey: o.opts.BitsPerKey, Compression: o.opts.Compression,
		}),
	}
	return nil
}

// Size returns about how long the table in the making is in bytes; 0 when there is none.
func (o *Outputs) Size() int64 {
	if o.current == nil {
		return 0
	}
	return o.current.writer.SizeEstimate()
}

// Cut ends the table in the making, if there is one, before a stored key, and has it synced. Nil ends the
// last one.
func (o *Outputs) Cut(before []byte) error {
	ranges := o.ranges.Truncate(o.lower, before)
	o.lower = bytes.Clone(before)
	if o.current == nil && len(ranges) > 0 {
		if err := o.begin(); err != nil {
			return err
		}
	}
	if o.current == nil {
		return nil
	}
	c := o.current
	if len(ranges) > 0 {
		c.writer.DeleteRanges(ranges)
	}
	props, size, err := c.writer.Finish()
	if err != nil {
		return fmt.Errorf("write table %s: %w", c.path, err)
	}
	if len(o.unsynced) == maxUnsynced {
		if err := o.awaitSync(); err != nil {
			return err
		}
	}
	file := c.file
	c.file, c.writer = nil, nil
	o.current, o.done = nil, append(o.done, c)
	if err := o.syncLater(c.path, file); err != nil {
		return err
	}
	c.table.Size = size
	c.table.Smallest, c.table.Largest = TableBounds(&props, ranges)
	c.table.SmallestSeq, c.table.LargestSeq = props.SmallestSeq, props.LargestSeq
	c.table.Entries, c.table.Deletes, c.table.Shadowed = props.Entries, props.Deletes, props.Shadowed
	c.table.DataBytes, c.table.RangeDeletes = props.KeyBytes+props.ValueBytes, props.RangeDeletes
	c.table.Expiring, c.table.LeastExpiry, c.table.GreatestExpiry = props.Expiring, props.LeastExpiry, props.GreatestExpiry
	return nil
}

// TableBounds returns the bounds of a table's entries and range tombstones together.
func TableBounds(props *sstable.Properties, ranges rangedel.List) (smallest, largest key.Internal) {
	smallest, largest = props.Smallest, props.Largest
	if len(ranges) == 0 {
		return smallest, largest
	}
	first, last := &ranges[0], &ranges[len(ranges)-1]
	begin := key.Internal{Stored: first.Lower, Trailer: key.MakeTrailer(first.Seqs[0], key.KindRangeDelete)}
	end := key.Internal{Stored: last.Upper, Trailer: key.MaxTrailer}
	if props.Entries == 0 || key.Compare(begin, smallest) < 0 {
		smallest = begin.Clone()
	}
	if props.Entries == 0 || key.Compare(end, largest) > 0 {
		largest = end.Clone()
	}
	return smallest, largest
}

// syncLater has a finished file synced and closed.
func (o *Outputs) syncLater(path string, file vfs.File) error {
	work := func() error {
		err := errors.Join(file.Sync(), file.Close())
		if err != nil {
			return fmt.Errorf("sync table %s: %w", path, err)
		}
		return nil
	}
	if o.opts.Later == nil {
		return work()
	}
	o.unsynced = append(o.unsynced, o.opts.Later(work))
	return nil
}

// awaitSync waits for the oldest sync under way.
func (o *Outputs) awaitSync() error {
	wait := o.unsynced[0]
	o.unsynced = o.unsynced[1:]
	return wait()
}

// Finish ends the last table and returns all of them. Their contents are durable, their names are
// not until the directory is synced.
func (o *Outputs) Finish() ([]*manifest.Table, error) {
	if err := o.Cut(nil); err != nil {
		return nil, err
	}
	for len(o.unsynced) > 0 {
		if err := o.awaitSync(); err != nil {
			return nil, err
		}
	}
	tables := make([]*manifest.Table, len(o.done))
	for i, d := range o.done {
		tables[i] = d.table
	}
	return tables, nil
}

// Abort removes everything that was made. It may follow a Finish whose tables are not wanted.
func (o *Outputs) Abort() error {
	var err error
	for len(o.unsynced) > 0 {
		_ = o.awaitSync() // what it says of a file that goes is no matter
	}
	if o.current != nil {
		o.done, o.current = append(o.done, o.current), nil
	}
	for _, d := range o.done {
		if d.file != nil {
			err = errors.Join(err, d.file.Close())
		}
		err = errors.Join(err, o.files.Remove(d.path))
	}
	o.done = nil
	return err
}
