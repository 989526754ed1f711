package server

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// A browser lets any page that it shows send requests to 127.0.0.1, and some by which the page reads the answer, if its name was made to
// lead there (DNS rebinding). So a request must name this server as its host, and come from a page of this server, if from any.

// setHeaders tells browsers to take answers for what they are, and to show nothing of them elsewhere.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// admit refuses requests that the page of a stranger has made.
func (s *Server) admit(r *http.Request) error {
	if bySocket(r) { // no browser gets there
		return nil
	}
	if !s.isHost(r) {
		return forbidden("the request is for another host; use an address of this server, or allow that name by --allow-host")
	}
	if !s.isOrigin(r) || s.crossOrigin.Check(r) != nil {
		return forbidden("the request comes from a page of another server; allow that one by --allow-origin, if it is to be trusted")
	}
	return nil
}

// isHost tells whether a request names this server. An address names it, as no name can be made to lead there.
func (s *Server) isHost(r *http.Request) bool {
	host := hostOf(r.Host)
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || isLocal(r, ip) || slices.Contains(s.hosts, host)
	}
	return host == "localhost" || slices.Contains(s.hosts, host)
}

// isLocal tells whether an address is the one that a request came to.
func isLocal(r *http.Request, ip netip.Addr) bool {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	local, err := netip.ParseAddrPort(at.String())
	return err == nil && local.Addr().Unmap().WithZone("") == ip.Unmap().WithZone("")
}

// hostOf returns the name in a host that may have a port.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// hostsOf returns the names that a server goes by.
func hostsOf(o *Options) []string {
	var all []string
	for _, h := range append(slices.Clone(o.AllowHosts), o.Address) {
		if name := hostOf(h); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// isOrigin tells whether a request comes from no page, from one of this server, or from one that is trusted.
func (s *Server) isOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	if len(origins) > 1 {
		return false
	}
	if slices.Contains(s.opts.AllowOrigins, origins[0]) {
		return true
	}
	scheme, host, _ := strings.Cut(origins[0], "://")
	if !strings.EqualFold(host, r.Host) {
		return false
	}
	return scheme == "https" || scheme == "http" && r.TLS == nil // a proxy may speak TLS for a server that does not
}
