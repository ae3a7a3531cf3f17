package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Sizes of the app's answers, in bytes.
const (
	smallBody = 2 << 10
	largeBody = 64 << 10
)

// serve is the app, or the server that only says 204, at an address, in a
// process of its own, so that its CPU is nobody else's.
func serve(what, address string) error {
	handler := http.HandlerFunc(app)
	if what == "auth" {
		handler = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	}
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

var (
	smallPage = bytes.Repeat([]byte("x"), smallBody)
	largePage = bytes.Repeat([]byte("x"), largeBody)
)

// session is what the app's sessions begin with; the user's name follows.
const session = "0123456789abcdef-"

// who says whose session it is, as a proof asks.
func who(w http.ResponseWriter, r *http.Request) {
	answer := map[string]any{"visitor": true}
	if c, err := r.Cookie("sid"); err == nil && strings.HasPrefix(c.Value, session) {
		answer = map[string]any{"user": strings.TrimPrefix(c.Value, session)}
	}
	w.Header().Set("Content-Type", "application/json")
	// A client that went away is nobody to tell.
	_ = json.NewEncoder(w).Encode(answer)
}

// app answers a login with a session, /basket with a visitor's, and anything
// else with a page of one of two sizes.
func app(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/login":
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: session + r.FormValue("email"), Path: "/", HttpOnly: true})
		http.Redirect(w, r, "/dashboard", http.StatusFound)
		return
	case strings.HasPrefix(r.URL.Path, "/me/"):
		who(w, r)
		return
	case r.URL.Path == "/basket":
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: strings.Repeat("fedcba9876543210", 2), Path: "/", HttpOnly: true})
	}
	page := smallPage
	if strings.HasSuffix(r.URL.Path, "-large") {
		page = largePage
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	// A client that went away is nobody to tell.
	_, _ = w.Write(page)
}
