//go:build race

package sstable

// raceDetector says that sync.Pool drops what it is given now and then, on purpose: allocations cannot
// be counted.
const raceDetector = true
