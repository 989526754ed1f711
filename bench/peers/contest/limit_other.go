//go:build !linux

package contest

import "errors"

func limitMemory(bytes int64) (dir string, remove func(), err error) {
	if bytes == 0 {
		return "", func() {}, nil
	}
	return "", nil, errors.New("memory can be limited on Linux only; run without -memory-limit")
}
