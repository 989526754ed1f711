//go:build !race

package sstable

const raceDetector = false
