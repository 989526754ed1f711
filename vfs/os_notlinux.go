//go:build !linux

package vfs

import (
	"errors"
	"os"
)

func datasync(f *os.File) error { return f.Sync() }

func scatter([]byte) {}

func populate([]byte, int64, int64) error { return nil }

func announce([]byte, int64, int64) {}

func populateWritable([]byte, int64, int64) {}

func giveUp([]byte, int64, int64) {}

func (osFS) Space(string) (Space, error) { return Space{}, errors.ErrUnsupported }

func (osFS) Type(string) (string, error) { return "other", nil }

func (osFS) CacheID(string) string { return "" }

// mappable: writable mappings are used on Linux only, where their behaviour was measured.
func mappable(*os.File) bool { return false }

func mapWritable(*os.File, int64) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmap([]byte) error { return errors.ErrUnsupported }
