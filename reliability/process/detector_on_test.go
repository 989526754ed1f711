//go:build race

package process_test

// detector says whether the race detector looks on.
const detector = "under the race detector"
