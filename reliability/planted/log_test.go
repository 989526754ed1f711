package planted

const nilError = "if err := error(nil); err != nil {"

var logBugs = []bug{
	{
		name: "a write that waits for a sync is only handed to the system", file: "wal/log.go",
		old: "\t\treturn l.Sync()", new: "\t\treturn nil",
		test: "TestRecover_PowerCutKeepsWhatWasSynced",
	},
	{
		name: "a sync of the log reaches no disk", file: "wal/log.go",
		old: "\t\treturn s.log.Datasync()", new: "\t\treturn nil",
		test: "TestSync_GoesFromTheOldestSegmentToTheNewest",
	},
	{
		name: "a timed sync of the log reaches no disk", file: "wal/log.go",
		old: "err := s.log.Datasync()", new: "err := error(nil)",
		test: "TestCrash_EveryImageOpensToAStateTheStoreHad/workloads/synced writes", pkg: ".",
	},
	{
		name: "a new segment is not synced", file: "wal/log.go",
		old: "err = file.Datasync()", new: "err = nil",
		test: "TestPrepare_LeavesASpareThatAPowerCutKeeps",
	},
	{
		name: "the name of a new segment is not synced", file: "wal/log.go",
		old: "switch err := l.opts.FS.SyncDir(l.opts.Dir); {", new: "switch err := error(nil); {",
		test: "TestCreate_MakesTheFirstSegmentDurable",
	},
	{
		name: "a new log is not synced", file: "wal/log.go",
		old: "if err := l.Sync(); err != nil {", new: nilError,
		test: "TestCreate_MakesTheFirstSegmentDurable",
	},
	{
		name: "only the current segment is synced", file: "wal/log.go",
		old: "\tlive := l.live\n", new: "\tlive := l.live[len(l.live)-1:]\n",
		test: "TestSync_GoesFromTheOldestSegmentToTheNewest",
	},
	{
		name: "the newest segment is synced first", file: "wal/log.go",
		old: "\tlive := l.live\n", new: "\tlive := append([]*segment{l.current}, l.live...)\n",
		test: "TestSync_GoesFromTheOldestSegmentToTheNewest",
	},
	{
		name: "a failure of the log does not stick", file: "wal/log.go",
		old: "\tl.failure.CompareAndSwap(nil, &err)\n\treturn l.Err()", new: "\treturn err",
		test: "TestLog_FailedSyncSticksThoughARetryWouldSucceed",
	},
	{
		name: "a failed write of the log does not stick", file: "wal/log.go",
		old: "return l.fail(fmt.Errorf(\"write-ahead log: %w\", err))", new: "return fmt.Errorf(\"write-ahead log: %w\", err)",
		test: "TestLog_FailedWriteSticks",
	},
	{
		name: "a failed sync of the directory does not end the log", file: "wal/log.go",
		old:  "return spare{}, l.fail(errors.Join(fmt.Errorf(\"sync directory: %w\", err), file.Close()))",
		new:  "return spare{}, errors.Join(fmt.Errorf(\"sync directory: %w\", err), file.Close())",
		test: "TestLog_FailedSyncOfTheDirectorySticks",
	},
	{
		name: "a rotation forgets what was not flushed", file: "wal/log.go",
		old: "if err := l.Flush(false); err != nil {", new: nilError,
		test: "TestReserve_WithRecordsThatWereNotFlushedLosesNone",
	},
	{
		name: "a header that was written in part stays", file: "wal/log.go",
		old: "file.log.Close(), l.opts.FS.Remove(file.name), l.opts.FS.SyncDir(l.opts.Dir)", new: "file.log.Close(), l.opts.FS.SyncDir(l.opts.Dir)",
		test: "TestLog_HeaderWrittenInPartIsTakenAway",
	},
	{
		name: "a header that was written in part may come back", file: "wal/log.go",
		old: "file.log.Close(), l.opts.FS.Remove(file.name), l.opts.FS.SyncDir(l.opts.Dir)", new: "file.log.Close(), l.opts.FS.Remove(file.name)",
		test: "TestLog_EveryFailingCallLeavesAPrefixWithAllThatWasAcknowledged",
	},
	{
		name: "one segment too many is retired", file: "wal/log.go",
		old: "l.live[0].header.number < before", new: "l.live[0].header.number <= before",
		test: "TestRetire_KeepsWhatItIsToldToKeepAndTheCurrentSegment",
	},
	{
		name: "a record vouches for bytes that are not synced", file: "wal/log.go",
		old:  "l.current.append(payload, mark, l.Vouched())",
		new:  "l.current.append(payload, mark, Position{Segment: l.current.header.number, Offset: l.current.end})",
		test: "TestRecover_LaterRecordWithoutTheEarlierIsEndOfLogAfterAPowerCut",
	},
	{
		name: "a sync claims what was written during it", file: "wal/log.go",
		old: "l.syncedMark.Store(mark)", new: "l.syncedMark.Store(s.mark.Load())\n\t\t_ = mark",
		test: "TestSync_CoversWhatWasFlushedBeforeItAndNoMore",
	},
	{
		name: "a full disk makes the next segment larger", file: "wal/log.go",
		old: "\tsize := max(l.nextBytes, need)\n", new: "\tsize := max(l.nextBytes, need)\n\tl.nextBytes = min(2*l.nextBytes, l.opts.MaxSegmentBytes)\n",
		test: "TestLog_FullDiskDoesNotMakeTheNextSegmentLarger",
	},
	{
		name: "a record may be longer than a segment that recovery reads", file: "wal/log.go",
		old: "if need > maxLogSegmentLen {", new: "if false {",
		test: "TestReserve_RefusesWhatNoSegmentCanHold",
	},
	{
		name: "a spare is taken that is too small", file: "wal/log.go",
		old: "if s.log.Size() >= need {", new: "if true {",
		test: "TestReserve_TakesASpareOnlyWhenItIsLargeEnough",
	},
	{
		name: "a process that dies leaves a chunk without the one before", file: "wal/segment.go",
		old: "n := chunkHeaderLen + int(rest[8]) + int(rest[9])<<8", new: "n := len(rest)",
		test: "TestFlush_WritesEachChunkByItselfUnlessASyncFollows",
	},
	{
		name: "checksums of the log leave out the use of the file", file: "wal/wal.go",
		old: "x := (epoch ^ uint64(off)*saltOdd1) * saltOdd2", new: "x := (uint64(off) * saltOdd1) * saltOdd2",
		test: "TestSegment_OfAnotherEpochHasNoRecords",
	},
	{
		name: "checksums of the log leave out the offset", file: "wal/wal.go",
		old: "x := (epoch ^ uint64(off)*saltOdd1) * saltOdd2", new: "x := epoch * saltOdd2",
		test: "TestChunk_MovedElsewhereDoesNotPass",
	},
	{
		name: "checksums of the log are not looked at", file: "wal/chunk.go",
		old: "if binary.LittleEndian.Uint64(b) != xxhash.Sum64(b[8:])^salt(h.epoch, off) {", new: "if false {",
		test: "TestChunk_EveryFlippedBitIsFound",
	},
	{
		name: "a chunk vouches across more segments than it can tell", file: "wal/chunk.go",
		old: "vouched.Segment != 0 && d < noVouch {", new: "vouched.Segment != 0 {",
		test: "TestRecover_Rule3_ReachesAcross254SegmentsAndNoFurther",
	},
	{
		name: "a chunk reaches beyond the file", file: "wal/chunk.go",
		old: "c.typ > chunkRoom || chunkHeaderLen+n > len(b) {", new: "c.typ > chunkRoom {",
		test: "TestChunk_CutAnywhereIsNone", dies: true,
	},
	{
		name: "the checksum of a segment's header is not looked at", file: "wal/header.go",
		old: "xxhash.Sum64(b[:120]); got != want {", new: "xxhash.Sum64(b[:120]); got != want && false {",
		test: "TestHeader_EveryFlippedBitIsFound",
	},
	{
		name: "a segment of another store is taken", file: "wal/header.go",
		old: "case h.store != store:", new: "case false:",
		test: "TestHeader_RefusesWhatDoesNotBelong",
	},
	{
		name: "a manifest is taken for a log", file: "wal/header.go",
		old: "case h.purpose != purpose:", new: "case false:",
		test: "TestHeader_RefusesWhatDoesNotBelong",
	},
	{
		name: "a newer format is read", file: "wal/header.go",
		old: "v > formatVersion {", new: "v > formatVersion && false {",
		test: "TestHeader_OfANewerVersionIsTooNewAndNotCorrupt",
	},
	{
		name: "rule 1 of recovery: damaged headers", file: "wal/recover.go",
		old: "return header{}, false, locate(err, path, 0)", new: "return header{}, false, nil",
		test: "TestRecover_Rule1_DamagedHeaderIsCorruption",
	},
	{
		name: "rule 1 of recovery: files that are too short", file: "wal/scan.go",
		old: "if int64(len(data)) < f.header.room {", new: "if false {",
		test: "TestRecover_Rule1_FileShorterThanItsHeaderStatesIsCorruption",
	},
	{
		name: "rule 2 of recovery: the first segment existed", file: "wal/recover.go",
		old: "if len(r.chain) == 0 && r.opts.FirstExists {", new: "if false {",
		test: "TestRecover_Rule2_MissingFirstSegmentIsCorruptionWhenItExisted",
	},
	{
		name: "rule 2 of recovery: a later segment exists", file: "wal/recover.go",
		old: "if len(r.chain) == 0 && len(r.beyond) > 0 {", new: "if false {",
		test: "TestRecover_MissingFirstSegmentIsCorruptionWhenALaterOneOfItsLogExists",
	},
	{
		name: "rule 3 of recovery: vouched for in the segment", file: "wal/recover.go",
		old: "if damaged.Before(c.vouched) {\n\t\t\treturn r.damageAt", new: "if false {\n\t\t\treturn r.damageAt",
		test: "TestRecover_Rule3_DamageThatALaterRecordVouchesForIsCorruption",
	},
	{
		name: "rule 3 of recovery: vouched for in a later segment", file: "wal/recover.go",
		old: "if damaged.Before(c.vouched) {\n\t\t\treturn corrupt", new: "if false {\n\t\t\treturn corrupt",
		test: "TestRecover_Rule3_DamageThatALaterSegmentVouchesForIsCorruption",
	},
	{
		name: "rule 4 of recovery: a chunk behind the damage", file: "wal/recover.go",
		old: "\t\tif cacheKept {\n", new: "\t\tif false {\n",
		test: "TestRecover_Rule4_DamageWithIntactRecordsBehindItIsCorruptionWhileTheCacheLives",
	},
	{
		name: "rule 4 of recovery: a segment was begun behind the damage", file: "wal/recover.go",
		old: "if cacheKept && limit >= 0 {", new: "if false {",
		test: "TestRecover_Rule4_DamageBeforeALaterSegmentIsCorruptionWhileTheCacheLives",
	},
	{
		name: "rule 4 of recovery: a segment is missing before another", file: "wal/recover.go",
		old: "if cacheKept && later.header.cache == r.cache {", new: "if false {",
		test: "TestRecover_Rule4_MissingSegmentBeforeALaterOneIsCorruptionWhileTheCacheLives",
	},
	{
		name: "rule 4 of recovery holds where the cache is not known", file: "wal/recover.go",
		old: "cacheKept := r.cache != 0 && f.header.cache == r.cache", new: "cacheKept := f.header.cache == r.cache",
		test: "TestRecover_Rule4_DoesNotHoldWhenTheCacheIDWasUnknownAndStillIs",
	},
	{
		name: "rule 4 of recovery holds after a power cut", file: "wal/recover.go",
		old: "cacheKept := r.cache != 0 && f.header.cache == r.cache", new: "cacheKept := r.cache != 0",
		test: "TestRecover_LaterRecordWithoutTheEarlierIsEndOfLogAfterAPowerCut",
	},
	{
		name: "rule 5 of recovery: length", file: "wal/recover.go",
		old: "if limit >= 0 && s.off > limit {", new: "if false {",
		test: "TestRecover_Rule5_NextSegmentStatesAnotherLength",
	},
	{
		name: "rule 5 of recovery: mark", file: "wal/recover.go",
		old: "r.result.Records > 0 && next.header.prevMark != r.mark {", new: "false {",
		test: "TestRecover_Rule5_NextSegmentStatesAnotherMark",
	},
	{
		name: "rule 6 of recovery", file: "wal/recover.go",
		old: "for _, f := range r.other {", new: "for _, f := range r.other[:0] {",
		test: "TestRecover_Rule6_LaterOpeningThatHoldsRecordsIsCorruption",
	},
	{
		name: "of two segments with one number one is taken", file: "wal/recover.go",
		old: "if i > 0 && all[i-1].header.number == f.header.number {", new: "if false {",
		test: "TestRecover_TwoFilesWithOneNumberAreCorruption",
	},
	{
		name: "the number of a segment that is not needed is given out again", file: "wal/recover.go",
		old: "r.result.Last = max(r.result.Last, h.number)", new: "if h.number >= r.opts.First {\n\t\t\tr.result.Last = max(r.result.Last, h.number)\n\t\t}",
		test: "TestRecover_LastIsTheHighestNumberEvenOfSegmentsThatAreNotNeeded",
	},
	{
		name: "a hostile segment is read whole, whatever its length", file: "wal/scan.go",
		old: "if err == nil && size > min(limit, math.MaxInt) {", new: "if err == nil && size > math.MaxInt-1 {",
		test: "TestRecover_RefusesALogSegmentThatIsTooLong",
	},
	{
		name: "a segment with a damaged header holds no records", file: "wal/recover.go",
		old: "\t\treturn true, nil\n\t}\n\tdata, err", new: "\t\treturn false, nil\n\t}\n\tdata, err",
		test: "TestHoldsRecords_TellsUsedSegmentsFromUnused",
	},
	{
		name: "a middle chunk begins a record", file: "wal/scan.go",
		old: "c.typ != want && (want != chunkMiddle || c.typ != chunkLast)", new: "c.typ != want && c.typ != chunkLast",
		test: "TestScanner_OutOfPlaceChunksEndTheRecords",
	},
	{
		name: "a record of the manifest is not synced", file: "wal/single.go",
		old: "if err := s.segment.log.Datasync(); err != nil {", new: nilError,
		test: "TestSingle_EveryRecordIsDurableWhenAppendReturns",
	},
	{
		name: "a manifest that has grown is not synced", file: "wal/single.go",
		old: "if err := seg.log.Datasync(); err != nil {", new: nilError,
		test: "TestSingle_EveryCrashLeavesAPrefixWithAllThatWasAcknowledged",
	},
	{
		name: "a failed sync of the manifest does not stick", file: "wal/single.go",
		old: "if err := s.segment.log.Datasync(); err != nil {\n\t\ts.err = err\n", new: "if err := s.segment.log.Datasync(); err != nil {\n",
		test: "TestSingle_FailedWriteOrSyncSticks",
	},
	{
		name: "a failed write of the manifest does not stick", file: "wal/single.go",
		old: "if err := s.segment.flush(true); err != nil {\n\t\ts.err = err\n", new: "if err := s.segment.flush(true); err != nil {\n",
		test: "TestSingle_FailedWriteOrSyncSticks",
	},
	{
		name: "a failed sync of a manifest that has grown does not stick", file: "wal/single.go",
		old: "if err := seg.log.Datasync(); err != nil {\n\t\ts.err = err\n", new: "if err := seg.log.Datasync(); err != nil {\n",
		test: "TestSingle_FailedSyncOfItsGrowthSticks",
	},
	{
		name: "that the manifest has grown is not noted", file: "wal/single.go",
		old: "\tseg.appendRoom(size)\n", new: "",
		test: "TestSingle_CutBehindItsFirstRoomIsCorruption",
	},
	{
		name: "no record of the manifest vouches for those before", file: "wal/single.go",
		old: "vouched = Position{Segment: s.segment.header.number, Offset: s.synced}", new: "vouched = Position{}",
		test: "TestSingle_EveryFlippedBitIsFoundOrLosesOnlyTheLastRecord",
	},
	{
		name: "the checksum of a seal is not looked at", file: "wal/single.go",
		old: "sum != seal.Checksum {", new: "sum != seal.Checksum && false {",
		test: "TestSeal_ThatIsWrongIsCorruption",
	},
	{
		name: "the length of a seal is not looked at", file: "wal/single.go",
		old: "if seal.Length < headerLen || seal.Length > int64(len(s.data)) {", new: "if seal.Length < headerLen {",
		test: "TestSeal_ThatIsWrongIsCorruption", dies: true,
	},
	{
		name: "a seal may end within a record", file: "wal/single.go",
		old: "if limit >= 0 && s.off > limit {", new: "if false {",
		test: "TestSeal_ThatEndsWithinARecordIsCorruption",
	},
	{
		name: "another manifest of the store passes for this one", file: "wal/single.go",
		old: "if h.number != opts.Number {", new: "if false {",
		test: "TestSingle_OfAnotherStoreNumberOrPurposeIsCorruption",
	},
	{
		name: "a manifest that could not be made stays", file: "wal/single.go",
		old: "errors.Join(err, log.Close(), opts.FS.Remove(opts.Path))", new: "errors.Join(err, log.Close())",
		test: "TestCreateSingle_FailureLeavesNothing",
	},
}
