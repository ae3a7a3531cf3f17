package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
)

// maxRead bounds what is read from a server for one mail, in bytes, its
// certificates included: a good one says a few lines.
const maxRead = 256 << 10

// errTooMuch is the error of a server that says more than that.
var errTooMuch = errors.New("it says too much")

// bounded is a connection that gives up on a server that does not stop.
type bounded struct {
	net.Conn
	left int
}

// Read reads what is left of the bound.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errTooMuch
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// dial connects, and speaks TLS where that comes first.
func (s *Sender) dial(ctx context.Context) (net.Conn, error) {
	plain, err := new(net.Dialer).DialContext(ctx, "tcp", s.server)
	if err != nil {
		return nil, err
	}
	conn := &bounded{Conn: plain, left: maxRead}
	switch s.mode {
	case Implicit:
		secure := tls.Client(conn, s.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			plain.Close()
			return nil, err
		}
		return secure, nil
	case None:
		// The name localhost is what this machine's files say it is.
		if there, err := netip.ParseAddrPort(plain.RemoteAddr().String()); err != nil || !there.Addr().Unmap().IsLoopback() {
			plain.Close()
			return nil, errNotHere
		}
	}
	return conn, nil
}

// errNotHere is the error of a name that leads to another machine in the clear.
var errNotHere = errors.New("tls is none, and the name leads to another machine")
