package handler

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/internal/hold"
)

// room is a visit and what it works in. Most visits are over when their request
// is, and their room is used again: else it would be most of what the gateway
// costs.
type room struct {
	visit  visit
	editor hold.Editor
	edit   hold.Edit
	// logout says that the request is one that ends the session.
	logout bool
	// stream is the exchange once it turned out to last, and wrote how much of
	// the answer's body has gone out before.
	stream *stream
	wrote  int
	// over says that nobody holds the visit or the editor any more.
	over bool

	pairs  [8]cookie.Pair
	opened [2]openedCookie
	paths  [1]string
	line   []byte
}

// maxLine bounds the room that is kept for a Cookie header.
const maxLine = 8 << 10

func newRoom() *room {
	m := &room{line: make([]byte, 0, 256)}
	m.edit = func(status int, h http.Header) bool { return m.visit.edit(status, h, m.logout) }
	return m
}

// newVisit returns the visit of a request, in a room that is clean.
func (g *Gate) newVisit(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) *visit {
	m, ok := g.rooms.Get().(*room)
	if !ok {
		m = newRoom()
	}
	v := &m.visit
	v.room, v.g, v.w, v.r, v.next, v.now, v.came = m, g, w, r, next, g.Clock(), cameWithOf(r)
	v.pairs, v.opened = m.pairs[:0], m.opened[:0]
	return v
}

// answerThrough returns the writer through which the app answers.
func (v *visit) answerThrough(w http.ResponseWriter, logout bool) *hold.Editor {
	v.room.logout = logout
	v.room.editor.Start(w, !v.protected, v.room.edit)
	if v.verified() {
		v.room.editor.Tell(v.room)
	}
	return &v.room.editor
}

// passed notes that the request went to the app and its answer to the browser,
// and that nothing holds on to the visit: no body that may still be read, no
// tunnel, no request of our own beside it.
func (v *visit) passed() {
	v.room.over = !v.hasBody() && v.body == nil && !v.wantsTunnel() && len(v.asked) == 0 && !v.calledOut
}

// reuse gives the room of a visit back that is over. What a panic, an error or
// another way than through the app leaves behind is not used again.
func (v *visit) reuse(err error) error {
	m := v.room
	if err != nil || !m.over {
		return err
	}
	line := m.line[:0]
	clear(line[:cap(line)])
	if cap(line) > maxLine {
		line = nil
	}
	g := v.g
	*m = room{edit: m.edit, line: line}
	g.rooms.Put(m)
	return nil
}
