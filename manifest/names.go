package manifest

import (
	"fmt"
	"strconv"
	"strings"
)

// FileNum numbers the files of a store, in order of creation. A number is never used twice.
type FileNum uint64

// MaxFileNum bounds the numbers that a store gives to its files: a thousand a second last for thousands
// of years. What bears a greater one is none of its files.
const MaxFileNum FileNum = 1 << 48

// FileKind says what a file in a store's directory is.
type FileKind int

// The kinds of file. FileUnknown is anything that a store did not make.
const (
	FileUnknown FileKind = iota
	FileCurrent
	FileCurrentTemp
	FileLock
	FileManifest
	FileLog
	FileTable
)

// Names of the files that exist once.
const (
	CurrentName     = "CURRENT"
	currentTempName = "CURRENT.tmp"
	LockName        = "LOCK"
)

const (
	manifestPrefix = "MANIFEST-"
	logSuffix      = ".wal"
	tableSuffix    = ".sst"
)

// Name returns the name of a numbered file.
func Name(kind FileKind, num FileNum) string {
	switch kind {
	case FileManifest:
		return fmt.Sprintf("%s%06d", manifestPrefix, num)
	case FileLog:
		return fmt.Sprintf("%06d%s", num, logSuffix)
	case FileTable:
		return fmt.Sprintf("%06d%s", num, tableSuffix)
	default:
		return ""
	}
}

// ParseName is the inverse of [Name], for the other files too.
func ParseName(name string) (FileKind, FileNum) {
	switch name {
	case CurrentName:
		return FileCurrent, 0
	case currentTempName:
		return FileCurrentTemp, 0
	case LockName:
		return FileLock, 0
	}
	kind, digits := FileUnknown, ""
	if rest, ok := strings.CutPrefix(name, manifestPrefix); ok {
		kind, digits = FileManifest, rest
	} else if rest, ok := strings.CutSuffix(name, logSuffix); ok {
		kind, digits = FileLog, rest
	} else if rest, ok := strings.CutSuffix(name, tableSuffix); ok {
		kind, digits = FileTable, rest
	}
	num, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || num > uint64(MaxFileNum) || Name(kind, FileNum(num)) != name {
		return FileUnknown, 0
	}
	return kind, FileNum(num)
}
