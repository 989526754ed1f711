package tinykv

import (
	"fmt"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
	"github.com/tinykv/tinykv/vfs"
)

// Limits of keys, values and batches, in bytes.
const (
	is64Bit = bits.UintSize / 64 // 1 or 0

	maxKeyLen   = key.MaxUserLen
	maxValueLen = 64<<20 + is64Bit*(1<<30-64<<20)
	maxBatchLen = 64<<20 + is64Bit*(2<<30-64<<20) + (1-is64Bit)*(1<<20) // one operation of any allowed size fits
)

// Durability says when a write returns, if the call itself does not say.
type Durability int

const (
	// DurabilityPeriodic returns when the operating system has the write: it survives the death of
	// the process. It survives power loss once it is synced, at most Options.SyncInterval later.
	DurabilityPeriodic Durability = iota

	// DurabilitySync returns when the write is on stable storage. Writers that wait at the same
	// time share one sync.
	DurabilitySync
)

// Mapping says how tables are read.
type Mapping int

const (
	// MapAuto reads tables where they are mapped into memory: quick, without a copy, and what is
	// kept in memory is for the system to say. Where there is no mapping it does as MapOff.
	MapAuto Mapping = iota

	// MapOff reads tables by system calls. Indexes and filters are kept in memory for as long as a
	// table is in use; each block that is read is copied and verified anew. It is many times slower,
	// and for storage below a mapping that cannot be trusted, or where address space is short.
	MapOff
)

// Compression says which data blocks are stored compressed. Each is, of those it says, that becomes
// smaller by an eighth; all others are stored, and read, as they are. Level 0, which is what was
// written last, is never compressed.
//
// What a store holds stays readable under any choice. A new choice takes hold where tables are written
// anew: as time goes by, or at once by [DB.Compact].
type Compression int

const (
	// CompressionDefault compresses the last two levels by S2, which hold most of the data, and reads
	// the levels above, which are smaller and busier, where they lie.
	CompressionDefault Compression = iota

	// CompressionNone reads everything where it lies.
	CompressionNone

	// CompressionS2 compresses all levels below 0 by S2. It is quick: 1.5 µs to decompress a block
	// of 4 KiB.
	CompressionS2

	// CompressionZstd compresses all levels below 0 by zstd. Tables become smaller than by S2;
	// decompressing takes four times as long, compressing ten.
	CompressionZstd
)

// compressedLevels is how many levels CompressionDefault compresses.
const compressedLevels = 2

// levels returns the compression of each level.
func (c Compression) levels() (levels [manifest.NumLevels]sstable.Compression) {
	for i := range levels {
		switch {
		case i == 0:
		case c == CompressionS2, c == CompressionDefault && i >= len(levels)-compressedLevels:
			levels[i] = sstable.S2
		case c == CompressionZstd:
			levels[i] = sstable.Zstd
		}
	}
	return levels
}

