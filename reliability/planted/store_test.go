package planted

const everyCrash = "TestCrash_EveryImageOpensToAStateTheStoreHad/workloads/"

var storeBugs = []bug{
	{
		name: "Sync syncs nothing", file: "write.go",
		old: "err := log.Sync()", new: "err := log.Err()",
		test: everyCrash + "synced among unsynced writes",
	},
	{
		name: "the clock that syncs does not", file: "open.go",
		old: "\tif err := log.Sync(); err != nil {", new: "\t" + nilError,
		test: "TestFailed_ASyncInTheBackgroundIsToldAtOnce",
	},
	{
		name: "the name of a repaired store is not synced", file: "repair_copy.go",
		old: "\t\treturn err\n\t}\n\treturn c.fs.SyncDir(c.dir)\n", new: "\t\treturn err\n\t}\n\treturn nil\n",
		test: "TestRepair_IsDurableWhenItReturns",
	},
	{
		name: "a copy that could not be made comes back", file: "repair_copy.go",
		old: "return errors.Join(err, c.fs.SyncDir(c.dir))", new: "return err",
		test: "TestRepair_IsDurableWhenItReturns",
	},
	{
		name: "a copy that was begun passes for a store", file: "repair_copy.go",
		old: "c.db, err = Open(dir, &Options{FS: c.fs, ", new: "c.db, err = Open(dir, &Options{FS: c.fs.FS, ",
		test: "TestRepair_ThatWasInterruptedLeavesNothingThatPassesForACopy",
	},
	{
		name: "a write is acknowledged that the log does not have", file: "commit.go",
		old: "\tif err := log.Flush(waitSync); err != nil {", new: "\tvar err error\n\tif waitSync {\n\t\terr = log.Flush(true)\n\t}\n\tif err != nil {",
		test: everyCrash + "unsynced writes",
	},
	{
		name: "a write that waits for a sync is acknowledged before", file: "commit.go",
		old: "log.Flush(waitSync)", new: "log.Flush(false)",
		test: everyCrash + "synced writes",
	},
	{
		name: "of a group only the first write is asked whether it waits for a sync", file: "commit.go",
		old: "waitSync = waitSync || r.waitSync", new: "_ = r.waitSync",
		test: "TestCommit_AGroupIsSyncedIfAnyOfItWaits",
	},
	{
		name: "a write is seen before all of it is in the memtable", file: "commit.go",
		old: "\tseq = db.apply(own, seq)\n\tfor", new: "\tdb.visible.Store(uint64(next - 1))\n\tseq = db.apply(own, seq)\n\tfor",
		test: "TestCommit_PublishesWhatIsInTheMemtable",
	},
	{
		name: "a write that the log refused is seen", file: "commit.go",
		old: "\tif err := log.Flush(waitSync); err != nil {\n", new: "\tif err := log.Flush(waitSync); err != nil {\n\t\tdb.visible.Store(uint64(db.apply(own, seq) - 1))\n",
		test: "TestFailed_WriteThatIsNotInTheLogIsNotRead",
	},
	{
		name: "a store that has failed takes writes", file: "db.go",
		old: "\tif err := db.failure.Load(); err != nil {\n\t\treturn err\n\t}\n\treturn nil\n}\n\n// unlessClosed", new: "\treturn nil\n}\n\n// unlessClosed",
		test: "TestFailed_SyncOfTheDirectoryEndsWriting",
	},
	{
		name: "a log that has failed does not fail the store", file: "db.go",
		old: "if log.Err() != nil && db.log.Load() == log {", new: "if false {",
		test: "TestFailed_SyncOfTheLogEndsWriting",
	},
	{
		name: "sequence numbers end in the middle of a write", file: "commit.go",
		old: "if seq > lastGroupSeq {", new: "if false {",
		test: "TestWrite_EndsBeforeSequenceNumbersDo",
	},
	{
		name: "what nobody waits for is never synced", file: "commit.go",
		old: "\tif !waitSync {\n\t\tdb.syncer.arm()", new: "\tif waitSync {\n\t\tdb.syncer.arm()",
		test: "TestPut_WithoutSyncIsDurableAfterTheInterval",
	},
	{
		name: "a sync that failed in the background is kept secret", file: "open.go",
		old: "_ = db.logFailure(log, err) // whoever writes next is told", new: "return",
		test: "TestFailed_ASyncInTheBackgroundIsToldAtOnce",
	},
	{
		name: "a flush gives up the log before its table is part of the store", file: "flush.go",
		old: "\te := &manifest.Edit{\n\t\tLastSeq: oldest[0].lastSeq,", new: "\t_ = log.Retire(next.first)\n\te := &manifest.Edit{\n\t\tLastSeq: oldest[0].lastSeq,",
		test: everyCrash + "rotation",
	},
	{
		name: "a flush names a segment that is not synced", file: "flush.go",
		old: "logSynced := db.later(log.Sync)", new: "logSynced := db.later(func() error { return nil })",
		test: everyCrash + "rotation",
	},
	{
		name: "a flush gives up the log of memtables that were sealed meanwhile", file: "flush.go",
		old: "if err := log.Retire(next.first); err != nil {", new: "if err := log.Retire(db.state.Load().active.first); err != nil {",
		test: "TestCrash_FlushLeavesTheLogOfMemtablesSealedMeanwhile",
	},
	{
		name: "names of new tables are not synced", file: "install.go",
		old: "if err := db.fs.SyncDir(db.dir); err != nil {", new: nilError,
		test: everyCrash + "flush",
	},
	{
		name: "new tables are not looked at before anything depends on them", file: "install.go",
		old: "if err := db.openNew(tables); err != nil {", new: nilError,
		test: "TestFailed_ATableThatCannotBeReadBackIsWrittenAgain",
	},
	{
		name: "tables go before the edit that gives them up is synced", file: "install.go",
		old: "\tif err := db.appendEdit(e); err != nil {", new: "\tfor _, d := range e.Deleted {\n\t\t_ = db.fs.Remove(db.files.path(d.Num))\n\t}\n\tif err := db.appendEdit(e); err != nil {",
		test: everyCrash + "compaction",
	},
	{
		name: "a manifest that has failed does not fail the store", file: "install.go",
		old: "return nil, db.latch(err)", new: "return nil, err",
		test: "TestFailed_WhatWasAcknowledgedIsSyncedUnlessTheLogFailed",
	},
	{
		name: "tables whose edit may be on stable storage are removed", file: "install.go",
		old: "\tdb.uncertain = append(db.uncertain, m)\n\treturn true", new: "\treturn false",
		test: "TestFailed_TablesOfAnEditThatMayBeDurableStay",
	},
	{
		name: "a table goes while readers have it mapped", file: "table.go",
		old: "if t.refs.Add(-1) > 0 {", new: "if t.refs.Add(-1) > 0 && !t.obsolete.Load() {",
		test: "TestIterator_ReadsTablesThatCompactionsHaveReplaced", dies: true,
	},
	{
		name: "a table that only moves goes", file: "install.go",
		old: "\t\t\tif t.Num == num {", new: "\t\t\tif t.Num == num && t.Num == 0 {",
		test: "TestCompact_ATableThatOnlyMovesStays",
	},
	{
		name: "a level goes while readers have it", file: "tree.go",
		old: "if l.refs.Add(-1) > 0 {", new: "if l.refs.Add(-1) > 1 {",
		test: "TestIterator_ReadsTablesThatCompactionsHaveReplaced", dies: true,
	},
	{
		name: "a memtable goes while readers use it", file: "readstate.go",
		old: "case m.refs.Add(-1) > 0:", new: "case m.refs.Add(-1) > 1:",
		test: "TestConcurrent_IteratorsKeepWhatTheyLent", dies: true,
	},
	{
		name: "edits are lost that were made while the manifest is renewed", file: "renew.go",
		old: "r.noted = append(r.noted, notedEdit{e, next})", new: "_ = notedEdit{e, next}",
		test: everyCrash + "edits while the manifest is renewed",
	},
	{
		name: "the fresh manifest does not follow the old one", file: "renew.go",
		old: "followed := db.later(func() error { return r.fresh.Follow(e, next) })", new: "followed := db.later(func() error { return nil })",
		test: everyCrash + "edits while the manifest is renewed",
	},
	{
		name: "the old manifest is left behind before CURRENT is switched", file: "renew.go",
		old: "\terr = db.manifest.Follow(e, next)\n", new: "\terr = nil\n",
		test: everyCrash + "edits while the manifest is renewed",
	},
	{
		name: "a switch of CURRENT that failed is taken for one that did not", file: "renew.go",
		old: "if err := fresh.Switch(); err != nil {", new: "if err := fresh.Switch(); err != nil && false {",
		test: "TestFailed_ASwitchOfTheManifestEndsWriting",
	},
	{
		name: "one of two manifests has an edit for which the other had no room", file: "renew.go",
		old: "errors.Join(db.manifest.Reserve(e), r.fresh.Reserve(e))", new: "error(nil)",
		test: "TestFailed_AFullDiskLeavesBothManifestsOfARenewalAlike",
	},
	{
		name: "the old manifest goes before CURRENT is switched", file: "renew.go",
		old: "\told := db.inForce()\n", new: "\told := db.inForce()\n\t_ = db.fs.Remove(old.Path())\n",
		test: everyCrash + "manifest renewal",
	},
	{
		name: "a large batch is seen before its edit is synced", file: "large.go",
		old: "\terr := db.install(&manifest.Edit{\n", new: "\tdb.visible.Store(uint64(last))\n\terr := db.install(&manifest.Edit{\n",
		test: "TestFailed_ALargeBatchThatIsNotInstalledIsNotSeen",
	},
	{
		name: "a large batch overtakes what was written before it", file: "large.go",
		old: "\tif err := db.drainMemtables(); err != nil {\n\t\treturn err\n\t}\n", new: "",
		test: "TestHistory_IsThatOfTheModelUnderAllConfigurations",
	},
	{
		name: "a large batch removes a table that the store keeps", file: "large.go",
		old: "\t\tl.disowned = true\n", new: "",
		test: "TestFailed_TablesOfAnEditThatMayBeDurableStay",
	},
	{
		name: "a large batch keeps the sequence numbers that it was written with", file: "txn_spill.go",
		old: "\tt.SeqBase += base\n", new: "",
		test: "TestHistory_IsThatOfTheModelUnderAllConfigurations",
	},
	{
		name: "the later operations of a large batch do not win", file: "large.go",
		old: "cmp.Compare(b.seq, a.seq))", new: "cmp.Compare(a.seq, b.seq))",
		test: "TestHistory_IsThatOfTheModelUnderAllConfigurations",
	},
	{
		name: "a reader lacks a large batch and sees what came after it", file: "get.go",
		old: "return seq, db.state.Load() == s", new: "return seq, true",
		test: "TestRead_StartsAnewWhenALargeBatchComesBetweenStateAndSequenceNumber",
	},
	{
		name: "a read that meets a fault ends the process: Get", file: "get.go",
		old: "\tout = dst // what is returned after a fault\n\tdefer s.endGuard(debug.SetPanicOnFault(true), &err)", new: "\tout = dst // what is returned after a fault\n\tdefer s.endGuard(debug.SetPanicOnFault(false), &err)",
		test: "TestFault_ATableThatIsCutIsAnErrorWhereItIsRead", dies: true,
	},
	{
		name: "a read that meets a fault ends the process: GetMulti", file: "fault.go",
		old: "\tdefer s.endGuard(debug.SetPanicOnFault(true), &err)\n\treturn fn()", new: "\tdefer s.endGuard(debug.SetPanicOnFault(false), &err)\n\treturn fn()",
		test: "TestFault_ATableThatIsCutIsAnErrorWhereItIsRead", dies: true,
	},
	{
		name: "a panic of the caller is taken for a fault", file: "fault.go",
		old: "\tpanic(recovered)\n", new: "\treturn ErrCorrupt\n",
		test: "TestPeek_PanicsOfTheCallbackGoThrough",
	},
	{
		name: "a full disk is tried again at once", file: "backoff.go",
		old: "if b.err != nil && time.Since(b.at) < b.pause {", new: "if b.err != nil && time.Since(b.at) < 0 {",
		test: "TestFailed_AFullDiskIsTriedAtABoundedRate",
	},
	{
		name: "a flush that fails is tried again at once", file: "background.go",
		old: "if rest := w.rest(); rest > 0 {", new: "if rest := w.rest(); rest > time.Hour {",
		and:  [2]string{"w.err != nil && w.retry != nil && w.rest() > 0 {", "false {"},
		test: "TestFailed_AFullDiskIsTriedAtABoundedRate",
	},
	{
		name: "Close waits for no background work", file: "open.go",
		old: "\t\tdb.running.Wait()\n", new: "",
		test: "TestClose_WaitsForBackgroundWork", dies: true,
	},
	{
		name: "a second Close does not wait for the first", file: "open.go",
		old: "\t<-db.closeDone\n", new: "",
		test: "TestClose_ASecondCallWaitsForTheFirstAndReturnsTheSame",
	},
	{
		name: "Close does not wait for the clock that syncs", file: "alarm.go",
		old: "\ta.mu.Unlock()\n\ta.running.Wait()\n", new: "\ta.mu.Unlock()\n",
		test: "TestAlarm_StopWaitsForWorkUnderWay",
	},
	{
		name: "a clock that was stopped rings", file: "alarm.go",
		old: "if a.stopped || a.after == 0 {", new: "if a.after == 0 {",
		test: "TestAlarm_ThatWasStoppedNeverRings",
	},
	{
		name: "Close of a store that cannot write tables leaves the log unsynced", file: "open.go",
		old: "err = errors.Join(err, log.Sync()) // the next", new: "_ = log.Sync // the next",
		test: "TestClose_ThatCannotSealLeavesALogThatIsSynced",
	},
	{
		name: "Close gives up the log of a store that could not be sealed", file: "open.go",
		old: "\tif sealed {\n\t\terr = errors.Join(err, log.Remove())", new: "\tif true {\n\t\terr = errors.Join(err, log.Remove())",
		test: "TestClose_ThatCannotSealLeavesALogThatIsSynced",
	},
	{
		name: "Close gives up the lock before it has done its work", file: "open.go",
		old: "\tvar err error\n\t_ = db.exclusively(func() error {", new: "\tvar err error\n\t_ = db.lock.Close()\n\t_ = db.exclusively(func() error {",
		test: "TestClose_HoldsTheLockUntilItHasDoneItsWork",
	},
	{
		name: "an opening that fails keeps the lock", file: "open.go",
		old: "err = errors.Join(err, lock.Close())\n\t\t}\n\t}()", new: "}\n\t}()",
		test: "TestOpen_ThatFailsLeavesNoFileBehind",
	},
	{
		name: "Close loses what was written last", file: "open.go",
		old: "\tif !db.active.table.Empty() {\n\t\tif err := db.sealLast()", new: "\tif false {\n\t\tif err := db.sealLast()",
		test: everyCrash + "unsynced writes",
	},
	{
		name: "Close does not seal the manifest", file: "open.go",
		old: "\t\terr = db.manifest.Seal()\n", new: "\t\terr = nil\n",
		test: "TestClose_SealsTheManifestOrSaysThatItCannot",
	},
	{
		name: "a seal that failed is taken for one that did not", file: "open.go",
		old: "\t\terr = db.manifest.Seal()\n", new: "\t\t_ = db.manifest.Seal()\n",
		test: "TestClose_SealsTheManifestOrSaysThatItCannot",
	},
}
