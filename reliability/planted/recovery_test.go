package planted

var recoveryBugs = []bug{
	{
		name: "recovery removes files before CURRENT is switched", file: "recover.go",
		old: "\tfresh, err := db.firstManifest(&state)\n", new: "\tdb.removeLeftovers(l)\n\tfresh, err := db.firstManifest(&state)\n",
		test: everyCrash + "recovery",
	},
	{
		name: "what recovery read is served from the cache of the system alone", file: "recover.go",
		old: "\t\terr = r.flush()\n\t}\n\tif r.mem != nil {", new: "\t\terr = nil\n\t}\n\tif r.mem != nil {",
		test: everyCrash + "recovery",
	},
	{
		name: "recovery begins a segment whose number is taken", file: "recover.go",
		old: "max(state.Log.First, found.Last+1)", new: "state.Log.First",
		test: everyCrash + "recovery",
	},
	{
		name: "recovery gives out numbers of files that are there", file: "recover.go",
		old: "made := l.highest + 1", new: "made := manifest.FileNum(1)",
		test: everyCrash + "recovery",
	},
	{
		name: "an opening that fails in its switch removes what may be in force", file: "recover.go",
		old: "undo = false // a switch", new: "undo = true // a switch",
		test: "TestOpen_ThatFailsAtAnyCallLosesNothing",
	},
	{
		name: "an opening that fails leaves files", file: "recover.go",
		old: "\t\tif err != nil && undo {", new: "\t\tif err != nil && undo && false {",
		test: "TestOpen_ThatFailsLeavesNoFileBehind",
	},
	{
		name: "a store that was closed in order may have a log", file: "recover.go",
		old: "if err == nil && sealed && found.Records > 0 {", new: "if false {",
		test: "TestDamage_ALogOfAStoreThatWasClosedInOrderIsReported",
	},
	{
		name: "tables may be missing", file: "recover.go",
		old: "\tif err := db.checkTables(loaded.Version); err != nil {", new: "\t" + nilError,
		test: "TestDamage_AMissingFileIsReported",
	},
	{
		name: "tables may be missing to readers", file: "readonly.go",
		old: "\tif err := db.checkTables(loaded.Version); err != nil {", new: "\t" + nilError,
		test: "TestOpen_ATableThatIsMissingOrHasAnotherLengthIsReported",
	},
	{
		name: "tables may have another length", file: "recover.go",
		old: "case info.SizeBytes != t.Size:", new: "case false:",
		test: "TestOpen_ATableThatIsMissingOrHasAnotherLengthIsReported",
	},
	{
		name: "a log may leave out a batch", file: "recover.go",
		old: "if want := r.state.LastSeq + 1; seq != want {", new: "if want := r.state.LastSeq + 1; seq < want {",
		test: "TestDamage_ALargeBatchWhoseEditIsLostIsReported",
	},
	{
		name: "a store whose CURRENT is missing is begun anew: logs", file: "recover.go",
		old: "\t\tif holds {\n", new: "\t\tif holds && false {\n",
		test: "TestDamage_AMissingFileOfAStoreThatNeverFlushedIsReported",
	},
	{
		name: "a store whose CURRENT is missing is begun anew: tables", file: "recover.go",
		old: "if len(l.tables) > 0 {", new: "if false {",
		test: "TestDamage_AMissingFileIsReported",
	},
	{
		name: "foreign files are no reason to refuse a directory", file: "recover.go",
		old: "case !l.hasCurrent && len(l.unknown) > 0:", new: "case false:",
		test: "TestOpen_ForeignDirectoryIsRefusedAndUntouched",
	},
	{
		name: "a link in place of a file of the store is passed over", file: "recover.go",
		old: "case info.IsRegular, info.IsDir && !isSingular(path):", new: "case true:",
		test: "TestDirectory_WhatIsNoFileOfTheStoreStaysAsItIs",
	},
	{
		name: "recovery removes tables of the store", file: "recover.go",
		old: "if db.tables[num] == nil {", new: "if true {",
		test: everyCrash + "closing and opening again",
	},
	{
		name: "leftovers of a crash stay", file: "recover.go",
		old: "\tdb.removeLeftovers(l)\n\tdb.mu.Lock()", new: "\tdb.mu.Lock()",
		test: "TestOpen_RemovesWhatACrashLeft",
	},
	{
		name: "an opening for reading changes the directory", file: "readonly.go",
		old: "r := &replayer{db: db, state: &state, keep: true}", new: "r := &replayer{db: db, state: &state}",
		test: "TestReadOnly_ReadsWhatACrashLeftFromAMediumThatRefusesWrites",
	},
	{
		name: "a reader does not keep writers away", file: "readonly.go",
		old: "\tlock, err := o.FS.LockShared(name)\n", new: "\tlock, err := closer(noLock{}), error(nil)\n",
		test: "TestReadOnly_LeavesTheDirectoryAsItIs",
	},
	{
		name: "a batch of the log is not validated before it is replayed", file: "recover.go",
		old: "\tif err := batchrepr.Validate(payload); err != nil {", new: "\t" + nilError,
		test: "TestDamage_ALogThatHoldsWhatNoStoreWritesIsReported",
	},
	{
		name: "Verify overlooks a missing table", file: "verify_table.go",
		old: "\tif err != nil {\n\t\tv.problem(err)\n\t\treturn\n\t}\n\tdefer file.Close()", new: "\tif err != nil {\n\t\treturn\n\t}\n\tdefer file.Close()",
		test: "TestVerify_SeesWhatTheManifestSaysWrongly",
	},
	{
		name: "Verify overlooks shadowed entries that the manifest counts wrongly", file: "verify_table.go",
		old: "\t\t{\"shadowed entries:\", meta.Shadowed, p.Shadowed},\n", new: "",
		test: "TestVerify_SeesWhatTheManifestSaysWrongly",
	},
	{
		name: "Verify overlooks where the manifest says that a table begins", file: "verify_table.go",
		old: "if key.Compare(smallest, meta.Smallest) != 0 {", new: "if false {",
		test: "TestVerify_SeesWhatTheManifestSaysWrongly",
	},
	{
		name: "Verify overlooks where the manifest says that a table ends", file: "verify_table.go",
		old: "if key.Compare(largest, meta.Largest) != 0 {", new: "if false {",
		test: "TestVerify_SeesWhatTheManifestSaysWrongly",
	},
	{
		name: "Verify overlooks the log of a store that was closed in order", file: "verify_store.go",
		old: "if err == nil && loaded.Sealed && found.Records > 0 {", new: "if false {",
		test: "TestDamage_ALogOfAStoreThatWasClosedInOrderIsReported",
	},
	{
		name: "Verify overlooks a batch that is missing in the log", file: "verify_store.go",
		old: "if want := last + 1; seq != want {", new: "if want := last + 1; seq < want {",
		test: "TestDamage_ALogThatHoldsWhatNoStoreWritesIsReported",
	},
	{
		name: "Verify overlooks what a manifest says of itself", file: "verify_store.go",
		old: "if err := loaded.Check(); err != nil {", new: nilError,
		test: "TestVerify_SeesWhatTheManifestSaysWrongly",
	},
	{
		name: "Verify of an open store does not look at CURRENT", file: "verify_live.go",
		old: "current = db.manifest.VerifyCurrent()", new: "current = nil",
		test: "TestVerify_LooksAtCURRENTUnlessItIsBeingSwitched",
	},
	{
		name: "Verify of an open store takes a renewal of the manifest for damage", file: "verify_live.go",
		old: "if !db.renewsNow() { // else", new: "if true { // else",
		test: "TestVerify_LooksAtCURRENTUnlessItIsBeingSwitched",
	},
	{
		name: "Verify of an open store does not read the manifest", file: "verify_live.go",
		old: "edits, err := m.Verify()", new: "edits, err := 1, error(nil)",
		test: "TestVerify_SeesRotUnderAnOpenStore",
	},
	{
		name: "Verify of an open store takes the end of a manifest on trust", file: "manifest/verify.go",
		old: "if !bytes.Equal(read.snapshot().Encode(), m.state.snapshot().Encode()) {", new: "if !bytes.Equal(nil, nil) {",
		test: "TestVerify_OfAManifestWithOtherEditsIsCorruption",
	},
	{
		name: "a manifest may give out numbers that tables have", file: "manifest/verify.go",
		old: "if t.Num >= s.NextFile {", new: "if false {",
		test: "TestCheck_NumbersLieBelowThoseToBeGivenOut",
	},
	{
		name: "a table may hold what was not yet written", file: "manifest/verify.go",
		old: "if t.LargestSeq > s.LastSeq {", new: "if false {",
		test: "TestCheck_NumbersLieBelowThoseToBeGivenOut",
	},
}