// Options configure a store. The zero value of every field means its default. Sizes are in bytes.
type Options struct {
	// Behaviour.

	// Durability of writes that do not choose by [Sync] or [NoSync].
	// Default: DurabilityPeriodic.
	Durability Durability

	// SyncInterval bounds the age of what power loss can take under DurabilityPeriodic. An idle
	// store does not sync. Default: 100 ms.
	SyncInterval time.Duration

	// ErrorIfExists makes Open fail with ErrExists where a store exists, ErrorIfMissing with
	// ErrMissing where none does. Default: open what is there, create what is not.
	ErrorIfExists, ErrorIfMissing bool

	// ReadOnly opens a store that is there without changing a byte of its directory, so that it may lie
	// on a medium that cannot be written to. Any number of such openers may share a store, but not
	// with one that writes: that gets ErrLocked, as they do while it is open. (Where no LOCK file can
	// be opened, nobody is kept away.) What the log holds is read into memory and stays there. Every
	// write, Flush and Compact returns ErrReadOnly. Default: false.
	ReadOnly bool

	// LockTimeout is how long Open waits for another opener to close. Default: not at all.
	LockTimeout time.Duration

	// FS is the file system. Default: the operating system's. vfs.NewMem() makes a store that lives
	// in memory.
	FS vfs.FS

	// MergeOperator says what Merge makes of values and operands. It is the store's from the first opening that
	// names one: an opening with another one fails, and one that leaves it nil gets the store's, as far as that
	// is built in. Default: none in a new store, where Merge is an error.
	MergeOperator MergeOperator

	// Clock is the time by which values expire. It may go back, and jump: see docs/GUARANTEES.md. It is called by
	// several goroutines at once, which may hold locks of the store, so that it must not use that, nor panic; and not at all where nothing expires. Default: time.Now.
	Clock func() time.Time

	// Logger is told of background failures and recoveries. It may read from the store and ask for
	// Metrics, but must not write to it or wait for it: writers may be waiting for the logger. It must not panic.
	// Default: nobody.
	Logger *slog.Logger

	// Events are called when something happens, see there. Default: none.
	Events *Events

	// Performance.

	// MemoryBudget is how much memory the store may use in all: memtables, cache with the garbage
	// beside it, buffers, indexes, iterators. Mapped files are not counted: how much of them is in
	// memory is for the system to say. Raising it leaves more for the cache. Default: a sixteenth of
	// what the process may use (GOMEMLIMIT, the control group, or the machine), from 64 to 256 MiB,
	// or as much as MemTableSize and CacheSize need where these are chosen; from 1 MiB to 1 TiB.
	MemoryBudget int64

	// MemTableSize is how much is buffered in memory before it is written to a table. Raising it
	// makes fewer, larger tables and saves compaction; it slows down each insertion somewhat, and
	// up to four such buffers exist, or more that are small, up to 8 MiB. Default: a twelfth of
	// MemoryBudget, or a thirtieth where that is below 1 MiB; at most 16 MiB; from 64 KiB to 1 GiB.
	MemTableSize int64

	// TableSize is the size at which a compaction ends a table. Raising it makes fewer files and
	// coarser compactions. Default: half of MemTableSize; from 32 KiB to 1 GiB.
	TableSize int64

	// MaxBackground is how many goroutines may merge tables at once, beside the one that writes
	// memtables to tables. Raising it lets compactions keep up with more writing, as long as there
	// are processors and the disk is not the limit. Default: GOMAXPROCS, from 2 to 4; from 1 to 64.
	MaxBackground int

	// CompactionRate bounds how many bytes per second are written to tables. Compactions wait for
	// their turn; writing memtables to tables counts but never waits. A rate below what the store
	// needs makes it slow writers down. Default: 0, unlimited; at least 64 KiB.
	CompactionRate int64

	// BlockSize is the size at which a data block ends, the unit that is verified on first touch.
	// Raising it makes indexes smaller. Default: 4 KiB; from 256 B to 1 MiB.
	BlockSize int64

	// Compression says which data blocks are compressed. It makes a store smaller; a block that is
	// read must be decompressed, unless it is in the cache. Default: CompressionDefault.
	Compression Compression

	// CacheSize is how much memory may be used for blocks that were decompressed. Raising it makes
	// reads of compressed data faster; nothing else is cached, what is not compressed is read where
	// the system has it. It is taken only as compressed blocks are read. Default: half of
	// what memtables and an eighth for the rest leave of MemoryBudget; -1 for none; from 64 KiB to 1 TiB.
	CacheSize int64

	// BloomBitsPerKey is the size of the tables' filters. Raising it makes reads of absent keys
	// touch fewer blocks: 10 lets 1 % pass, 12 0.4 %. Default: 10; -1 for none; at most 64.
	BloomBitsPerKey int

	// Mapping says how tables are read. Default: MapAuto.
	Mapping Mapping

	// For tests in this package.
	internal internalOptions
}

// internalOptions are seams for tests.
type internalOptions struct {
	// inline makes background work run on the goroutines that use the store: when they would have
	// to wait for it, and at the end of every write for which inline returns true. So the same
	// calls do the same things in the same order.
	inline func() bool

	// random replaces the random numbers that identify files.
	random func() uint64

	// hook is told when a step begins and ends: "flush", "compact", "manifest", "recover".
	hook func(step string, begins bool)

	// manifestGrowth replaces the number of bytes by which a manifest may grow.
	manifestGrowth int64

	// sampleEvery replaces the number of calls of which one is looked at for Metrics.
	sampleEvery uint64

	// noDelay lets writers run free until they must wait, to see what the delay is good for.
	noDelay bool
}

const (
	minSyncInterval = time.Millisecond

	minMemTable, maxMemTable = 64 << 10, 1 << 30
	minTable, maxTable       = 32 << 10, 1 << 30
	minBlock, maxBlock       = 256, 1 << 20
	minCache, maxCache       = 64 << 10, 1 << 40
	maxBloomBits             = 64

	// A single core has use for a second compaction, too: each waits for the disk half of the time.
	minDefaultBackground, maxDefaultBackground = 2, 4
	maxBackground                              = 64

	minCompactionRate = 64 << 10
)

