package planted

var manifestBugs = []bug{
	{
		name: "CURRENT gets its name before it is synced", file: "manifest/current.go",
		old: "err = f.Sync()", new: "err = nil",
		test: "TestWriteCurrent_SyncsTheTextBeforeTheNameAndTheNameBeforeItReturns",
	},
	{
		name: "the name of CURRENT is not synced", file: "manifest/current.go",
		old: "return fsys.SyncDir(dir)", new: "return nil",
		test: "TestWriteCurrent_SyncsTheTextBeforeTheNameAndTheNameBeforeItReturns",
	},
	{
		name: "CURRENT is written in place", file: "manifest/current.go",
		old: "temp := filepath.Join(dir, currentTempName)", new: "temp := filepath.Join(dir, CurrentName)",
		test: "TestManifest_EveryCrashLeavesAStateAtOrBehindTheAcknowledgedOne",
	},
	{
		name: "a CURRENT.tmp in the way ends the store", file: "manifest/current.go",
		old: "if err := fsys.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {", new: "if err := error(nil); errors.Is(err, fs.ErrExist) {",
		test: "TestWriteCurrent_ReplacesATempFileLeftBehind",
	},
	{
		name: "the checksum of CURRENT is not looked at", file: "manifest/current.go",
		old: "sum != want {", new: "sum != want && false {",
		test: "TestCurrent_EveryFlippedBitIsFound",
	},
	{
		name: "CURRENT may be malformed", file: "manifest/current.go",
		old: "if string(c.encode()) != string(text) {", new: "if false {",
		test: "TestCurrent_AcceptsNothingButWhatItWrites",
	},
	{
		name: "the name of a new manifest is not synced", file: "manifest/manifest.go",
		old: "err = opts.FS.SyncDir(opts.Dir)", new: "err = nil",
		test: "TestManifest_EveryCrashLeavesAStateAtOrBehindTheAcknowledgedOne",
	},
	{
		name: "a manifest that could not be written stays", file: "manifest/manifest.go",
		old: "errors.Join(err, log.Close(), opts.FS.Remove(path))", new: "errors.Join(err, log.Close())",
		test: "TestNew_FailureLeavesNothing",
	},
	{
		name: "the seal of a manifest is ignored", file: "manifest/manifest.go",
		old: "c.manifest), c.seal, func(", new: "c.manifest), nil, func(",
		test: "TestLoad_EveryChangedByteOfASealedManifestIsCorruption",
	},
	{
		name: "a manifest forgets which file numbers it gave out", file: "manifest/manifest.go",
		old: "\tnext.NextFile = max(next.NextFile, m.state.NextFile) // as whoever reads the file applies it\n", new: "",
		test: "TestFollow_LosesNoFileNumber",
	},
	{
		name: "a manifest that says half of what it must is taken", file: "manifest/manifest.go",
		old: "if loaded.Edits == 0 || loaded.NextFile == 0 || loaded.Log.First == 0 {", new: "if false {",
		test: "TestLoad_FirstEditThatMakesNoWholeStateIsCorruption",
	},
	{
		name: "an edit that could not be written counts", file: "manifest/manifest.go",
		old: "\tif err := m.log.Append(e.Encode()); err != nil {", new: "\tm.state = next\n\tif err := m.log.Append(e.Encode()); err != nil {",
		test: "TestManifest_FailedWriteOrSyncSticksAndLeavesTheState",
	},
	{
		name: "the length of a field of an edit is not looked at", file: "manifest/edit.go",
		old: "if n > uint64(len(d.rest)) {", new: "if false {",
		test: "TestDecodeEdit_LengthBeyondTheRecordIsRefused", dies: true,
	},
	{
		name: "a field of an edit may be longer than what is in it", file: "manifest/edit.go",
		old: "if field.failed || len(field.rest) > 0 {", new: "if field.failed {",
		test: "TestDecodeEdit_RefusesMalformedFields",
	},
	{
		name: "an edit of a newer version is passed over", file: "manifest/edit.go",
		old:  "return nil, fmt.Errorf(\"version edit has tag %d: %w\", tag, corrupt.ErrTooNew)",
		new:  "_ = fmt.Errorf(\"version edit has tag %d: %w\", tag, corrupt.ErrTooNew)\n\t\t\tcontinue",
		test: "TestDecodeEdit_UnknownTagIsTooNewAndNotCorrupt",
	},
	{
		name: "an edit may name a level that is none", file: "manifest/edit.go",
		old: "if v >= NumLevels {", new: "if v > NumLevels {",
		test: "TestDecodeEdit_RefusesMalformedFields",
	},
	{
		name: "an edit may give any file number", file: "manifest/edit.go",
		old: "field.failed = field.failed || e.NextFile > MaxFileNum", new: "",
		test: "TestDecodeEdit_RefusesMalformedFields",
	},
	{
		name: "an edit may delete a table that is not there", file: "manifest/version.go",
		old: "return nil, notThere(", new: "_ = notThere(",
		test: "TestApply_RefusesWhatBreaksAnInvariant",
	},
	{
		name: "tables of level 0 may share sequence numbers", file: "manifest/version.go",
		old: "if level == 0 && t.LargestSeq >= prev.SmallestSeq {", new: "if false {",
		test: "TestApply_RefusesWhatBreaksAnInvariant",
	},
	{
		name: "tables of a sorted level may overlap", file: "manifest/version.go",
		old: "if level > 0 && !prev.EndsBefore(t.Smallest.Stored) {", new: "if false {",
		test: "TestApply_RefusesWhatBreaksAnInvariant",
	},
	{
		name: "a table may be in a version twice", file: "manifest/version.go",
		old: "if seen[t.Num] {", new: "if false {",
		test: "TestApply_RefusesWhatBreaksAnInvariant",
	},
	{
		name: "level 0 is searched oldest first", file: "manifest/version.go",
		old: "return cmp.Compare(b.LargestSeq, a.LargestSeq)", new: "return cmp.Compare(a.LargestSeq, b.LargestSeq)",
		test: "TestApply_OrdersLevel0NewestFirstAndTheOthersByKey",
	},
	{
		name: "a file number may be planted that is counted from", file: "manifest/names.go",
		old: "if err != nil || num > uint64(MaxFileNum) ||", new: "if err != nil ||",
		test: "TestParseName_NumbersHaveABound",
	},
}
