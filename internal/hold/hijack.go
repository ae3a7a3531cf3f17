package hold

import (
	"bufio"
	"net"
	"net/http"
)

// Hijack always fails: an answer that is kept back cannot become a tunnel.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}

// Hijack hands the connection over if the answer was let through.
func (e *Editor) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !e.done || e.dropped {
		return nil, nil, http.ErrNotSupported
	}
	conn, buffered, err := http.NewResponseController(e.ResponseWriter).Hijack()
	if err != nil || e.lasting == nil {
		return conn, buffered, err
	}
	if err := e.lasting.Hijacked(conn); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, buffered, nil
}
