package planted

const everyShape = "TestTable_EqualsASortedSliceWhateverItsShapeAndHoweverItIsRead"

var tableBugs = []bug{
	{
		name: "the checksum of a block is not looked at", file: "sstable/block.go",
		old: "xxhash.Sum64(data[8:])^salt(id, off); got != want {", new: "xxhash.Sum64(data[8:])^salt(id, off); got != want && false {",
		test: "TestReader_EveryFlippedBitIsFoundUnlessItIsPadding",
	},
	{
		name: "checksums of tables leave out the table", file: "sstable/sstable.go",
		old: "x := (id ^ uint64(off)*odd1) * odd2", new: "x := (uint64(off) * odd1) * odd2",
		test: "TestReader_BlockOfAnotherTableIsFound",
	},
	{
		name: "checksums of tables leave out the offset", file: "sstable/sstable.go",
		old: "x := (id ^ uint64(off)*odd1) * odd2", new: "x := id * odd2",
		test: "TestReader_SwappedBlocksAreFound",
	},
	{
		name: "blocks are not verified", file: "sstable/reader.go",
		old: "if err := checkBlock(data, r.opts.ID, h.off); err != nil {", new: nilError,
		test: "TestReader_EveryFlippedBitIsFoundUnlessItIsPadding", dies: true,
	},
	{
		name: "blocks that are copied are verified once", file: "sstable/reader.go",
		old: "return r.view != nil && r.verified", new: "return r.verified",
		test: "TestReader_CopiedBlockIsVerifiedEveryTime",
	},
	{
		name: "a block that was found damaged passes the next time", file: "sstable/reader.go",
		old: "\tif err := checkBlock(data, r.opts.ID, h.off); err != nil {", new: "\tdefer r.verified[i/64].Or(1 << (i % 64))\n\tif err := checkBlock(data, r.opts.ID, h.off); err != nil {",
		test: "TestEvents_DamageIsToldOncePerPlace", pkg: ".",
	},
	{
		name: "compactions do not verify what they read", file: "sstable/stream.go",
		old: "err = checkBlock(data, s.r.opts.ID, h.off)", new: "err = nil",
		test: "TestReader_EveryFlippedBitIsFoundUnlessItIsPadding", dies: true,
	},
	{
		name: "checksums of sections are not looked at", file: "sstable/reader.go",
		old: "sum != h.checksum {", new: "sum != h.checksum && false {",
		test: "TestReader_EveryFlippedBitIsFoundUnlessItIsPadding",
	},
	{
		name: "the checksum of the footer is not looked at", file: "sstable/sstable.go",
		old: "\tif got != want {", new: "\tif got != want && false {",
		test: "TestReader_EveryFlippedBitIsFoundUnlessItIsPadding",
	},
	{
		name: "another table is taken for this one", file: "sstable/reader.go",
		old: "if f.id != r.opts.ID {", new: "if f.id != r.opts.ID && false {",
		test: "TestReader_AnotherTableIsFound",
	},
	{
		name: "a filter may end within a line", file: "sstable/reader.go",
		old: "if len(data[sectionFilter])%filterLineLen != 0 {", new: "if false {",
		test: "TestReader_FilterThatIsNoLinesIsCorruption",
	},
	{
		name: "a section may reach beyond the file", file: "sstable/sstable.go",
		old: "|| h.length > size-footerLen-h.off ||", new: "||",
		test: "TestReader_SectionsOfHostileFootersAreCorruption", dies: true,
	},
	{
		name: "an index of more blocks than it has bytes", file: "sstable/index.go",
		old: "if separatorsStart > int64(len(data)) || count == 0 && shared != 0 {", new: "if count == 0 && shared != 0 {",
		test: "TestReader_IndexThatIsHostileIsCorruption", dies: true,
	},
	{
		name: "a block may lie anywhere", file: "sstable/index.go",
		old: "if h.off < end || h.length < blockHeaderLen || h.length > dataEnd-h.off {", new: "if h.off < end-1<<40 {",
		test: "TestReader_IndexThatIsHostileIsCorruption", dies: true,
	},
	{
		name: "separators need no order", file: "sstable/index.go",
		old: "if i > 0 && (key.Compare(last, s) >= 0 || !bytes.Equal(last.Stored[:x.shared], s.Stored[:x.shared])) {", new: "if i > 0 && false {",
		test: "TestReader_IndexThatIsHostileIsCorruption",
	},
	{
		name: "the heads of an index are taken on trust", file: "sstable/index.go",
		old: "got != want {", new: "got != want && false {",
		test: "TestReader_IndexThatIsHostileIsCorruption",
	},
	{
		name: "a property longer than the section", file: "sstable/properties.go",
		old: "if n <= 0 || m <= 0 || length > uint64(len(rest)-n-m) {", new: "if n <= 0 || m <= 0 {",
		test: "TestProperties_EveryTruncationAndEveryChangedByteIsRefusedOrRead", dies: true,
	},
	{
		name: "a block of more entries than it has bytes", file: "sstable/block.go",
		old: "if n == 0 || blockHeaderLen+uint64(n)*minEntryLen+shared > uint64(len(data)) {", new: "if n == 0 {",
		test: "TestReader_BlockThatIsHostileIsCorruption", dies: true,
	},
	{
		name: "entries of a block may overlap", file: "sstable/block.go",
		old: "if start != from || end <= start || end > len(b.data) {", new: "if end <= start || end > len(b.data) {",
		test: "TestReader_BlockThatIsHostileIsCorruption",
	},
	{
		name: "a key longer than its entry", file: "sstable/block.go",
		old: "n == 0 || n > uint64(end-start-w) || n > key.MaxStoredLen {", new: "n == 0 {",
		test: "TestReader_BlockThatIsHostileIsCorruption", dies: true,
	},
	{
		name: "the heads of a block are taken on trust", file: "sstable/block.go",
		old: "if !bytes.HasPrefix(stored, b.shared) || b.head(i) != blockHead(stored, len(b.shared)) {", new: "if !bytes.HasPrefix(stored, nil) {",
		test: "TestReader_BlockThatIsHostileIsCorruption",
	},
	{
		name: "a range tombstone with more sequence numbers than there are bytes", file: "sstable/ranges.go",
		old: "if d.err == nil && (n == 0 || n > uint64(len(d.rest))) {", new: "if d.err == nil && n == 0 {",
		test: "TestRanges_MalformedOnesAreCorrupt", dies: true,
	},
	{
		name: "a range tombstone with a bound beyond the section", file: "sstable/ranges.go",
		old: "n > key.MaxStoredLen || n > uint64(len(d.rest))) {", new: "n > key.MaxStoredLen) {",
		test: "TestRanges_MalformedOnesAreCorrupt", dies: true,
	},
	{
		name: "range tombstones may overlap", file: "sstable/ranges.go",
		old: "case len(l) > 0 && bytes.Compare(l[len(l)-1].Upper, s.Lower) > 0:", new: "case false:",
		test: "TestRanges_MalformedOnesAreCorrupt",
	},
	{
		name: "a compressed block decompresses to any size", file: "sstable/compression.go",
		old: "n < blockHeaderLen || n > maxPacked {", new: "n < blockHeaderLen {",
		test: "TestCompressed_HostileLengthsTakeNoMemory",
	},
	{
		name: "the length in a compressed block is taken on trust", file: "sstable/compression.go",
		old: "err != nil || m != uint64(n-blockCompression) {", new: "err != nil || m != uint64(n-blockCompression) && false {",
		test: "TestCompressed_HostileLengthsTakeNoMemory",
	},
	{
		name: "the structure of a compressed block is not verified", file: "sstable/reader.go",
		old: "err := checkStructure(raw, h.off)", new: "err := error(nil)",
		test: "TestCompressed_ABlockWithinThatIsMalformedIsCorruption",
	},
	{
		name: "the checksum of a compressed block is not looked at", file: "sstable/compression.go",
		old: "if err := checkSum(data, id, off); err != nil {", new: nilError,
		test: "TestCompressed_EveryFlippedBitIsFoundUnlessItIsPadding",
	},
	{
		name: "a block is decompressed over what an iterator lent", file: "sstable/reader.go",
		old: "raw, err := unpack(nil, data,", new: "raw, err := unpack(lent, data,",
		and:  [2]string{"type access int\n", "type access int\n\nvar lent = make([]byte, 0, 1<<16)\n"},
		test: "TestCompressed_WhatAnIteratorLentIsNeverOverwritten",
	},
	{
		name: "the cache of blocks does not tell tables apart", file: "internal/blockcache/blockcache.go",
		old: "ok && e.table == table && e.off == off {", new: "ok && e.off == off {",
		and:  [2]string{"x := table ^ uint64(off)*0x9e3779b97f4a7c15", "x := uint64(off) * 0x9e3779b97f4a7c15"},
		test: "TestCache_FindsWhatItWasGivenOrNothing",
	},
	{
		name: "the cache of blocks does not tell offsets apart", file: "internal/blockcache/blockcache.go",
		old: "ok && e.table == table && e.off == off {", new: "ok && e.table == table {",
		and:  [2]string{"x := table ^ uint64(off)*0x9e3779b97f4a7c15", "x := table"},
		test: "TestCache_FindsWhatItWasGivenOrNothing",
	},
	{
		name: "the cache is closed while others use it", file: "internal/blockcache/blockcache.go",
		old: "if c == nil || c.refs.Add(-1) > 0 {", new: "if c == nil {",
		test: "TestCache_ClosesWithItsLastReferenceAndNotBefore",
	},
	{
		name: "a filter hides keys", file: "sstable/filter.go",
		old: "\t\tg >>= 9\n\t}\n\treturn missing&1 == 0", new: "\t\tg >>= 8\n\t}\n\treturn missing&1 == 0",
		test: "TestFilter_NeverHidesAKey",
	},
	{
		name: "sequence numbers of a large batch are those before it was numbered", file: "sstable/block.go",
		old: "base:     key.SeqNum(binary.LittleEndian.Uint64(data[blockBase:])) + seqBase,", new: "base:     key.SeqNum(binary.LittleEndian.Uint64(data[blockBase:])),",
		test: everyShape,
	},
	{
		name: "a file that became shorter is no damage to a compaction", file: "sstable/stream.go",
		old: "if err == nil || errors.Is(err, io.EOF) {", new: "if err == nil || errors.Is(err, io.ErrNoProgress) {",
		test: "TestStream_FileShorterThanTheTableIsCorruption",
	},
	{
		name: "a failed write of a table does not stick", file: "sstable/writer.go",
		old: "_, w.err = w.dst.Write(w.out)", new: "_, _ = w.dst.Write(w.out)",
		test: "TestWriter_FailedWriteSticks",
	},
	{
		name: "entries may come in any order", file: "sstable/writer.go",
		old: "if !first && (sameKey && trailer >= w.last.Trailer || !sameKey && key.Compare(w.last, k) > 0) {", new: "if false {",
		test: "TestWriter_RefusesEntriesOutOfOrder",
	},
	{
		name: "Verify leaves out the gaps", file: "sstable/verify.go",
		old: "if err == nil && !allZero(data) {", new: "if err == nil && !allZero(data) && false {",
		test: "TestVerify_ReportsEveryFlippedBit",
	},
	{
		name: "Verify leaves out the reserved bytes of the footer", file: "sstable/verify.go",
		old: "!allZero(zero) || !allZero(tail[footerVersion+4:footerChecksum]) {", new: "!allZero(zero) && false {",
		test: "TestVerify_ReportsReservedBytesThatAreNotZero",
	},
	{
		name: "Verify takes counts on trust", file: "sstable/verify_blocks.go",
		old: "if f.stated != f.counted {", new: "if false {",
		test: "TestVerify_ReportsWhatAFaultyWriterMakes",
	},
	{
		name: "Verify does not ask filters", file: "sstable/verify_blocks.go",
		old: "case v.filter && !v.r.filter.mayContain(hash):", new: "case false:",
		test: "TestVerify_ReportsWhatAFaultyWriterMakes",
	},
	{
		name: "Verify takes fingerprints on trust", file: "sstable/verify_blocks.go",
		old: "case b.data[blockFingerprints+n] != fingerprint(hash):", new: "case false:",
		test: "TestVerify_ReportsAFingerprintThatHidesItsKey",
	},
	{
		name: "entries of a block may be in any order", file: "sstable/block.go",
		old: "if i > 0 && !b.sorts(i, last, stored) {", new: "if i < 0 && !b.sorts(i, last, stored) {",
		test: "TestReader_EntriesOutOfOrderAreCorruption",
	},
	{
		name: "blocks of a table may be in any order", file: "sstable/index.go",
		old: "i > 0 && key.Compare(first, x.separator(i-1)) <= 0", new: "i < 0 && key.Compare(first, x.separator(i-1)) <= 0",
		and:  [2]string{"key.Compare(last, x.separator(i)) > 0", "key.Compare(last, x.separator(i)) > 1"},
		test: "TestReader_EntriesOutOfOrderAreCorruption",
	},
	{
		name: "Verify counts no shadowed entries", file: "sstable/verify_blocks.go",
		old: "p.Shadowed++", new: "p.Shadowed += 0",
		test: "TestVerify_FindsNothingInIntactTables",
	},
}
