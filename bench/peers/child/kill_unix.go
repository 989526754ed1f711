//go:build unix

package child

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// AckFile is the name of the file in which a child that is about to be killed counts the writes that were acknowledged, by a shared
// mapping: what is stored there outlives the process at once. Directory is that of the stores.
func AckFile(dir string) string { return dir + ".acks" }

const ackBytes = 8

// writeUntilKilled writes keys in random order, one after the other, and does not return before ctx ends.
func (p *process) writeUntilKilled(ctx context.Context) error {
	acks, err := mapAcks(AckFile(p.Dir))
	if err != nil {
		return err
	}
	if err := p.bench.WriteCounted(func(n uint64) { acks.Store(n) }); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func mapAcks(name string) (*atomic.Uint64, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(ackBytes); err != nil {
		return nil, err
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, ackBytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*atomic.Uint64)(unsafe.Pointer(&data[0])), nil // the start of a page: aligned, and never unmapped
}

// ReadAcks returns how many writes were acknowledged so far.
func ReadAcks(dir string) (uint64, error) {
	text, err := os.ReadFile(AckFile(dir))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) < ackBytes { // the child has not begun
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.NativeEndian.Uint64(text), nil
}

// countAcknowledged looks up all that was acknowledged before the process was killed that had the store before.
func (p *process) countAcknowledged(s Step) error {
	acked, err := ReadAcks(p.Dir)
	if err != nil {
		return err
	}
	lost, err := p.bench.CountLost(acked)
	if err != nil {
		return fmt.Errorf("after %d acknowledged writes: %w", acked, err)
	}
	r := p.newRow(s)
	r.Acknowledged, r.Lost = acked, lost
	return p.report(r)
}
