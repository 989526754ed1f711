package manifest

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/wal"
)

// Edit is a step from one state of a store to the next: a record of the manifest. The first record
// of a manifest is an edit of the empty state.
//
//	edit   any number of fields: tag (uvarint) | length (uvarint) | contents
//
//	tag 1  next file number    uvarint
//	tag 2  last sequence       uvarint; every operation up to it is in a table
//	tag 3  log                 first segment (uvarint) | 1 if it exists for certain, 0 if not
//	tag 4  deleted table       level | number
//	tag 5  added table         level | number | id | size | smallest | largest | smallest sequence |
//	                           largest sequence | sequence base | entries | deletes | shadowed | data bytes |
//	                           compression
//	tag 6  added table         as tag 5, then: spans of range tombstones, at least 1
//	tag 7  added table         as tag 5, then: spans of range tombstones | values that expire, at least 1 | least
//	                           expiry | greatest expiry
//	tag 8  expiry marks        reading of the clock | times (sequence, reading); see ExpiryState
//	tag 9  merge operator      name, 1 to 255 bytes
//	tag 10 added keyspace      id (uvarint), above all before | name, 1 to 255 bytes, unlike that of any other
//	tag 11 dropped keyspace    id (uvarint), of one that is there; or above all before, which says that it was
//	                           given and dropped already
//
// Numbers in tags 4 to 8 are uvarints; smallest and largest are trailer (uvarint), length
// (uvarint) and stored key. Where the trailer of largest is 2^64 - 1, a byte string stands for the
// stored key: a range tombstone ends there, and nothing in the table reaches it. A tag that is not known makes the manifest unreadable: a newer version
// wrote it.
type Edit struct {
	NextFile FileNum    // 0: as before
	LastSeq  key.SeqNum // 0: as before
	Log      *LogState  // nil: as before
	Deleted  []DeletedTable
	Added    []AddedTable

	NewSpaces     []NamedSpace // ids ascend
	DroppedSpaces []key.Space
	MergeOperator string // empty: as before

	Expiry *ExpiryState // nil: as before
}

// LogState says where the write-ahead log begins that holds what no table holds.
type LogState struct {
	First  wal.SegmentNum
	Exists bool // segment First is known to be on stable storage
}

// DeletedTable is a table that leaves a level.
type DeletedTable struct {
	Level Level
	Num   FileNum
}

// AddedTable is a table that enters a level.
type AddedTable struct {
	Level Level
	Table *Table
}

// The tags. They are stored in files and never change.
const (
	tagNextFile     = 1
	tagLastSeq      = 2
	tagLog          = 3
	tagDeletedTable = 4
	tagAddedTable   = 5
	tagAddedRanges  = 6
	tagAddedExpires = 7
	tagExpiry       = 8
	tagOperator     = 9
	tagAddedSpace   = 10
	tagDroppedSpace = 11
)

// maxOperatorName bounds the name of a merge operator.
const maxOperatorName = 255

// Encode returns the edit as a record.
func (e *Edit) Encode() []byte {
	var out []byte
	if e.NextFile != 0 {
		out = appendField(out, tagNextFile, binary.AppendUvarint(nil, uint64(e.NextFile)))
	}
	if e.LastSeq != 0 {
		out = appendField(out, tagLastSeq, binary.AppendUvarint(nil, uint64(e.LastSeq)))
	}
	if e.Log != nil {
		b := binary.AppendUvarint(nil, uint64(e.Log.First))
		if e.Log.Exists {
			out = appendField(out, tagLog, append(b, 1))
		} else {
			out = appendField(out, tagLog, append(b, 0))
		}
	}
	if e.MergeOperator != "" {
		out = appendField(out, tagOperator, []byte(e.MergeOperator))
	}
	for _, d := range e.Deleted {
		b := binary.AppendUvarint(nil, uint64(d.Level))
		out = appendField(out, tagDeletedTable, binary.AppendUvarint(b, uint64(d.Num)))
	}
	for _, a := range e.Added {
		switch n := a.Table.RangeDeletes; {
		case a.Table.Expiring > 0:
			out = appendField(out, tagAddedExpires, appendExpiring(binary.AppendUvarint(encodeTable(a), n), a.Table))
		case n > 0:
			out = appendField(out, tagAddedRanges, binary.AppendUvarint(encodeTable(a), n))
		default:
			out = appendField(out, tagAddedTable, encodeTable(a))
		}
	}
	for _, n := range e.NewSpaces {
		b := binary.AppendUvarint(nil, uint64(n.ID))
		out = appendField(out, tagAddedSpace, append(b, n.Name...))
	}
	for _, id := range e.DroppedSpaces {
		out = appendField(out, tagDroppedSpace, binary.AppendUvarint(nil, uint64(id)))
	}
	if e.Expiry != nil {
		out = appendField(out, tagExpiry, e.Expiry.encode())
	}
	return out
}

func appendField(dst []byte, tag uint64, contents []byte) []byte {
	dst = binary.AppendUvarint(dst, tag)
	dst = binary.AppendUvarint(dst, uint64(len(contents)))
	return append(dst, contents...)
}

