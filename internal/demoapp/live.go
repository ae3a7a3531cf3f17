package demoapp

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/websocket"
)

const (
	maxLiveMessage = 4 << 10
	lifeOfSilence  = 5 * time.Minute
)

var errOtherSite = errors.New("the page is another site's")

// live decides on a request for the board's WebSocket.
func (v *visit) live() answer {
	if v.user() == "" {
		return notSignedIn()
	}
	if !strings.EqualFold(v.r.Header.Get("Upgrade"), "websocket") {
		return newAnswer(http.StatusUpgradeRequired, "text/plain; charset=utf-8", []byte("This is for WebSockets only\n"))
	}
	return answer{header: http.Header{}, live: v.user()}
}

// serveLive greets the user and sends every message back with its number, to a
// page of this site only, until the client leaves or is silent for 5 minutes.
func serveLive(w http.ResponseWriter, r *http.Request, an answer) {
	websocket.Server{
		Config: websocket.Config{Header: an.header},
		Handshake: func(c *websocket.Config, r *http.Request) error {
			origin, err := websocket.Origin(c, r)
			if err != nil || origin == nil || origin.Host != r.Host {
				return errOtherSite
			}
			return nil
		},
		Handler: func(c *websocket.Conn) { talk(c, an.live) },
	}.ServeHTTP(w, r)
}

func talk(c *websocket.Conn, user string) {
	c.MaxPayloadBytes = maxLiveMessage
	text := "The board is open to " + user + "."
	for n := 1; ; n++ {
		if err := c.SetDeadline(time.Now().Add(lifeOfSilence)); err != nil {
			return
		}
		if err := websocket.Message.Send(c, text); err != nil {
			return
		}
		var said string
		if err := websocket.Message.Receive(c, &said); err != nil {
			return
		}
		text = fmt.Sprintf("%d. %s: %s", n, user, said)
	}
}
