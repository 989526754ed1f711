package planted

var resumeBugs = []bug{
	{
		name: "Resume brings home the active memtable alone", file: "resume.go",
		old: "mems := append([]*mem{s.active}, s.sealed...)", new: "mems := []*mem{s.active}",
		test: "TestResume_AmongWritersAndReaders",
	},
	{
		name: "Resume brings home the sealed memtables alone", file: "resume.go",
		old: "mems := append([]*mem{s.active}, s.sealed...)", new: "mems := append([]*mem{}, s.sealed...)",
		test: "TestResume_BehindASwitchThatFailedBothStatesOpen",
	},
	{
		name: "Resume leaves logs that hold nothing", file: "resume.go",
		old: "\tif err := db.clearLogs(); err != nil {", new: "\t" + nilError,
		test: "TestResume_RemovesALogThatCouldNotBeBegun",
	},
	{
		name: "Resume removes logs that are in use", file: "resume.go",
		old: "if slices.Contains(live, path) {", new: "if slices.Contains(live[:0], path) {",
		test: "TestResume_ThatFailsAtAnyCallMayBeCalledAgain",
	},
	{
		name: "after Resume the failed log still counts", file: "resume.go",
		old: "Log:      &manifest.LogState{First: first, Exists: true},", new: "Log:      &manifest.LogState{First: db.active.first, Exists: true},",
		test: "TestResume_BehindASwitchThatFailedBothStatesOpen",
	},
	{
		name: "after Resume the next opening may do without the log", file: "resume.go",
		old: "Log:      &manifest.LogState{First: first, Exists: true},", new: "Log:      &manifest.LogState{First: first},",
		test: "TestResume_TheNewLogMustBeThere",
	},
	{
		name: "Resume leaves the failed log", file: "resume.go",
		old: "if err := oldLog.Remove(); err != nil {", new: "if err := oldLog.Close(); err != nil {",
		test: "TestResume_LeavesNoFilesBehind",
	},
	{
		name: "Resume leaves the manifest before", file: "resume.go",
		old: "\t\tdb.scheduleRemoval(m.Path(), 0)\n\t}\n}", new: "\t}\n}",
		test: "TestResume_LeavesNoFilesBehind",
	},
	{
		name: "Resume leaves tables of which it was not known whether they are part of the store", file: "resume.go",
		old: "\tfor _, m := range uncertain {\n\t\tdb.discard(m)\n", new: "\tfor range uncertain {\n",
		test: "TestResume_LeavesNoFilesBehind",
	},
	{
		name: "Resume takes a switch that failed for one that did not", file: "resume.go",
		old: "return true, m.manifest.Switch()", new: "_ = m.manifest.Switch()\n\treturn true, nil",
		test: "TestResume_BehindASwitchThatFailedBothStatesOpen",
	},
	{
		name: "Resume removes what a switch that failed may have put in force", file: "resume.go",
		old: "\tcase switching:\n\t\tdb.uncertainNow(m)\n", new: "\tcase switching:\n\t\tdb.discard(m)\n",
		test: "TestResume_BehindASwitchThatFailedBothStatesOpen",
	},
	{
		name: "a Resume that failed leaves files", file: "resume.go",
		old: "\tdefault:\n\t\tdb.discard(m)\n\t}\n\tdb.mems.put(table)", new: "\tdefault:\n\t}\n\tdb.mems.put(table)",
		test: "TestResume_ThatFailsBeforeItsSwitchLeavesNoFiles",
	},
	{
		name: "Resume begins a segment whose number is taken", file: "resume.go",
		old: "last := db.log.Load().Number() + 1", new: "last := db.log.Load().Number() - 1",
		test: "TestResume_BehindASwitchThatFailedBothStatesOpen",
	},
	{
		name: "Resume begins a segment whose number a Resume before took", file: "resume.go",
		old: "last = max(last, m.Number())", new: "_ = m.Number()",
		test: "TestResume_BehindASwitchThatFailedBothStatesOpen",
	},
	{
		name: "Resume forgets what was published after the tables", file: "resume.go",
		old: "LastSeq:  key.SeqNum(db.visible.Load()),", new: "LastSeq:  db.inForce().State().LastSeq,",
		test: "TestResume_ThatFailsAtAnyCallMayBeCalledAgain",
	},
	{
		name: "Resume serves what it brought home twice", file: "resume.go",
		old: "newReadState(active, nil, tr)", new: "newReadState(active, now.sealed, tr)",
		test: "TestResume_AmongWritersAndReaders", dies: true,
	},
	{
		name: "Resume forgets the tables from before", file: "resume.go",
		old: "Version: s.tree.version, Spaces", new: "Version: &manifest.Version{}, Spaces",
		test: "TestResume_ThatFailsAtAnyCallMayBeCalledAgain",
	},
	{
		name: "Resume does not wait for background work", file: "resume.go",
		old: "for db.flushes.running || db.jobs.running > 0 || db.jobs.claims.Len() > 0 || db.preparing.Load() || db.renewing {", new: "for false {",
		test: "TestResume_WaitsForBackgroundWork", dies: true,
	},
	{
		name: "after Resume no background work begins", file: "resume.go",
		old: "\tdefer db.wakeUp()\n", new: "",
		test: "TestResume_WaitsForBackgroundWork", dies: true,
	},
	{
		name: "Resume does not let a full disk be tried", file: "resume.go",
		old: "\tdb.logFiles.forget() // who calls Resume says that things have changed\n", new: "",
		test: "TestResume_HasAFullDiskTriedAtOnce",
	},
	{
		name: "Close of a failed store leaves what its log has lost", file: "open.go",
		old: "\terr = db.startAnew()\n", new: "\terr = failed\n",
		test: "TestClose_OfAFailedStoreBringsHomeWhatWasAcknowledged",
	},
	{
		name: "Close keeps the failure of a store secret", file: "open.go",
		old: "return err == nil, errors.Join(failed, err)", new: "return err == nil, err",
		test: "TestClose_OfAFailedStoreBringsHomeWhatWasAcknowledged",
	},
}
