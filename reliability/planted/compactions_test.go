package planted

var compactionBugs = []bug{
	{
		name: "tables are not synced", file: "compaction/output.go",
		old: "errors.Join(file.Sync(), file.Close())", new: "errors.Join(file.Close())",
		test: "TestOutputs_AreDurableButForTheirNames",
	},
	{
		name: "nobody waits for the syncs of tables", file: "compaction/output.go",
		old: "\tfor len(o.unsynced) > 0 {\n\t\tif err := o.awaitSync(); err != nil {", new: "\tfor len(o.unsynced) > 1<<30 {\n\t\tif err := o.awaitSync(); err != nil {",
		test: "TestFailed_TableIsWrittenAgain", pkg: ".",
	},
	{
		name: "tables that are not wanted stay", file: "compaction/output.go",
		old: "err = errors.Join(err, o.files.Remove(d.path))", new: "_ = d.path",
		test: "TestOutputs_AbortAfterFinishRemovesWhatIsNotWanted",
	},
	{
		name: "a version that a snapshot needs is dropped", file: "compaction/survival.go",
		old: "if stripe == s.lastStripe {", new: "if true {",
		test: "TestRun_KeepsWhatSnapshotsSee",
	},
	{
		name: "a tombstone is dropped above older data", file: "compaction/survival.go",
		old: "s.lastStripe != 0 || s.deeperMayHold(stored)", new: "s.lastStripe != 0",
		test: "TestRun_KeepsTombstonesAboveDeeperTables",
	},
	{
		name: "a tombstone is dropped that a snapshot needs", file: "compaction/survival.go",
		old: "s.lastStripe != 0 || s.deeperMayHold(stored)", new: "s.deeperMayHold(stored)",
		test: "TestSurvival_EveryReaderSeesTheSameBeforeAndAfter",
	},
	{
		name: "a flush drops tombstones", file: "compaction/survival.go",
		old: "return &survival{Rules: rules, keepTombstones: true}", new: "return &survival{Rules: rules}",
		test: "TestShadowing_KeepsEveryTombstoneThatIsNotShadowed",
	},
	{
		name: "a range tombstone deletes what came after it", file: "compaction/survival.go",
		old: "return s.ranges[0].Newest(end) > seq", new: "return s.ranges[0].Newest(end) > 0",
		test: "TestHistory_IsThatOfTheModelUnderAllConfigurations", pkg: ".",
	},
	{
		name: "a range tombstone deletes what a snapshot needs", file: "compaction/survival.go",
		old: "\t\tend = s.Snapshots[stripe]\n", new: "\t\tend = key.MaxSeqNum\n",
		test: "TestHistory_IsThatOfTheModelUnderAllConfigurations", pkg: ".",
	},
	{
		name: "a range tombstone is dropped above older data", file: "compaction/survival.go",
		old: "s.stripe(kept[last]) == 0 && !s.deeperMayOverlap(span) {", new: "s.stripe(kept[last]) == 0 {",
		test: "TestHistory_IsThatOfTheModelUnderAllConfigurations", pkg: ".",
	},
	{
		name: "a range tombstone is not cut where its table ends", file: "compaction/output.go",
		old: "o.ranges.Truncate(o.lower, before)", new: "o.ranges.Truncate(o.lower, nil)",
		test: "TestHistory_IsThatOfTheModelUnderAllConfigurations", pkg: ".",
	},
	{
		name: "a range tombstone is lost where its table begins", file: "compaction/output.go",
		old: "\to.lower = bytes.Clone(before)\n", new: "\to.lower = append(bytes.Clone(before), 0)\n",
		test: "TestHistory_IsThatOfTheModelUnderAllConfigurations", pkg: ".",
	},
	{
		name: "the bounds of a table leave out its range tombstones", file: "compaction/output.go",
		old: "if props.Entries == 0 || key.Compare(end, largest) > 0 {", new: "if props.Entries == 0 {",
		test: "TestHistory_IsThatOfTheModelUnderAllConfigurations", pkg: ".",
	},
	{
		name: "a table ends between versions of a key", file: "compaction/cut.go",
		old: "if size > 0 && bytes.Equal(stored, c.last) {", new: "if false && bytes.Equal(stored, c.last) {",
		test: "TestRun_NeverEndsATableBetweenVersionsOfOneKey",
	},
	{
		name: "a compaction that fails leaves tables", file: "compaction/run.go",
		old: "_ = job.Outputs.Abort()", new: "_ = job.Outputs",
		test: "TestRun_FailingOutputLeavesNothing",
	},
	{
		name: "a flush that fails leaves tables", file: "compaction/run.go",
		old: "_ = outputs.Abort()", new: "_ = outputs",
		test: "TestFlush_CanceledOrFailingLeavesNothing",
	},
	{
		name: "damage looks like the end of an input", file: "compaction/merge.go",
		old: "\treturn in.Err()\n}\n\n// chain", new: "\treturn nil\n}\n\n// chain",
		test: "TestRun_DamagedInputLeavesNothingAndNamesTheFile",
	},
	{
		name: "a level is taken for the deepest that is not", file: "compaction/run.go",
		old: "level := job.Plan.Output + 1;", new: "level := job.Plan.Output + 2;",
		test: "TestTree_ReadsTheSameThroughFlushesAndCompactionsUnderAllSnapshots",
	},
	{
		name: "compactions take each other's tables", file: "compaction/claims.go",
		old: "return a.Output == b.Output || a.passes(b.Output) || b.passes(a.Output) || a.shares(b)", new: "return a.Output == b.Output || a.passes(b.Output) || b.passes(a.Output)",
		test: "TestPick_OfManyJobsAtOnceKeepsTheirClaimsAndSettles",
	},
	{
		name: "compactions overtake each other", file: "compaction/claims.go",
		old: "a.Output == b.Output || a.passes(b.Output) || b.passes(a.Output) ||", new: "a.Output == b.Output ||",
		test: "TestClaims_NoPlanOvertakesAnother",
	},
	{
		name: "a part of a compaction gets keys of the next", file: "compaction/run.go",
		old: "in = within(in, job.Span)", new: "_ = within",
		test: "TestRun_InPartsIsTheSame",
	},
}
