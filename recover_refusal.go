package tinykv

import (
	"fmt"
	"path/filepath"

	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/vfs"
)

// errorOfDisk makes of the failure of an opening what its user should know when the disk is full; other failures
// stay as they are. The files that the opening made are gone again. Likewise where nothing may be written.
func errorOfDisk(dir string, o *Options, err error) error {
	if vfs.IsRefused(err) {
		return fmt.Errorf("%w; a store that may not be written to is opened with Options.ReadOnly", err)
	}
	if !vfs.IsFull(err) {
		return err
	}
	l, listErr := list(o, dir)
	if listErr != nil {
		return err
	}
	need := sizeText(roomToOpen(dir, o, l))
	if !l.hasCurrent {
		return fmt.Errorf("the disk is full; make room, about %s for a new store: %w", need, err)
	}
	return fmt.Errorf("the disk is full; nothing is lost: make room, about %s for what the log holds, and open the store again; "+
		"Options.ReadOnly needs no room and reads all of it meanwhile: %w", need, err)
}

// roomToOpen returns about how many bytes an opening writes before it removes what it has replaced, rather too
// many than too few: tables of what the log holds, with their filters and indexes, a log and a manifest.
func roomToOpen(dir string, o *Options, l *listing) int64 {
	const fixed = firstLogSegment + 128<<10
	var logs, manifests int64
	for _, num := range l.logs {
		logs += sizeOf(o, filepath.Join(dir, manifest.Name(manifest.FileLog, num)))
	}
	for _, num := range l.manifests {
		manifests = max(manifests, sizeOf(o, filepath.Join(dir, manifest.Name(manifest.FileManifest, num))))
	}
	return logs + logs/4 + manifests + fixed
}

func sizeOf(o *Options, path string) int64 {
	info, err := o.FS.Stat(path)
	if err != nil {
		return 0
	}
	return info.SizeBytes
}
