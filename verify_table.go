package tinykv

import (
	"errors"
	"fmt"

	"github.com/tinykv/tinykv/compaction"
	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
	"github.com/tinykv/tinykv/vfs"
)

// tables verifies the tables of a version.
func (v *verification) tables(version *manifest.Version) {
	for _, tables := range version.Levels {
		for _, t := range tables {
			if v.ctx.Err() != nil {
				return
			}
			done := v.at.Done
			v.table(t)
			v.progress(t.Size - (v.at.Done - done)) // what could not be read
		}
	}
}

// table verifies a table and compares it with its description.
func (v *verification) table(meta *manifest.Table) {
	path := v.path(manifest.FileTable, meta.Num)
	v.begin("tables", path)
	v.report.Tables++
	file, err := openUnmapped(v.opts.FS, path)
	if errors.Is(err, errNotExist) {
		err = corrupt.Errorf("store", "table is missing").At(0).In(path)
	}
	if err != nil {
		v.problem(err)
		return
	}
	defer file.Close()
	if file.size != meta.Size {
		v.problem(corrupt.Errorf("table", "file has %d bytes, want %d", file.size, meta.Size).At(min(file.size, meta.Size)).In(path))
		return
	}
	c := v.contents(path, meta.ID, file)
	if !c.Whole || v.ctx.Err() != nil {
		return
	}
	for _, d := range differences(meta, &c) {
		v.problem(corrupt.Errorf("table", "%s", d).At(0).In(path))
	}
}

// contents verifies a table by itself.
func (v *verification) contents(path string, id uint64, file vfs.Mapping) sstable.Contents {
	c, _ := sstable.Verify(v.ctx, file, sstable.VerifyOptions{Name: path, ID: id, Damage: v.problem, Progress: v.progress})
	v.report.Blocks += c.Counted.DataBlocks
	v.report.Entries += c.Counted.Entries
	v.report.RangeDeletes += uint64(len(c.Ranges))
	return c
}

// differences tells where the manifest's description of a table is not what the table holds.
func differences(meta *manifest.Table, c *sstable.Contents) (all []string) {
	p := &c.Counted
	add := func(what string, stated, counted any) {
		all = append(all, fmt.Sprintf("%s %v, but the manifest says %v", what, counted, stated))
	}
	for _, n := range []struct {
		what            string
		stated, counted uint64
	}{
		{"entries:", meta.Entries, p.Entries},
		{"tombstones:", meta.Deletes, p.Deletes},
		{"shadowed entries:", meta.Shadowed, p.Shadowed},
		{"bytes of keys and values:", meta.DataBytes, p.KeyBytes + p.ValueBytes},
		{"spans of range deletions:", meta.RangeDeletes, p.RangeDeletes},
		{"values that expire:", meta.Expiring, p.Expiring},
		{"least expiry:", uint64(meta.LeastExpiry), uint64(p.LeastExpiry)},
		{"greatest expiry:", uint64(meta.GreatestExpiry), uint64(p.GreatestExpiry)},
		{"least sequence number:", uint64(meta.SmallestSeq), uint64(p.SmallestSeq + meta.SeqBase)},
		{"greatest sequence number:", uint64(meta.LargestSeq), uint64(p.LargestSeq + meta.SeqBase)},
	} {
		if n.stated != n.counted {
			add(n.what, n.stated, n.counted)
		}
	}
	smallest, largest := compaction.TableBounds(p, c.Ranges)
	shift := key.MakeTrailer(meta.SeqBase, 0)
	smallest.Trailer += shift
	if largest.Trailer != key.MaxTrailer {
		largest.Trailer += shift
	}
	if key.Compare(smallest, meta.Smallest) != 0 {
		add("begins at", meta.Smallest, smallest)
	}
	if key.Compare(largest, meta.Largest) != 0 {
		add("ends at", meta.Largest, largest)
	}
	return all
}

// strayTables verifies the tables of a directory that no manifest tells about.
func (v *verification) strayTables(l *listing) {
	for _, num := range l.tables {
		v.at.Total += v.size(v.path(manifest.FileTable, num))
	}
	for _, num := range l.tables {
		if v.ctx.Err() != nil {
			return
		}
		path := v.path(manifest.FileTable, num)
		v.begin("tables", path)
		v.report.Tables++
		file, err := openUnmapped(v.opts.FS, path)
		if err != nil {
			v.problem(err)
			continue
		}
		id, err := sstable.ReadID(file)
		if err != nil {
			v.problem(corrupt.Locate(err, path, 0))
		} else {
			v.contents(path, id, file)
		}
		_ = file.Close() // was only read
	}
}
