package planted

var fileBugs = []bug{
	{
		name: "a sync of a table reaches no disk", file: "vfs/os.go",
		old: "func (f osFile) Sync() error { return datasync(f.File) }", new: "func (f osFile) Sync() error { return nil }",
		test: "TestOS_EverySyncReachesTheSystem",
	},
	{
		name: "a sync of a log file reaches no disk", file: "vfs/os_log.go",
		old: "return datasync(l.f)", new: "return nil",
		test: "TestOS_EverySyncReachesTheSystem",
	},
	{
		name: "fdatasync is not called", file: "vfs/os_linux.go",
		old: "err := unix.Fdatasync(int(f.Fd()))", new: "err := error(nil)",
		test: "TestOS_EverySyncReachesTheSystem",
	},
	{
		name: "a sync of a directory reaches no disk", file: "vfs/os_unix.go",
		old: "err = f.Sync()", new: "err = nil",
		test: "TestOS_EverySyncReachesTheSystem",
	},
	{
		name: "the name of a new store is not synced", file: "vfs/os.go",
		old: "return fsys.SyncDir(parent)", new: "return nil",
		test: "TestOS_MkdirAllSyncsTheParent",
	},
	{
		name: "others may read files", file: "vfs/os.go",
		old: "fileMode = 0o600", new: "fileMode = 0o644",
		test: "TestOS_ModesDoNotDependOnTheUmask",
	},
	{
		name: "others may look into the directory", file: "vfs/os.go",
		old: "dirMode  = 0o700", new: "dirMode  = 0o755",
		test: "TestOS_ModesDoNotDependOnTheUmask",
	},
	{
		name: "the umask decides the mode of files", file: "vfs/os.go",
		old: "if err := f.Chmod(fileMode); err != nil", new: "if err := error(nil); err != nil",
		test: "TestOS_ModesDoNotDependOnTheUmask",
	},
	{
		name: "the umask decides the mode of the directory", file: "vfs/os.go",
		old: "if err := os.Chmod(dir, dirMode); err != nil {", new: nilError,
		test: "TestOS_ModesDoNotDependOnTheUmask",
	},
	{
		name: "a new file overwrites another", file: "vfs/os.go",
		old: "access|os.O_CREATE|os.O_EXCL", new: "access|os.O_CREATE|os.O_TRUNC",
		test: "TestOS_KeepsTheContract",
	},
	{
		name: "links are followed", file: "vfs/os_unix.go",
		old: "syscall.O_NOFOLLOW | syscall.O_NONBLOCK", new: "syscall.O_NONBLOCK",
		test: "TestOS_FollowsNoLink",
	},
	{
		name: "no lock is taken", file: "vfs/os.go",
		old: "ok, err := lock.TryLock()", new: "ok, err := true, error(nil)",
		test: "TestOS_LockNamesAnotherProcessAndEndsWithIt",
	},
	{
		name: "readers take no lock", file: "vfs/os.go",
		old: "ok, err := lock.TryRLock()", new: "ok, err := true, error(nil)",
		test: "TestOS_KeepsTheContract",
	},
	{
		name: "a lock file may be a link", file: "vfs/os.go",
		old:  "if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {\n\t\treturn nil, &fs.PathError{Op: \"lock\"",
		new:  "if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() && false {\n\t\treturn nil, &fs.PathError{Op: \"lock\"",
		test: "TestOS_FollowsNoLink",
	},
	{
		name: "a file that is cut ends the process: mapped reads", file: "vfs/guard.go",
		old: "old := debug.SetPanicOnFault(true)", new: "old := debug.SetPanicOnFault(false)",
		test: "TestOS_AFileCutUnderItsMappingIsAnError", dies: true,
	},
	{
		name: "a log that is cut ends the process", file: "vfs/os_log.go",
		old: "return copyGuarded(l.view[off:], p, l.view, l.f.Name())", new: "copy(l.view[off:], p)\n\treturn nil",
		test: "TestOS_ALogCutUnderItsMappingIsAnError", dies: true,
	},
	{
		name: "a write may leave the room of a log", file: "vfs/os_log.go",
		old: "\tif err := l.check(len(p), off); err != nil {\n\t\treturn 0, err", new: "\tif err := error(nil); err != nil {\n\t\treturn 0, err",
		test: "TestOS_KeepsTheContract",
	},
	{
		name: "a log keeps what it held before it grew, and not where", file: "vfs/os_log.go",
		old: "for off := l.size; off < size; {", new: "for off := int64(0); off < size; {",
		test: "TestOS_KeepsTheContract",
	},
	{
		name: "the cache is always the same", file: "vfs/os_linux.go",
		old: "return fmt.Sprintf(\"%s/%d\", strings.TrimSpace(string(text)), st.Mnt_id)", new: "_, _ = fmt.Sprint(), strings.TrimSpace(string(text))\n\treturn \"\"",
		test: "TestOS_CacheIDIsKnown",
	},
	{
		name: "a fault elsewhere is taken for one of the mapping", file: "vfs/guard.go",
		old: "if at < start || at-start >= uintptr(len(view)) {", new: "if at < start {",
		test: "TestFaultOn_IsAboutAddressesWithinTheView",
	},
}
