package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// maxSocketPath is how long the path of a socket may be on all systems.
const maxSocketPath = 100

// socketPath returns where a server of the store in a directory listens for commands of the same user, and makes the directory of
// that, which is the user's alone. The name stands for the absolute path of the store, links resolved.
func socketPath(store string) (string, error) {
	dir, err := socketDir()
	if err != nil {
		return "", err
	}
	path, err := filepath.Abs(store)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	sum := sha256.Sum256([]byte(path))
	name := filepath.Join(dir, hex.EncodeToString(sum[:8])+".sock")
	if len(name) > maxSocketPath {
		return "", fmt.Errorf("%s is too long for a socket; set XDG_RUNTIME_DIR to a shorter directory", name)
	}
	return name, nil
}

// socketDir makes the directory of sockets and refuses one that others may write to or look into: who listens there would be
// believed.
func socketDir() (string, error) {
	top := os.Getenv("XDG_RUNTIME_DIR")
	if top == "" {
		var err error
		if top, err = os.UserCacheDir(); err != nil {
			return "", err
		}
	}
	dir := filepath.Join(top, "tinykv")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s must be a directory for its owner alone; chmod 700 makes it so", dir)
	}
	return dir, nil
}

// hasSocket tells whether a server has been listening there; it may be gone.
func hasSocket(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
