package handler

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
)

// maxHeld is how much of a request's body is kept until a code is there.
const maxHeld = 1 << 20

// maxHeldHeaders bounds its headers.
const maxHeldHeaders = 64 << 10

// errRequestTooLarge means that a request is larger than what is kept.
var errRequestTooLarge = errors.New("the request is larger than 1048576 bytes")

// heldRequest is a request that is kept until a code is there.
type heldRequest struct {
	Method string      `json:"method"`
	At     string      `json:"at"`
	Host   string      `json:"host"`
	Header http.Header `json:"header"`
	// Chunked says that the body came without its length.
	Chunked bool `json:"chunked,omitempty"`
	// body stands behind the rest, as it is.
	body []byte
}

// replayed is a held request on its way to the app.
type replayed struct {
	// routes are those whose code was given.
	routes []string
}

func (p *replayed) covers(routes []*StepUp) bool {
	for _, s := range routes {
		if !slices.Contains(p.routes, s.Key) {
			return false
		}
	}
	return true
}

// requestID names the request by what a pass is bound to: its methods, host, raw
// address and body. HEAD is a GET. A multipart body is named by its parts, since
// a script draws a new boundary each time.
func (v *visit) requestID() (account.RequestID, error) {
	var id account.RequestID
	method := v.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	methods := slices.Clone(v.methods)
	slices.Sort(methods)
	h := sha256.New()
	writeFramed(h, method, strings.Join(methods, ","), strings.ToLower(v.r.Host), v.address)
	body, err := v.wholeBody()
	if err != nil {
		return id, err
	}
	if len(body) > 0 {
		writeFramed(h, strings.Join(v.r.Header["Content-Encoding"], ","))
		writeBody(h, v.r.Header["Content-Type"], body)
	}
	h.Sum(id[:0])
	return id, nil
}

// minBoundary is the length from which a boundary is taken for a random one.
const minBoundary = 12

func writeBody(h hash.Hash, types []string, body []byte) {
	if len(types) == 1 {
		media, params, err := mime.ParseMediaType(types[0])
		boundary := params["boundary"]
		if err == nil && strings.HasPrefix(media, "multipart/") && len(params) == 1 && len(boundary) >= minBoundary {
			writeFramed(h, media)
			// What stands between two delimiters is framed, so that no two lists
			// of parts give the same bytes.
			delimiter := []byte("--" + boundary)
			for part := range bytes.SplitSeq(body, delimiter) {
				writeFramed(h, string(part))
			}
			return
		}
	}
	writeFramed(h, types...)
	writeFramed(h, "", string(body))
}

func writeFramed(h hash.Hash, parts ...string) {
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		_, _ = h.Write(n[:])
		_, _ = io.WriteString(h, p)
	}
}

// wholeBody reads the body up to the cap and puts it back.
func (v *visit) wholeBody() ([]byte, error) {
	if !v.hasBody() || v.r.Method == http.MethodConnect {
		return nil, nil
	}
	if v.r.ContentLength > maxHeld {
		return nil, errRequestTooLarge
	}
	body := v.r.Body
	raw, err := io.ReadAll(io.LimitReader(body, maxHeld+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxHeld {
		return nil, errRequestTooLarge
	}
	v.r.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(raw), body}
	return raw, nil
}

// notHeld are header fields that a held request does not keep: those of the
// connection, and what says who the browser is, which is asked for anew when
// the request is sent.
var notHeld = []string{
	"Cookie", "Authorization", "Connection", "Proxy-Authorization", "Proxy-Connection", "Keep-Alive", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Expect", "Content-Length", "Http2-Settings",
}

// holdRequest seals the request as it stands.
func (v *visit) holdRequest(ch *account.Challenge) (*account.Hold, error) {
	body, err := v.wholeBody()
	if err != nil {
		return nil, err
	}
	held := heldRequest{
		Method: v.r.Method, At: v.address, Host: v.r.Host, Header: v.r.Header.Clone(),
		Chunked: v.r.ContentLength < 0, body: body,
	}
	for _, name := range notHeld {
		delete(held.Header, name)
	}
	return v.sealRequest(&held, ch)
}

// purposeRequest is the purpose of the key that held requests are sealed with.
const purposeRequest seal.Purpose = "request"

func (v *visit) sealRequest(held *heldRequest, ch *account.Challenge) (*account.Hold, error) {
	head, err := json.Marshal(held)
	if err != nil {
		return nil, fmt.Errorf("hold a request: %w", err)
	}
	if len(head) > maxHeldHeaders {
		return nil, errRequestTooLarge
	}
	plain := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(head)+len(held.body)), uint32(len(head)))
	plain = append(append(plain, head...), held.body...)
	return &account.Hold{
		Challenge: ch.ID, Instance: v.g.Instance, Expires: ch.Expires,
		Sealed: v.parts.Ring.Seal(purposeRequest, v.requestBinding(ch.Request), plain, v.now),
	}, nil
}

