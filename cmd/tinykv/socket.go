package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxSocketPath is how long the path of a socket may be on all systems.
const maxSocketPath = 100

// socketPath returns where a server of the store in a directory listens for commands of the same user, and makes the directory of
// that, which is the user's alone. The name stands for the absolute path of the store, links resolved. It depends on nothing else but the environment,
// so that commands and servers of a user agree.
func socketPath(store string) (string, error) {
	path, err := filepath.Abs(store)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	top := os.Getenv("XDG_RUNTIME_DIR")
	if top == "" {
		if top, err = os.UserCacheDir(); err != nil {
			return "", err
		}
	}
	dir := filepath.Join(top, "tinykv")
	name := filepath.Join(dir, socketName(path))
	if len(name) > maxSocketPath { // in another directory, which serves in place of any that is too long
		name = filepath.Join(shortSocketDir(), socketName(dir+"\x00"+path))
	}
	if len(name) > maxSocketPath {
		return "", fmt.Errorf("the path of %s is too long for a socket; set XDG_RUNTIME_DIR to a shorter one", dir)
	}
	return name, makeSocketDir(filepath.Dir(name))
}

func socketName(of string) string {
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:8]) + ".sock"
}

// makeSocketDir makes the directory of sockets, and refuses one that others may write to or look into: who listens there would be
// believed.
func makeSocketDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !isPrivate(info) {
		return fmt.Errorf("%s must be a directory of yours, and for you alone; chmod 700 makes it so", dir)
	}
	return nil
}

// hasSocket tells whether a server has been listening there; it may be gone.
func hasSocket(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
