package simfs

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Kind says what a call does.
type Kind uint8

// Kinds of calls that change what the disk holds or may come to hold. Each such call is an
// operation and has an index.
const (
	OpCreate  Kind = iota + 1 // Create, CreateLog, and a Lock that makes its file
	OpWrite                   // Write, WriteAt, WriteMapped
	OpExtend                  // Extend to more than the present size
	OpSync                    // Sync, Datasync
	OpSyncDir                 // SyncDir
	OpRename                  // Rename
	OpRemove                  // Remove
	OpMkdir                   // MkdirAll of what is not there yet
)

// Kinds of calls that change nothing. They have no index, but they can be made to fail.
const (
	OpOpen  Kind = iota + 32 // Open
	OpMap                    // Map
	OpRead                   // ReadAt of a file, log or mapping, and Populate
	OpStat                   // Stat, Size of a file
	OpList                   // List
	OpLock                   // Lock
	OpClose                  // Close of a file, log or mapping, which closes it all the same
)

// Changes tells whether calls of this kind are operations.
func (k Kind) Changes() bool { return k >= OpCreate && k <= OpMkdir }

// String returns the word used in traces and errors.
func (k Kind) String() string {
	switch k {
	case OpCreate:
		return "create"
	case OpWrite:
		return "write"
	case OpExtend:
		return "extend"
	case OpSync:
		return "sync"
	case OpSyncDir:
		return "dirsync"
	case OpRename:
		return "rename"
	case OpRemove:
		return "remove"
	case OpMkdir:
		return "mkdir"
	case OpOpen:
		return "open"
	case OpMap:
		return "map"
	case OpRead:
		return "read"
	case OpStat:
		return "stat"
	case OpList:
		return "list"
	case OpLock:
		return "lock"
	case OpClose:
		return "close"
	default:
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
}

// Op describes one call.
type Op struct {
	Index   int    // from 1, without gaps; 0 for calls that change nothing
	Kind    Kind   // what was called
	Name    string // cleaned path of the file or directory, as it is called now
	NewName string // cleaned new path of a rename
	Off     int64  // first byte of a write, growth or read
	N       int64  // bytes written, grown by or read
	Err     error  // why the call was made to fail; nil when it worked
}

// String returns one line without the directories of the names, such as
// "12 write 000003.wal off=128 n=57". A call that was made to fail ends in "!" and the error.
func (op Op) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %v %s", op.Index, op.Kind, filepath.Base(op.Name))
	switch op.Kind {
	case OpWrite, OpExtend, OpRead:
		fmt.Fprintf(&b, " off=%d n=%d", op.Off, op.N)
	case OpRename:
		fmt.Fprintf(&b, " -> %s", filepath.Base(op.NewName))
	}
	if op.Err != nil {
		fmt.Fprintf(&b, " !%v", op.Err)
	}
	return b.String()
}

// Trace is a list of operations, oldest first.
type Trace []Op

// String returns one line for each operation.
func (t Trace) String() string {
	var b strings.Builder
	for _, op := range t {
		b.WriteString(op.String())
		b.WriteByte('\n')
	}
	return b.String()
}