// requestBinding binds what is held of a request to it and to the session. Its
// challenge may be one that was there before.
func (v *visit) requestBinding(id account.RequestID) []byte {
	return append(append([]byte(v.g.Instance+"\x00"), v.session.Standing[:]...), id[:]...)
}

func (v *visit) openRequest(id account.RequestID, hold *account.Hold) (*heldRequest, error) {
	plain, err := v.parts.Ring.Open(purposeRequest, v.requestBinding(id), hold.Sealed, v.now)
	if err != nil {
		return nil, fmt.Errorf("open a held request: %w", err)
	}
	if len(plain) < 4 || uint64(len(plain)-4) < uint64(binary.BigEndian.Uint32(plain)) {
		return nil, errors.New("open a held request: it is cut")
	}
	head, body := plain[4:4+binary.BigEndian.Uint32(plain)], plain[4+binary.BigEndian.Uint32(plain):]
	held := &heldRequest{}
	if err := json.Unmarshal(head, held); err != nil {
		return nil, fmt.Errorf("open a held request: %w", err)
	}
	held.body = body
	return held, nil
}

// ofTheRequest are header fields that say what is asked for and how: those, and
// the overriding ones, are the held request's. All others are those that come
// with the code: a browser that opens a page sends none of its own, and what the
// operator's handlers before us say of the person must be what they say now.
var ofTheRequest = []string{
	"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Pragma", "Origin", "Referer", "Range", "User-Agent",
	"Content-Type", "Content-Encoding", "Content-Language", "Content-Location", "Content-Md5", "Digest",
	"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Prefer",
	"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User", "Upgrade-Insecure-Requests",
}

// put puts the held request in the place of the form that brought the code.
func (v *visit) put(held *heldRequest) {
	now := v.r.Header
	h := make(http.Header, len(now)+len(held.Header))
	for name, values := range held.Header {
		if isOfTheRequest(name) && !v.isIdentityHeader(name) {
			h[name] = values
		}
	}
	for name, values := range now {
		if !isOfTheRequest(name) && name != "Content-Length" && name != "Transfer-Encoding" {
			h[name] = values
		}
	}
	r := v.r
	r.Method, r.Header = held.Method, h
	r.TransferEncoding, r.Trailer, r.GetBody, r.Form, r.PostForm, r.MultipartForm = nil, nil, nil, nil, nil, nil
	r.Body, r.ContentLength = http.NoBody, 0
	if len(held.body) > 0 {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(held.body)), int64(len(held.body))
		h["Content-Length"] = []string{strconv.Itoa(len(held.body))}
	}
	if held.Chunked {
		r.ContentLength = -1
		delete(h, "Content-Length")
	}
	v.came = cameWithOf(r)
	v.methods, _ = otherMethods(r)
	v.body, v.said, v.beyond, v.allPaths = nil, nil, nil, nil
}

func isOfTheRequest(name string) bool {
	return slices.Contains(ofTheRequest, name) || slices.Contains(overriding, name)
}

// isIdentityHeader reports whether the identity is read from this field.
func (v *visit) isIdentityHeader(name string) bool {
	return strings.EqualFold(v.g.Identity, "{http.request.header."+name+"}")
}

// outlives is how long a held request goes on whose sender is gone.
const outlives = 10 * time.Second

// sendHeld sends the held request to the app. The code is spent, and the pages say
// that the request was sent: so it is, though who sent the code may have gone away
// meanwhile, as browsers do at a double click.
func (v *visit) sendHeld(held *heldRequest, routes []string) error {
	v.put(held)
	ctx, cancel := context.WithCancel(context.WithoutCancel(v.r.Context()))
	defer cancel()
	gone := context.AfterFunc(v.r.Context(), func() { time.AfterFunc(outlives, cancel) })
	defer gone()
	v.r = v.r.WithContext(ctx)
	v.replayed = &replayed{routes: routes}
	return v.routeOn()
}
