package simfs

import "fmt"

// Policy says which unsynced operations a crash leaves. In every image the operations that were
// left stand in the order in which they were made. A value that is none of the constants leaves what
// was synced.
type Policy uint8

// The policies. Operations on names are lost and kept like those on contents, unless the comment
// says otherwise. "By coin" means each one alone, with even odds; where no more than three coins are
// tossed, [FS.Images] shows every outcome.
const (
	// KillProcess leaves the page cache as it is: the process died and the system did not. What was
	// unsynced still is, so that a power cut can follow. The boot id stays, locks are free. All
	// other policies are power cuts, after which everything that is left is on the disk.
	KillProcess Policy = iota + 1

	// KeepAll loses nothing.
	KeepAll

	// DropAll leaves what was synced.
	DropAll

	// Prefixes leaves the first operations and loses the others. One image for each length, from
	// none to all.
	Prefixes

	// Omissions loses one operation and leaves all others. One image for each.
	Omissions

	// RandomSubset loses operations by coin.
	RandomSubset

	// Torn512 loses single aligned 512-byte blocks of operations on contents.
	//
	// First come images in which the newest of them is cut behind each of its blocks, and
	// before the first, and all else is left. Then random ones: names by coin; of each operation on
	// contents, as often as not the end is gone from some block on, blocks before that are lost by
	// coin, and by another coin the file has its length all the same.
	Torn512

	// Torn4096 is Torn512 with blocks of 4096 bytes.
	Torn4096

	// LaterWithoutEarlier leaves of each file's contents only the newest operation; names by coin.
	LaterWithoutEarlier

	// LostNames leaves all contents and loses names by coin. The first image has lost them all.
	LostNames
)

// Policies returns all policies.
func Policies() []Policy {
	return []Policy{
		KillProcess, KeepAll, DropAll, Prefixes, Omissions,
		RandomSubset, Torn512, Torn4096, LaterWithoutEarlier, LostNames,
	}
}

// String returns the name of the constant.
func (p Policy) String() string {
	switch p {
	case KillProcess:
		return "KillProcess"
	case KeepAll:
		return "KeepAll"
	case DropAll:
		return "DropAll"
	case Prefixes:
		return "Prefixes"
	case Omissions:
		return "Omissions"
	case RandomSubset:
		return "RandomSubset"
	case Torn512:
		return "Torn512"
	case Torn4096:
		return "Torn4096"
	case LaterWithoutEarlier:
		return "LaterWithoutEarlier"
	case LostNames:
		return "LostNames"
	default:
		return fmt.Sprintf("Policy(%d)", uint8(p))
	}
}

// blockBytes returns the size of what is lost as one piece under a policy that tears, or 0.
func (p Policy) blockBytes() int64 {
	switch p {
	case Torn512:
		return 512
	case Torn4096:
		return 4096
	default:
		return 0
	}
}
