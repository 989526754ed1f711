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
	// other policies but KillInWrite are power cuts, after which everything that is left is on the disk.
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
	// coin, and by another coin the file has its length all the same, of the whole operation or up to where its
	// end is gone. Now and then the file ends at some byte between its synced length and its newest.
	Torn512

	// Torn4096 is Torn512 with blocks of 4096 bytes.
	Torn4096

	// LaterWithoutEarlier leaves of each file's contents only the newest operation; names by coin.
	LaterWithoutEarlier

	// LostNames leaves all contents and loses names by coin. The first image has lost them all.
	LostNames

	// NewestBlock leaves of each file's contents only the last aligned 512-byte block of the newest
	// operation; names by coin.
	NewestBlock

	// Garbled is Torn512, but behind the first block of a write there may stand anything where a block is
	// lost, as far as the write went: noise, zeros or ones, and not only what was there before. The first
	// block is old or new, and the growth of a file by [vfs.Log.Extend] stays zeros. It is the one policy
	// under which a byte may be neither old nor new.
	Garbled

	// KillInWrite is KillProcess in the middle of the newest operation, if that copies into a mapping
	// ([vfs.Log.WriteMapped]), where a process can die at any instruction. First come images in which the
	// copy ends at each byte, then random ones with an end of it or some of its words.
	KillInWrite
)

// Policies returns all policies.
func Policies() []Policy {
	return []Policy{
		KillProcess, KeepAll, DropAll, Prefixes, Omissions,
		RandomSubset, Torn512, Torn4096, LaterWithoutEarlier, LostNames, NewestBlock, Garbled, KillInWrite,
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
	case NewestBlock:
		return "NewestBlock"
	case Garbled:
		return "Garbled"
	case KillInWrite:
		return "KillInWrite"
	default:
		return fmt.Sprintf("Policy(%d)", uint8(p))
	}
}

// CutsPower tells whether the policy is a power cut, and not the death of the process alone.
func (p Policy) CutsPower() bool { return p != KillProcess && p != KillInWrite }

// blockBytes returns the size of what is lost as one piece under a policy that tears, or 0.
func (p Policy) blockBytes() int64 {
	switch p {
	case Torn512, NewestBlock, Garbled:
		return 512
	case Torn4096:
		return 4096
	default:
		return 0
	}
}
