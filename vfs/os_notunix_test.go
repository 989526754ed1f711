//go:build !unix

package vfs_test

// holdersAreKnown tells whether a lock file can be read while it is locked.
const holdersAreKnown = false
