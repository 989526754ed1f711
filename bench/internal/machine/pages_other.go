//go:build !linux

package machine

// pageProbes is empty: there is no way here to have pages that are not huge.
func pageProbes() []probe { return nil }
