package planted

// inputBugs are about bytes that nobody may be trusted to have written.
var inputBugs = []bug{
	{
		name: "an operation longer than its batch", file: "internal/batchrepr/batchrepr.go",
		old: "if w <= 0 || n > uint64(len(b)-w) {", new: "if w <= 0 {",
		test: "TestRead_RandomBytesAreNeverTrusted", dies: true,
	},
	{
		name: "a batch shorter than its header", file: "internal/batchrepr/batchrepr.go",
		old: "if len(repr) < HeaderLen {", new: "if false {",
		test: "TestRead_EveryTruncationIsDamage", dies: true,
	},
	{
		name: "a batch of sequence numbers that there are not", file: "internal/batchrepr/batchrepr.go",
		old: "if seq == 0 || seq > key.MaxSeqNum || uint64(seq)+uint64(count) > uint64(key.MaxSeqNum) {", new: "if seq == 0 || seq > key.MaxSeqNum {",
		test: "TestRead_RefusesWhatBreaksTheLayout",
	},
	{
		name: "a batch with an operation of unknown kind", file: "internal/batchrepr/batchrepr.go",
		old: "if !op.Kind.Valid() {", new: "if false {",
		test: "TestRead_RefusesWhatBreaksTheLayout",
	},
	{
		name: "a batch with bytes behind its operations", file: "internal/batchrepr/batchrepr.go",
		old: "if len(r.rest) != 0 {", new: "if false {",
		test: "TestRead_RefusesWhatBreaksTheLayout",
	},
	{
		name: "a range that ends before it begins", file: "internal/batchrepr/batchrepr.go",
		old: "|| bytes.Compare(op.Stored, op.Value) >= 0) {", new: "|| bytes.Compare(op.Stored, op.Value) > 1) {",
		test: "TestRead_RefusesWhatBreaksTheLayout",
	},
	{
		name: "a stored key that is none", file: "internal/batchrepr/batchrepr.go",
		old: "!ok || !validStored(op.Stored) {", new: "!ok {",
		test: "TestRead_RefusesWhatBreaksTheLayout",
	},
	{
		name: "a key that is too long is written", file: "internal/key/key.go",
		old: "|| len(stored)-n > MaxUserLen {", new: "{",
		test: "TestSplitStored_RefusesWhatIsNoStoredKey",
	},
}

// otherBugs are those that survived earlier, and what belongs to no other list.
var otherBugs = []bug{
	{
		name: "damage looks like the end of a table", file: "internal/iterator/run.go",
		old: "r.err = r.cur.Err()", new: "_ = r.cur.Err()",
		test: "TestRun_FailureOfASourceIsNotTakenForItsEnd",
	},
	{
		name: "a merge goes on without a source that failed", file: "internal/iterator/merge.go",
		old: "if m.heap[0].failed {", new: "if false {",
		test: "TestMerging_FailureSticksUntilTheNextAbsoluteMove",
	},
	{
		name: "lists of range tombstones are merged beyond all bounds", file: "memtable/ranges.go",
		old: " && int64(rangedel.MergedBytes(lists[rest-1], added)) <= t.maxRangeBytes()", new: "",
		test: "TestInsertRanges_KeepsListsApartWhoseMergerWouldFillTheTable",
	},
	{
		name: "range tombstones fill no memtable", file: "memtable/ranges.go",
		old: "t.rangeBytes += int64(l.Bytes())", new: "t.rangeBytes += 0 * int64(l.Bytes())",
		test: "TestInsertRanges_KeepsListsApartWhoseMergerWouldFillTheTable",
	},
	{
		name: "a percentile rounds down", file: "histogram.go",
		old: "math.Ceil(p / 100 * float64(h.Count))", new: "math.Floor(p / 100 * float64(h.Count))",
		test: "TestPercentile_OfFewTimesIsOneOfThem",
	},
	{
		name: "what took exactly as long as a bound is above it to Prometheus", file: "prometheus.go",
		old: "h.Buckets[next].UpTo <= bound;", new: "h.Buckets[next].UpTo < bound;",
		test: "TestWritePrometheus_ABucketHoldsItsBound",
	},
	{
		name: "damage may take any amount of memory", file: "events.go",
		old: " || len(d.known) == maxDamages {", new: " {",
		test: "TestEvents_DamageIsToldOfABoundedNumberOfPlaces",
	},
	{
		name: "of two iterators the younger is called the oldest", file: "holders.go",
		old: "b.origin.at < a.origin.at {", new: "b.origin.at > a.origin.at {",
		test: "TestOlder_IsTheOneThatWasOpenedFirst",
	},
	{
		name: "a read that is drawn blames the filter for a key under a range tombstone", file: "drawn.go",
		old: "if err != nil || ok && found.Kind() == key.KindRangeDelete {", new: "if err != nil {",
		test: "TestMetrics_AKeyUnderARangeTombstoneDoesNotJudgeTheFilter",
	},
	{
		name: "a read that is drawn looks into tables that cannot have the key", file: "drawn.go",
		old: "if t.meta.Covers(stored) && !yield(t) {", new: "if !yield(t) {",
		test: "TestMetrics_AReadLooksOnlyIntoTablesThatCoverTheKey",
	},
	{
		name: "a read that is drawn keeps its state for ever", file: "drawn.go",
		old: "\tdefer s.unref()\n\tvar buf", new: "\tvar buf",
		test: "TestMetrics_AReadThatIsDrawnGivesUpItsState",
	},
}