func encodeTable(a AddedTable) []byte {
	t := a.Table
	b := binary.AppendUvarint(nil, uint64(a.Level))
	for _, v := range []uint64{uint64(t.Num), t.ID, uint64(t.Size)} {
		b = binary.AppendUvarint(b, v)
	}
	for _, k := range []key.Internal{t.Smallest, t.Largest} {
		b = binary.AppendUvarint(b, uint64(k.Trailer))
		b = binary.AppendUvarint(b, uint64(len(k.Stored)))
		b = append(b, k.Stored...)
	}
	for _, v := range []uint64{
		uint64(t.SmallestSeq), uint64(t.LargestSeq), uint64(t.SeqBase),
		t.Entries, t.Deletes, t.Shadowed, t.DataBytes, uint64(t.Compression),
	} {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// DecodeEdit reads a record. It shares no memory with it.
func DecodeEdit(record []byte) (*Edit, error) {
	e := &Edit{}
	d := decoder{rest: record}
	for len(d.rest) > 0 {
		tag := d.uvarint()
		field := decoder{rest: d.bytes(d.uvarint())}
		if d.failed {
			break
		}
		switch tag {
		case tagNextFile:
			e.NextFile = FileNum(field.uvarint())
			field.failed = field.failed || e.NextFile > MaxFileNum
		case tagLastSeq:
			e.LastSeq = field.seq()
		case tagLog:
			e.Log = &LogState{First: wal.SegmentNum(field.uvarint()), Exists: field.flag()}
			field.failed = field.failed || e.Log.First > wal.MaxSegmentNum
		case tagDeletedTable:
			e.Deleted = append(e.Deleted, DeletedTable{Level: field.level(), Num: FileNum(field.uvarint())})
		case tagAddedTable:
			e.Added = append(e.Added, field.table())
		case tagAddedRanges:
			e.Added = append(e.Added, field.tableWithRanges())
		case tagAddedExpires:
			e.Added = append(e.Added, field.tableThatExpires())
		case tagExpiry:
			e.Expiry = field.expiryState()
		case tagAddedSpace:
			e.NewSpaces = append(e.NewSpaces, field.namedSpace())
		case tagDroppedSpace:
			e.DroppedSpaces = append(e.DroppedSpaces, field.space())
		case tagOperator:
			e.MergeOperator = string(field.rest)
			field.failed = len(field.rest) == 0 || len(field.rest) > maxOperatorName
			field.rest = nil
		default:
			return nil, fmt.Errorf("version edit has tag %d: %w", tag, corrupt.ErrTooNew)
		}
		if field.failed || len(field.rest) > 0 {
			return nil, corrupt.Errorf("version edit", "field with tag %d is malformed", tag)
		}
	}
	if d.failed {
		return nil, corrupt.Errorf("version edit", "record is cut short")
	}
	return e, nil
}

// decoder takes values off a record; after a failure it returns zeros.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.failed, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.failed, d.rest = true, nil
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) flag() bool {
	b := d.bytes(1)
	if d.failed || b[0] > 1 {
		d.failed = true
		return false
	}
	return b[0] == 1
}

func (d *decoder) seq() key.SeqNum {
	v := d.uvarint()
	if v >= uint64(key.MaxSeqNum) {
		d.failed = true
		return 0
	}
	return key.SeqNum(v)
}

func (d *decoder) level() Level {
	v := d.uvarint()
	if v >= NumLevels {
		d.failed = true
		return 0
	}
	return Level(v)
}

func (d *decoder) internal() key.Internal {
	trailer := key.Trailer(d.uvarint())
	stored := append([]byte(nil), d.bytes(d.uvarint())...)
	if _, _, ok := key.SplitStored(stored); !ok && trailer != key.MaxTrailer {
		d.failed = true
	}
	return key.Internal{Stored: stored, Trailer: trailer}
}

func (d *decoder) table() AddedTable {
	a := AddedTable{Level: d.level(), Table: &Table{}}
	t := a.Table
	t.Num, t.ID, t.Size = FileNum(d.uvarint()), d.uvarint(), int64(d.uvarint())
	t.Smallest, t.Largest = d.internal(), d.internal()
	t.SmallestSeq, t.LargestSeq, t.SeqBase = d.seq(), d.seq(), d.seq()
	t.Entries, t.Deletes, t.Shadowed, t.DataBytes = d.uvarint(), d.uvarint(), d.uvarint(), d.uvarint()
	compression := d.uvarint()
	t.Compression = uint8(compression)
	d.failed = d.failed || t.Size < 0 || compression > math.MaxUint8
	return a
}

func (d *decoder) tableWithRanges() AddedTable {
	a := d.table()
	a.Table.RangeDeletes = d.uvarint()
	d.failed = d.failed || a.Table.RangeDeletes == 0
	return a
}

func (d *decoder) space() key.Space {
	v := d.uvarint()
	if v == 0 || v > uint64(key.MaxSpace) {
		d.failed = true
		return 0
	}
	return key.Space(v)
}

func (d *decoder) namedSpace() NamedSpace {
	id := d.space()
	name := d.bytes(uint64(len(d.rest)))
	d.failed = d.failed || len(name) == 0 || len(name) > MaxSpaceName
	return NamedSpace{ID: id, Name: string(name)}
}
