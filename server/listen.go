package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/tinykv/tinykv"
)

// listen opens what a server listens on: an address, and a socket in the file system if there is to be one.
func (s *Server) listen() (all []net.Listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range all {
				_ = l.Close()
			}
		}
	}()
	if s.opts.Address != "" {
		l, err := s.listenAddress()
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	if s.opts.Socket != "" {
		l, err := listenSocket(s.opts.Socket)
		if err != nil {
			return all, err
		}
		all = append(all, l)
	}
	return all, nil
}

// listenAddress listens where everybody who gets there may read and write only if nobody but this machine gets there.
func (s *Server) listenAddress() (net.Listener, error) {
	addr, err := net.ResolveTCPAddr("tcp", s.opts.Address)
	if err != nil {
		return nil, fmt.Errorf("server: listen: %w", err)
	}
	if !addr.IP.IsLoopback() && len(s.opts.Tokens) == 0 { // TLS keeps the connection secret, and nobody out
		return nil, fmt.Errorf("server: %s can be reached from other machines, and nothing protects the store: give a token, or listen on 127.0.0.1: %w",
			s.opts.Address, tinykv.ErrInvalidOption)
	}
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return l, nil
}

// listenSocket listens on a socket that only the user of this process reaches: its directory is made for it, and must be for that user alone.
func listenSocket(path string) (net.Listener, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("server: socket: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("server: socket: %w", err)
	}
	if !isPrivate(info) {
		return nil, fmt.Errorf("server: socket: %s is open to others; make it a directory of your own with mode 0700: %w", dir, tinykv.ErrInvalidOption)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("server: socket: %w", err)
	}
	return l, nil
}

// removeStale removes a socket that nobody listens on any more, as a process leaves it that was killed.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("server: socket: %w", err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("server: socket: %s is no socket; name another path: %w", path, tinykv.ErrInvalidOption)
	}
	if c, err := net.Dial("unix", path); err == nil {
		_ = c.Close()
		return fmt.Errorf("server: socket: another server listens on %s: %w", path, tinykv.ErrLocked)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("server: socket: %w", err)
	}
	return nil
}
