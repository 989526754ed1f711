package manifest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand"
	"reflect"
	"testing"
	"testing/quick"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/wal"
)

// full is an edit with every field.
func full(t *testing.T) *Edit {
	e := edit(t, "-L0:3 -L1:4 +L1:7[fig#12,SET-kiwi#13,DEL] +L6:8[#1,SET-\xff#9,SET] +L5:9[#1,SET-\xff#9,SET]")
	e.NextFile, e.LastSeq, e.Log = 300, 1<<40, &LogState{First: 5, Exists: true}
	e.Added[0].Table.SeqBase = 1000
	e.Added[1].Table.Compression = 2
	e.Added[2].Table.Expiring, e.Added[2].Table.LeastExpiry, e.Added[2].Table.GreatestExpiry = 4, 500, 900
	e.NewSpaces = []NamedSpace{{ID: 1, Name: "fruit"}, {ID: 300, Name: "\xff"}}
	e.DroppedSpaces = []key.Space{2}
	e.Expiry = &ExpiryState{Reading: 1000, Marks: []ExpiryMark{{Until: 3000, Seq: 7}, {Until: 2000, Seq: 300}}}
	return e
}

func (Edit) Generate(r *rand.Rand, size int) reflect.Value {
	number := func() uint64 { return r.Uint64() >> r.Intn(64) }
	seq := func() key.SeqNum { return key.SeqNum(number() % uint64(key.MaxSeqNum)) }
	internal := func() key.Internal {
		user := make([]byte, r.Intn(20))
		r.Read(user)
		return key.Internal{Stored: key.AppendStored(nil, key.Space(r.Intn(1000)), user), Trailer: key.Trailer(number())}
	}
	e := Edit{NextFile: FileNum(number()) % MaxFileNum, LastSeq: seq()}
	if r.Intn(2) == 0 {
		e.NextFile, e.LastSeq = 0, 0
	}
	if r.Intn(2) == 0 {
		e.Log = &LogState{First: wal.SegmentNum(number()) & wal.MaxSegmentNum, Exists: r.Intn(2) == 0}
	}
	for range r.Intn(4) {
		e.Deleted = append(e.Deleted, DeletedTable{Level(r.Intn(NumLevels)), FileNum(number())})
	}
	for range r.Intn(4) {
		e.Added = append(e.Added, AddedTable{Level(r.Intn(NumLevels)), &Table{
			Num: FileNum(number()), ID: number(), Size: int64(number() >> 1), Smallest: internal(), Largest: internal(),
			SmallestSeq: seq(), LargestSeq: seq(), SeqBase: seq(),
			Entries: number(), Deletes: number(), Shadowed: number(), DataBytes: number(), Compression: uint8(number()),
		}})
	}
	for _, a := range e.Added {
		if t := a.Table; r.Intn(2) == 0 {
			t.RangeDeletes = number()
			t.Expiring, t.LeastExpiry, t.GreatestExpiry = 1|number(), 1+int64(number()>>3), 1<<62
		}
	}
	if r.Intn(2) == 0 {
		e.Expiry = &ExpiryState{Reading: 1 + int64(number()>>2)}
		for i := range r.Intn(4) {
			e.Expiry.Marks = append(e.Expiry.Marks, ExpiryMark{Until: 1 << (50 - i), Seq: key.SeqNum(i)})
		}
	}
	for range r.Intn(3) {
		name := make([]byte, 1+r.Intn(MaxSpaceName))
		r.Read(name)
		e.NewSpaces = append(e.NewSpaces, NamedSpace{1 + key.Space(r.Intn(int(key.MaxSpace))), string(name)})
		e.DroppedSpaces = append(e.DroppedSpaces, 1+key.Space(r.Intn(int(key.MaxSpace))))
	}
	return reflect.ValueOf(e)
}

func TestEdit_RoundTrip(t *testing.T) {
	property := func(e Edit) bool {
		got, err := DecodeEdit(e.Encode())
		return err == nil && reflect.DeepEqual(*got, e)
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 3000, Rand: rand.New(rand.NewSource(1))}); err != nil {
		t.Error(err)
	}
}

func TestEdit_HasTheseBytes(t *testing.T) {
	var b bytes.Buffer
	record := full(t).Encode()
	for len(record) > 0 {
		_, n := binary.Uvarint(record)
		length, m := binary.Uvarint(record[n:])
		end := n + m + int(length)
		fmt.Fprintf(&b, "% x  % x  % x\n", record[:n], record[n:n+m], record[n+m:end])
		record = record[end:]
	}
	golden(t, "edit.txt", "tag length contents\n"+b.String())
}

