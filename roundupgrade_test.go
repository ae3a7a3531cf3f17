package twofactor

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const webSocketFields = "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13"

// roundUpgrades are tries to speak another protocol in a pending session.
func roundUpgrades() (rows []round) {
	for name, head := range map[string]string{
		"a WebSocket":                         "GET /live HTTP/1.1\nHost: {host}\nOrigin: {origin}\n" + webSocketFields,
		"a WebSocket of another spelling":     "GET /live HTTP/1.1\nHost: {host}\nOrigin: {origin}\n" + strings.Replace(webSocketFields, "websocket", "WebSocket", 1),
		"a WebSocket on a public path":        "GET /assets/../live HTTP/1.1\nHost: {host}\nOrigin: {origin}\n" + webSocketFields,
		"a WebSocket on an own page":          "GET /.two-factor/../live HTTP/1.1\nHost: {host}\nOrigin: {origin}\n" + webSocketFields,
		"a WebSocket by HTTP/1.0":             "GET /live HTTP/1.0\nHost: {host}\nOrigin: {origin}\n" + webSocketFields,
		"two protocols":                       "GET /live HTTP/1.1\nHost: {host}\nOrigin: {origin}\n" + strings.Replace(webSocketFields, "websocket", "websocket, h2c", 1),
		"an upgrade to HTTP/2":                "GET /contacts HTTP/1.1\nHost: {host}\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
		"an upgrade to HTTP/2 of a POST":      "POST /contacts HTTP/1.1\nHost: {host}\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\nContent-Length: 0",
		"an upgrade to HTTP/2 for an asset":   "GET /assets/style.css HTTP/1.1\nHost: {host}\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
		"an upgrade to an unknown protocol":   "GET /contacts HTTP/1.1\nHost: {host}\nConnection: Upgrade\nUpgrade: foo/2",
		"an upgrade to TLS":                   "GET /contacts HTTP/1.1\nHost: {host}\nConnection: Upgrade\nUpgrade: TLS/1.2",
		"an upgrade that no Connection names": "GET /contacts HTTP/1.1\nHost: {host}\nUpgrade: h2c",
	} {
		rows = append(rows, round{group: "an upgrade", name: name, at: "live", given: aPassword, counts: asMe, try: func(tr *trial) {
			tr.bytes(strings.ReplaceAll(head, "{origin}", tr.url), tr.jar(tr.me))
		}})
	}
	return append(rows,
		round{group: "an upgrade", name: "HTTP/2 from the first byte", at: "live", given: aPassword, counts: asMe, try: func(tr *trial) {
			tr.speakHTTP2([]hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: "/contacts"}})
		}},
		round{group: "an upgrade", name: "HTTP/2 with its cookies in several fields", at: "live", given: aPassword, counts: asMe, try: func(tr *trial) {
			var split []hpack.HeaderField
			for pair := range strings.SplitSeq(tr.jar(tr.me), "; ") {
				split = append(split, hpack.HeaderField{Name: "cookie", Value: pair})
			}
			tr.speakHTTP2(append([]hpack.HeaderField{{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: "/contacts"}}, split...))
		}},
	)
}

// speakHTTP2 sends one request by HTTP/2 without TLS, with the browser's
// cookies if it has none of its own, and waits for an answer.
func (tr *trial) speakHTTP2(fields []hpack.HeaderField) {
	tr.t.Helper()
	u, err := url.Parse(tr.url)
	if err != nil {
		tr.t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+u.Port(), 5*time.Second)
	if err != nil {
		tr.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	hasCookies := false
	fields = append(fields, hpack.HeaderField{Name: strings.ToLower(roundTag), Value: tr.tag})
	for _, f := range append(fields[:3:3], append([]hpack.HeaderField{{Name: ":authority", Value: u.Host}}, fields[3:]...)...) {
		hasCookies = hasCookies || f.Name == "cookie"
		_ = enc.WriteField(f)
	}
	if !hasCookies {
		_ = enc.WriteField(hpack.HeaderField{Name: "cookie", Value: tr.jar(tr.me)})
	}
	_, _ = io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			tr.t.Fatalf("no answer by HTTP/2: %v", err)
		}
		if _, ok := f.(*http2.HeadersFrame); ok {
			return
		}
	}
}