// complete returns a validated copy in which every field has its value. A nil o has all defaults.
func (o *Options) complete() (*Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	setDefault(&c.SyncInterval, 100*time.Millisecond)
	if c.MemoryBudget != 0 && (c.MemoryBudget < minBudget || c.MemoryBudget > maxBudget) {
		return nil, invalid("MemoryBudget", c.MemoryBudget, "1 MiB to 1 TiB, in bytes")
	}
	c.divideBudget()
	setDefault(&c.TableSize, max(min(c.MemTableSize/2, maxTable), minTable))
	setDefault(&c.BlockSize, 4<<10)
	setDefault(&c.BloomBitsPerKey, 10)
	setDefault(&c.MaxBackground, min(max(runtime.GOMAXPROCS(0), minDefaultBackground), maxDefaultBackground))
	setDefault(&c.internal.manifestGrowth, 1<<20)
	setDefault(&c.internal.sampleEvery, sampleEvery)
	if c.FS == nil {
		c.FS = vfs.OS()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	var events Events
	if c.Events != nil {
		events = *c.Events
	}
	c.Events = &events
	if c.internal.random == nil {
		c.internal.random = rand.Uint64
	}
	if c.internal.hook == nil {
		c.internal.hook = func(string, bool) {}
	}
	return &c, c.validate()
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func invalid(field string, value any, want string) error {
	return fmt.Errorf("%w: %s is %v, want %s", ErrInvalidOption, field, value, want)
}

func exclude(field, other string) error {
	return fmt.Errorf("%w: %s and %s exclude each other; choose one", ErrInvalidOption, field, other)
}

func (o *Options) validate() error {
	switch {
	case o.Durability != DurabilityPeriodic && o.Durability != DurabilitySync:
		return invalid("Durability", int(o.Durability), "DurabilityPeriodic or DurabilitySync")
	case o.SyncInterval < minSyncInterval:
		return invalid("SyncInterval", o.SyncInterval, "1 ms or more")
	case o.ErrorIfExists && o.ErrorIfMissing:
		return exclude("ErrorIfExists", "ErrorIfMissing")
	case o.ErrorIfExists && o.ReadOnly:
		return exclude("ErrorIfExists", "ReadOnly")
	case o.LockTimeout < 0:
		return invalid("LockTimeout", o.LockTimeout, "0 or more")
	case o.MemTableSize < minMemTable || o.MemTableSize > maxMemTable:
		return invalid("MemTableSize", o.MemTableSize, "64 KiB to 1 GiB, in bytes")
	case o.TableSize < minTable || o.TableSize > maxTable:
		return invalid("TableSize", o.TableSize, "32 KiB to 1 GiB, in bytes")
	case o.MaxBackground < 1 || o.MaxBackground > maxBackground:
		return invalid("MaxBackground", o.MaxBackground, "1 to 64")
	case o.CompactionRate != 0 && o.CompactionRate < minCompactionRate:
		return invalid("CompactionRate", o.CompactionRate, "0 for unlimited, or 64 KiB per second and more")
	case o.BlockSize < minBlock || o.BlockSize > maxBlock:
		return invalid("BlockSize", o.BlockSize, "256 B to 1 MiB, in bytes")
	case o.Compression < CompressionDefault || o.Compression > CompressionZstd:
		return invalid("Compression", int(o.Compression), "CompressionDefault, CompressionNone, CompressionS2 or CompressionZstd")
	case o.CacheSize != -1 && (o.CacheSize < minCache || o.CacheSize > maxCache):
		return invalid("CacheSize", o.CacheSize, "64 KiB to 1 TiB, in bytes, or -1 for none")
	case o.BloomBitsPerKey < -1 || o.BloomBitsPerKey > maxBloomBits:
		return invalid("BloomBitsPerKey", o.BloomBitsPerKey, "1 to 64, or -1 for none")
	case o.Mapping != MapAuto && o.Mapping != MapOff:
		return invalid("Mapping", int(o.Mapping), "MapAuto or MapOff")
	}
	if err := checkOperator(o.MergeOperator); err != nil {
		return err
	}
	return o.checkBudget()
}

// WriteOption changes how one write is done. The options are [Sync], [NoSync], [TTL] and [ExpireAt].
type WriteOption uint64

const (
	// Sync makes the call return only when the write, and every write before it, is on stable
	// storage.
	Sync WriteOption = 1

	// NoSync makes the call return when the operating system has the write.
	NoSync WriteOption = 2
)

// wantsSync tells whether a write with these options, which writes no value of its own, waits for stable storage.
func (o *Options) wantsSync(opts []WriteOption) (bool, error) {
	sync := o.Durability == DurabilitySync
	for _, opt := range opts {
		switch opt {
		case Sync:
			sync = true
		case NoSync:
			sync = false
		default:
			return false, otherOption(opt)
		}
	}
	return sync, nil
}