func TestEdit_ThatChangesNothingIsEmpty(t *testing.T) {
	if record := (&Edit{}).Encode(); len(record) != 0 {
		t.Errorf("% x", record)
	}
	if e, err := DecodeEdit(nil); err != nil || !reflect.DeepEqual(*e, Edit{}) {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestDecodeEdit_SharesNoMemoryWithTheRecord(t *testing.T) {
	record := full(t).Encode()
	e, err := DecodeEdit(record)
	must(t, err)
	before := e.Added[0].Table.Smallest.String()
	clear(record)
	same(t, e.Added[0].Table.Smallest, before)
}

func TestDecodeEdit_UnknownTagIsTooNewAndNotCorrupt(t *testing.T) {
	for _, tag := range []uint64{0, 12, 127, 128, 1<<64 - 1} {
		_, err := DecodeEdit(appendField(full(t).Encode(), tag, []byte("something")))
		if !errors.Is(err, corrupt.ErrTooNew) || errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("tag %d: %v", tag, err)
		}
	}
}

func TestDecodeEdit_EveryTruncationIsRefusedUnlessItEndsAField(t *testing.T) {
	record := full(t).Encode()
	ends := map[int]bool{0: true}
	for off := 0; off < len(record); {
		_, n := binary.Uvarint(record[off:])
		length, m := binary.Uvarint(record[off+n:])
		off += n + m + int(length)
		ends[off] = true
	}
	for n := range record {
		if _, err := DecodeEdit(record[:n]); (err == nil) != ends[n] || err != nil && !errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestDecodeEdit_EveryChangedByteIsRefusedOrAnotherEdit(t *testing.T) {
	record := full(t).Encode()
	for i := range record {
		for v := range 256 {
			changed := bytes.Clone(record)
			changed[i] = byte(v)
			e, err := DecodeEdit(changed)
			if err != nil {
				if !errors.Is(err, corrupt.ErrCorrupt) && !errors.Is(err, corrupt.ErrTooNew) {
					t.Fatalf("byte %d set to %#x: %v", i, v, err)
				}
				continue
			}
			again, err := DecodeEdit(e.Encode())
			if err != nil || !reflect.DeepEqual(again, e) {
				t.Fatalf("byte %d set to %#x: read as %+v, which does not round trip: %v", i, v, e, err)
			}
		}
	}
}

func TestDecodeEdit_RefusesMalformedFields(t *testing.T) {
	long := binary.AppendUvarint(nil, 1<<63)
	table := func(change func(a *Table)) []byte {
		a := AddedTable{1, table(t, "7[fig#12,SET-kiwi#13,DEL]")}
		change(a.Table)
		return encodeTable(a)
	}
	for name, c := range map[string]struct {
		tag      uint64
		contents []byte
	}{
		"a number without an end":              {tagNextFile, []byte{0x80}},
		"a number of 65 bits":                  {tagLastSeq, bytes.Repeat([]byte{0xff}, 10)},
		"no number":                            {tagNextFile, nil},
		"two numbers":                          {tagNextFile, []byte{1, 2}},
		"a file number beyond the last":        {tagNextFile, binary.AppendUvarint(nil, uint64(MaxFileNum)+1)},
		"a log segment beyond the last":        {tagLog, append(binary.AppendUvarint(nil, uint64(wal.MaxSegmentNum)+1), 1)},
		"a log without a flag":                 {tagLog, []byte{1}},
		"a log with flag 2":                    {tagLog, []byte{1, 2}},
		"a deleted table of level 7":           {tagDeletedTable, []byte{NumLevels, 1}},
		"a deleted table of level 2^63":        {tagDeletedTable, append(long, 1)},
		"a deleted table without a number":     {tagDeletedTable, []byte{1}},
		"an added table of level 7":            {tagAddedTable, append([]byte{NumLevels}, table(func(*Table) {})[1:]...)},
		"an added table of negative size":      {tagAddedTable, table(func(a *Table) { a.Size = -1 })},
		"an added table whose key is empty":    {tagAddedTable, table(func(a *Table) { a.Smallest.Stored = nil })},
		"an added table whose key is no key":   {tagAddedTable, table(func(a *Table) { a.Largest.Stored = []byte{0x80} })},
		"an added table cut short":             {tagAddedTable, table(func(*Table) {})[:20]},
		"an added table of compression 256":    {tagAddedTable, append(table(func(*Table) {})[:len(table(func(*Table) {}))-1], 0x80, 2)},
		"an added table with a byte too many":  {tagAddedTable, append(table(func(*Table) {}), 0)},
		"an added table with a key of 2^63":    {tagAddedTable, append([]byte{1, 7, 1, 1, 1}, long...)},
		"an added table with nothing in it":    {tagAddedTable, nil},
		"a keyspace with the id 0":             {tagAddedSpace, []byte{0, 'a'}},
		"a keyspace beyond the last":           {tagAddedSpace, append(binary.AppendUvarint(nil, uint64(key.MaxSpace)+1), 'a')},
		"a keyspace without a name":            {tagAddedSpace, []byte{1}},
		"a keyspace of which nothing is told":  {tagAddedSpace, nil},
		"a keyspace with too long a name":      {tagAddedSpace, append([]byte{1}, make([]byte, MaxSpaceName+1)...)},
		"a dropped keyspace 0":                 {tagDroppedSpace, []byte{0}},
		"a dropped keyspace beyond the last":   {tagDroppedSpace, binary.AppendUvarint(nil, uint64(key.MaxSpace)+1)},
		"a dropped keyspace and a byte":        {tagDroppedSpace, []byte{1, 0}},
		"a key that is a byte longer than any": {tagAddedTable, table(func(a *Table) { a.Largest.Stored = make([]byte, key.MaxUserLen+2) })},
	} {
		if e, err := DecodeEdit(appendField(nil, c.tag, c.contents)); !errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

func TestDecodeEdit_LengthBeyondTheRecordIsRefused(t *testing.T) {
	for _, n := range []uint64{2, 1 << 31, 1 << 32, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		record := append(binary.AppendUvarint([]byte{tagNextFile}, n), 5)
		if _, err := DecodeEdit(record); !errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("a field of %d bytes: %v", n, err)
		}
	}
}
