package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a pair of files, which is read anew when one of them has changed: whoever renews a certificate need not stop the server.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	seen    [2]fileState
	checked time.Time
}

// fileState is by what a change is known.
type fileState struct {
	modified time.Time
	size     int64
}

// checkFilesEvery is how often at most the files are looked at.
const checkFilesEvery = time.Second

func newCertificate(o *Options) (*certificate, error) {
	c := &certificate{certFile: o.CertFile, keyFile: o.KeyFile, log: o.Logger}
	if err := c.loadLocked(c.states()); err != nil {
		return nil, fmt.Errorf("server: TLS: %w", err)
	}
	return c, nil
}

// config is what TLS speaks: version 1.2 or newer, with the ciphers that Go thinks good.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"http/1.1"}}
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) >= checkFilesEvery {
		c.checked = now
		if states := c.states(); states != c.seen {
			if err := c.loadLocked(states); err != nil { // half written, perhaps: the old one is good until it is whole
				c.log.Warn("TLS certificate cannot be read anew", "error", err)
			}
		}
	}
	return c.pair, nil
}

func (c *certificate) states() (s [2]fileState) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = fileState{info.ModTime(), info.Size()}
		}
	}
	return s
}

func (c *certificate) loadLocked(states [2]fileState) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.seen = &pair, states
	return nil
}
