//go:build !unix

package vfs

// openNoFollow has no counterpart here; openRegular still refuses what is not a plain file.
const openNoFollow = 0

// SyncDir does nothing: on these systems names are made durable with the file, or not at all.
func (osFS) SyncDir(string) error { return nil }
