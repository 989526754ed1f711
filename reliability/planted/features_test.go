package planted

// Transactions, expiry, buckets, watching, merging.
var featureBugs = []bug{
	{
		name: "a key that a transaction has read is not validated", file: "txn_commit.go",
		old: "\tif _, found, ok := s.getFromMem(stored, hash, key.MaxTrailer); ok {\n\t\treturn c.verdict(found)\n\t}", new: "",
		test: "TestTx_ConflictsAreThoseOfWhatWasRead",
	},
	{
		name: "a key that a transaction has read is not validated in tables", file: "txn_commit.go",
		old: "\t\t} else if ok {\n\t\t\treturn c.verdict(found)\n\t\t}", new: "\t\t} else if ok && found == 0 {\n\t\t\treturn c.verdict(found)\n\t\t}",
		test: "TestTx_ConflictsAreThoseOfWhatWasRead",
	},
	{
		name: "entries in a range that a transaction has gone over are not validated", file: "txn_commit.go",
		old: "\t\tif kv.Trailer.Seq() > c.since {", new: "\t\tif false {",
		test: "TestTx_ConflictsAreThoseOfWhatWasRead",
	},
	{
		name: "range tombstones in a range that a transaction has gone over are not validated", file: "txn_commit.go",
		old: "\t\tif l[i].Seqs[0] > c.since {", new: "\t\tif false {",
		test: "TestTx_ConflictsAreThoseOfWhatWasRead",
	},
	{
		name: "transactions of one group are not validated against each other", file: "txn_commit.go",
		old: "\t\tif c.meets(&r.write) {", new: "\t\tif false {",
		test: "TestTx_ConflictsWithinAGroupAreFound",
	},
	{
		name: "transactions are not validated against their leader", file: "txn_commit.go",
		old: "\tif own != nil && c.meets(own) {", new: "\tif false {",
		test: "TestTx_ConflictsWithinAGroupAreFound",
	},
	{
		name: "an iterator of a transaction that turns forgets how far it came", file: "txn_reads.go",
		old: "\tcase i.key != nil:\n\t\ti.walk.extend(i.key)", new: "\tcase i.key != nil:",
		test: "TestTx_ConflictsAreThoseOfWhatWasRead",
	},
	{
		name: "an iterator of a transaction sees writes that came after it", file: "cursor.go",
		old: "return seq >= ownBase && seq <= c.ownSeq", new: "return seq >= ownBase && c.ownSeq > 0",
		test: "TestTx_IsThatOfTheModel",
	},
	{
		name: "range tombstones of a transaction are not its own", file: "cursor.go",
		old: "c.ranges[n-1].own = true", new: "c.ranges[n-1].own = false",
		test: "TestTx_IsThatOfTheModel",
	},
	{
		name: "an operand of a transaction follows what came after the transaction began", file: "merge_read.go",
		old: "kv.Trailer.Seq() > i.seq && kv.Trailer.Seq() < ownBase", new: "false",
		test: "TestTx_IsThatOfTheModel",
	},
	{
		name: "a merge forgets how far an operand reaches when it is read", file: "merge.go",
		old: "o.low = append(o.all, operand), trailer.Seq()-reach", new: "o.low = append(o.all, operand), trailer.Seq()-reach+reach",
		test: "TestMerge_FollowsWhatTheKeyHas",
	},
	{
		name: "a compaction forgets how far an operand reaches", file: "compaction/merge.go",
		old: "\t\tif seq >= c.low { // the last", new: "\t\tif false { // the last",
		test: "TestMerge_OperandsOfAStripeBecomeOne",
	},
	{
		name: "a compaction puts together what a newer operand has in it and what it has not", file: "compaction/merge.go",
		old: "seq < s.boundary && newest >= s.boundary || ", new: "newest < 0 || ",
		test: "TestMerge_EveryReaderSeesTheSameBeforeAndAfter",
	},
	{
		name: "an operand in a memtable follows what a range tombstone deletes", file: "commit_merge.go",
		old: "if deleted > found.Seq() || found.Kind() == key.KindDelete {", new: "if found.Kind() == key.KindDelete {",
		test: "TestMerge_FollowsWhatTheKeyHas",
	},
	{
		name: "a flush makes values of operands without knowing what they follow", file: "compaction/merge.go",
		old: "c.absent = !s.keepTombstones && !s.deeperMayHold(c.stored)", new: "c.absent = true",
		test: "TestMerge_FollowsWhatTheKeyHas", pkg: ".",
	},
	{
		name: "the name of the merge operator is not kept", file: "manifest/manifest.go",
		old: "\t\ts.MergeOperator = e.MergeOperator\n", new: "\t\t_ = e.MergeOperator\n",
		test: "TestMerge_OperatorIsTheStoresForEver", pkg: ".",
	},
	{
		name: "a value that has expired goes, and what it hides comes back", file: "compaction/merge.go",
		old: "\t\t\tif !s.keepTombstone(kv.Stored) {", new: "\t\t\tif true {",
		test: "TestHistory_GoesOnAfterCrashes", pkg: ".",
	},
	{
		name: "compactions do not ask what snapshots still see of what expires", file: "expiry.go",
		old: "append(db.snapshotReadings(), now)", new: "[]clockReading{now}",
		test: "TestTTL_SnapshotsAndIteratorsSeeOneInstant",
	},
	{
		name: "a clock that goes back leaves no mark", file: "expiry.go",
		old: "return expiry <= r.now || len(r.marks) > 0 && marked(r.marks, expiry, seq)", new: "return expiry <= r.now",
		test: "TestClock_ThrownForwardAndBackLosesAndRevivesNothing",
	},
	{
		name: "DropBucket leaves what is in the bucket", file: "buckets.go",
		old: "\tif err := db.commitGroup(&clears, nil); err != nil {\n\t\treturn err\n\t}\n", new: "\t_ = clears\n",
		test: "TestDropBucket_GivesTheSpaceOfWholeTablesBackAtOnce",
	},
	{
		name: "a watcher is not told that more of a batch follows", file: "watch.go",
		old: "\te.Last = true\n", new: "",
		test: "TestWatch_NumbersAndMarksEventsOfBatches",
	},
}
