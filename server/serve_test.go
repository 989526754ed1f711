package server

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tinykv/tinykv"
)

// served is a server that listens by itself.
type served struct {
	*Server
	t     *testing.T
	addr  string
	stop  context.CancelFunc
	ended chan error
}

func serveSite(t *testing.T, o Options) *served {
	t.Helper()
	db, err := tinykv.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ready := make(chan net.Addr, 1)
	o.Ready = func(at net.Addr) { ready <- at }
	s, err := New(db, &o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	sv := &served{Server: s, t: t, stop: stop, ended: make(chan error, 1)}
	go func() { sv.ended <- s.Serve(ctx) }()
	select {
	case at := <-ready:
		sv.addr = at.String()
	case err := <-sv.ended:
		t.Fatal(err)
	}
	t.Cleanup(sv.end)
	return sv
}

// end stops the server and waits for it.
func (s *served) end() {
	s.stop()
	if err, ok := <-s.ended; ok {
		close(s.ended)
		if err != nil {
			s.t.Error(err)
		}
	}
}

// dial opens a connection and sends what a slow peer does.
func (s *served) dial(text string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// health asks on a new connection whether the server is there.
func (s *served) health() error {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != 200 {
		return errors.New(r.Status)
	}
	return nil
}

// untilAnswering waits until so many requests are being answered.
func (s *served) untilAnswering(n int) {
	s.t.Helper()
	for {
		if err := s.health(); err != nil {
			s.t.Fatal(err)
		}
		if s.running.count() >= n {
			return
		}
	}
}

func TestServe_ListensWhereOthersGetOnlyWithAToken(t *testing.T) {
	db, err := tinykv.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cert, key := writeCertificate(t, t.TempDir(), "first")
	for _, c := range []struct {
		name string
		o    Options
		ok   bool
	}{
		{"loopback", Options{Address: "127.0.0.1:0"}, true},
		{"localhost", Options{Address: "localhost:0"}, true},
		{"everywhere", Options{Address: ":0"}, false},
		{"everywhere by IPv4", Options{Address: "0.0.0.0:0"}, false},
		{"everywhere by IPv6", Options{Address: "[::]:0"}, false},
		{"everywhere with a token", Options{Address: "0.0.0.0:0", Tokens: someTokens()}, true},
		{"everywhere with TLS, by which the server is known, and not its peers", Options{Address: "0.0.0.0:0", CertFile: cert, KeyFile: key}, false},
		{"everywhere with TLS and a token", Options{Address: "0.0.0.0:0", CertFile: cert, KeyFile: key, Tokens: someTokens()}, true},
		{"nowhere", Options{Address: "nonsense"}, false},
		{"a port that is none", Options{Address: "127.0.0.1:99999"}, false},
	} {
		ctx, stop := context.WithCancel(t.Context())
		c.o.Ready = func(net.Addr) { stop() }
		s, err := New(db, &c.o)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Serve(ctx)
		stop()
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if strings.HasPrefix(c.name, "everywhere") && err != nil && !strings.Contains(err.Error(), "give a token, or listen on 127.0.0.1") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestServe_BySocketIsForTheUserAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	path := filepath.Join(dir, "kv.sock")
	s := serveSite(t, Options{Address: "127.0.0.1:0", Socket: path, Tokens: someTokens()})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	r, err := client.Get("http://whatever/v1/info") // no token: the socket is for whom it belongs to
	if err != nil || r.StatusCode != 200 {
		t.Fatal(r, err)
	}
	r.Body.Close()
	if err := checkTaken(s.db, path); !errors.Is(err, tinykv.ErrLocked) {
		t.Errorf("a second server: %v", err)
	}
	s.end()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	serveSite(t, Options{Socket: path}).end()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := checkTaken(s.db, path); !errors.Is(err, tinykv.ErrInvalidOption) {
		t.Errorf("in an open directory: %v", err)
	}
}

// checkTaken returns why a server cannot listen on a socket.
func checkTaken(db *tinykv.DB, path string) error {
	s, err := New(db, &Options{Socket: path})
	if err != nil {
		return err
	}
	return s.Serve(context.Background())
}

func TestServe_TakesThePlaceOfASocketThatWasLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "kv.sock")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	serveSite(t, Options{Socket: path}).end()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := tinykv.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := checkTaken(db, path); !errors.Is(err, tinykv.ErrInvalidOption) {
		t.Errorf("in the place of a file: %v", err)
	}
}

func TestServe_DrainsBeforeItEnds(t *testing.T) {
	s := serveSite(t, Options{})
	slow := s.dial("PUT /v1/keys/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nha")
	watching := s.dial("GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
	in := bufio.NewReader(watching)
	watch, err := http.ReadResponse(in, nil) // has begun
	if err != nil {
		t.Fatal(err)
	}
	s.untilAnswering(2)
	s.stop()
	text, err := io.ReadAll(watch.Body)
	if err != nil || !strings.Contains(string(text), `"code":"closed"`) {
		t.Errorf("a stream is told %q, %v", text, err)
	}
	if _, err := io.WriteString(slow, "lf"); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(slow), nil)
	if err != nil || r.StatusCode != 204 {
		t.Fatalf("a request under way: %v, %v", r, err)
	}
	s.end()
	if v, err := s.db.Get([]byte("a")); err != nil || string(v) != "half" {
		t.Errorf("%q, %v", v, err)
	}
	if err := s.health(); err == nil {
		t.Error("the server listens after its end")
	}
}

func TestServe_EndsWebSocketsBeforeItEnds(t *testing.T) {
	s := serveSite(t, Options{})
	c, _, err := websocket.Dial(t.Context(), "ws://"+s.addr+"/v1/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	said := make(chan error, 1)
	go func() {
		_, _, err := c.Read(t.Context())
		said <- err
	}()
	s.untilAnswering(1)
	s.end()
	if n := s.running.count(); n != 0 {
		t.Errorf("%d requests are being answered after the end", n)
	}
	if err := <-said; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("a peer is told %v", err)
	}
}

func TestServe_DrainingHasAnEnd(t *testing.T) {
	s := serveSite(t, Options{DrainTimeout: 50 * time.Millisecond})
	s.dial("PUT /v1/keys/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nha")
	s.untilAnswering(1)
	s.end()
}

func TestServe_ReadsACertificateAnewThatHasChanged(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, "first")
	s := serveSite(t, Options{CertFile: cert, KeyFile: key})
	name := func(least, most uint16) (string, error) {
		c, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true, MinVersion: least, MaxVersion: most})
		if err != nil {
			return "", err
		}
		defer c.Close()
		if p := c.ConnectionState().NegotiatedProtocol; p != "" && p != "http/1.1" {
			t.Errorf("protocol %q", p)
		}
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
	}
	if got, err := name(tls.VersionTLS12, tls.VersionTLS13); err != nil || got != "first" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := name(tls.VersionTLS10, tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	again := func(want string) {
		t.Helper()
		s.certificate.mu.Lock()
		s.certificate.checked = time.Time{} // as if a second had passed
		s.certificate.mu.Unlock()
		if got, err := name(tls.VersionTLS12, tls.VersionTLS13); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	if err := os.WriteFile(cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	again("first")
	writeCertificate(t, dir, "second")
	again("second")
}

// writeCertificate writes a certificate that nobody else vouches for.
func writeCertificate(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile
}
