package manifest

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestName_RoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	nums := []FileNum{0, 1, 7, 999999, 1000000, MaxFileNum}
	for range 100 {
		nums = append(nums, FileNum(rng.Uint64()>>(16+rng.IntN(48))))
	}
	for _, kind := range []FileKind{FileManifest, FileLog, FileTable} {
		for _, num := range nums {
			if k, n := ParseName(Name(kind, num)); k != kind || n != num {
				t.Errorf("%s is read as kind %d, number %d", Name(kind, num), k, n)
			}
		}
	}
}

// A number that leaves no room for those to come would brick a store: what bears one is not its file.
func TestParseName_NumbersHaveABound(t *testing.T) {
	for _, num := range []FileNum{MaxFileNum + 1, math.MaxUint64 - 1, math.MaxUint64} {
		for _, kind := range []FileKind{FileManifest, FileLog, FileTable} {
			if k, _ := ParseName(Name(kind, num)); k != FileUnknown {
				t.Errorf("%s is taken for a file of the store", Name(kind, num))
			}
		}
	}
}

func TestName_IsAtLeastSixDigits(t *testing.T) {
	for name, got := range map[string]string{
		"MANIFEST-000007": Name(FileManifest, 7),
		"000007.wal":      Name(FileLog, 7),
		"000007.sst":      Name(FileTable, 7),
		"1000000.sst":     Name(FileTable, 1000000),
		"":                Name(FileCurrent, 7),
	} {
		same(t, got, name)
	}
}

func TestParseName_KnowsTheFilesThatExistOnce(t *testing.T) {
	for name, want := range map[string]FileKind{"CURRENT": FileCurrent, "CURRENT.tmp": FileCurrentTemp, "LOCK": FileLock} {
		if kind, num := ParseName(name); kind != want || num != 0 {
			t.Errorf("%s: kind %d, number %d", name, kind, num)
		}
	}
}

func TestParseName_NearMissesAreUnknown(t *testing.T) {
	for _, name := range []string{
		"", "current", "CURRENT ", "CURRENT.bak", "CURRENT.tmp2", "LOCK.", "lock",
		"MANIFEST", "MANIFEST-", "MANIFEST-7", "MANIFEST-00000x", "MANIFEST-000007.bak", "manifest-000007", "MANIFEST--00007",
		"MANIFEST-0000007", "MANIFEST-99999999999999999999", "MANIFEST-000007.sst",
		"7.sst", "000007", ".sst", "000007.SST", "000007.sst~", "0000007.sst", "+00007.sst", "-00007.sst", "0x0007.sst",
		"00000７.sst", "000007.ldb", "000007.wal.sst", " 000007.wal", "99999999999999999999.wal", "18446744073709551616.wal", "dir/000007.sst",
	} {
		if kind, num := ParseName(name); kind != FileUnknown || num != 0 {
			t.Errorf("%q: kind %d, number %d", name, kind, num)
		}
	}
}
