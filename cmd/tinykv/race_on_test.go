//go:build race

package main

// raceDetector tells whether this program looks for races.
const raceDetector = true
