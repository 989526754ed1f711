package load

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// Ledger is a file that the child and its parent have mapped. Every word in it has one writer. It is stored by one instruction
// where the byte order of the machine is used, so that a kill leaves it old or new.
//
//	offset  words of 8 bytes
//	0       process number of the child
//	8       State
//	16      asked: the parent sets it to 1 to have the child close the store and end
//	24      openings of the store
//	32      commits that were acknowledged after one had failed for good
//	4096    texts of 1 KiB: length, bytes
//	16384   of each writer, 128 bytes apart: issued, acknowledged, synced, failures, longest call in microseconds, acknowledgements
type Ledger struct{ bytes []byte }

const (
	wordPID, wordState, wordAsked, wordOpenings, wordAckedLate = 0, 8, 16, 24, 32

	textsAt, textBytes  = 4096, 1024
	writersAt, perWrite = 16384, 128
	ledgerBytes         = writersAt + MaxWriters*perWrite
)

// Words of a writer.
const (
	wordIssued = 8 * iota
	wordAcked
	wordSynced
	wordFailures
	wordLongest
	wordAcks
)

// Texts.
const (
	textViolation = textsAt + iota*textBytes
	textFailure
	textClose
)

// State is what the child is doing.
type State uint64

// The states, in the order in which a child goes through them; it goes back to Opening if Config.ReopenEvery says so.
const (
	Starting State = iota
	Opening        // has called Open
	Writing
	Failed  // the store takes no writes any more; it has been read meanwhile
	Closing // has called Close
	Closed
)

// OpenLedger maps a ledger, making it if there is none.
func OpenLedger(name string) (*Ledger, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < ledgerBytes { // zeros, not a hole, in which a store could meet a full disk
		if _, err := f.WriteAt(make([]byte, ledgerBytes), 0); err != nil {
			return nil, err
		}
	}
	b, err := unix.Mmap(int(f.Fd()), 0, ledgerBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &Ledger{b}, nil
}

// Close gives up the mapping.
func (l *Ledger) Close() error { return unix.Munmap(l.bytes) }

func (l *Ledger) get(off int) uint64    { return binary.NativeEndian.Uint64(l.bytes[off:]) }
func (l *Ledger) set(off int, v uint64) { binary.NativeEndian.PutUint64(l.bytes[off:], v) }

func ofWriter(w, word int) int { return writersAt + w*perWrite + word }

// note stores a text, of which the first counts.
func (l *Ledger) note(text int, s string) {
	if l.get(text) != 0 {
		return
	}
	n := copy(l.bytes[text+8:text+textBytes], s)
	l.set(text, uint64(n))
}

func (l *Ledger) text(text int) string {
	n := min(l.get(text), textBytes-8)
	return string(l.bytes[text+8 : text+8+int(n)])
}

// State tells what the child is doing, or was when it died.
func (l *Ledger) State() State { return State(l.get(wordState)) }

// PID returns the process number of the child, 0 before it runs.
func (l *Ledger) PID() int { return int(l.get(wordPID)) }

// Openings returns how many openings of the store have succeeded, over all children.
func (l *Ledger) Openings() uint64 { return l.get(wordOpenings) }

// Violation tells what the child saw that must not be; empty: nothing.
func (l *Ledger) Violation() string { return l.text(textViolation) }

// Failure tells of the first error of a write or an opening in this life.
func (l *Ledger) Failure() string { return l.text(textFailure) }

// CloseFailure tells what Close returned last in this life.
func (l *Ledger) CloseFailure() string { return l.text(textClose) }

// perWriter returns a word of the first n writers.
func (l *Ledger) perWriter(n, word int) []uint64 {
	words := make([]uint64, n)
	for w := range words {
		words[w] = l.get(ofWriter(w, word))
	}
	return words
}

// sum adds up a word of all writers.
func (l *Ledger) sum(word int) (total uint64) {
	for _, n := range l.perWriter(MaxWriters, word) {
		total += n
	}
	return total
}

// Acks returns how many writes were acknowledged, over all lives.
func (l *Ledger) Acks() uint64 { return l.sum(wordAcks) }

// Failures returns how many writes have returned an error in this life.
func (l *Ledger) Failures() uint64 { return l.sum(wordFailures) }

// AckedLate returns how many writes were acknowledged after the store had failed for good, in this life. It must be 0.
func (l *Ledger) AckedLate() uint64 { return l.get(wordAckedLate) }

// Longest returns for how many microseconds the longest write has been going on in this life.
func (l *Ledger) Longest() uint64 {
	longest := uint64(0)
	for _, n := range l.perWriter(MaxWriters, wordLongest) {
		longest = max(longest, n)
	}
	return longest
}

// Found says how many commits of each writer there are, after something that may take acknowledged ones. The next child starts from
// there.
func (l *Ledger) Found(found []uint64) {
	for w, n := range found {
		for _, word := range []int{wordIssued, wordAcked, wordSynced} {
			l.set(ofWriter(w, word), n)
		}
	}
}

// begin makes the ledger ready for another life.
func (l *Ledger) begin() {
	for _, off := range []int{wordPID, wordState, wordAsked, wordAckedLate, textViolation, textFailure, textClose} {
		l.set(off, 0)
	}
	for w := range MaxWriters {
		l.set(ofWriter(w, wordFailures), 0)
		l.set(ofWriter(w, wordLongest), 0)
	}
}
