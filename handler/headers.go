package handler

import (
	"net/http"
	"slices"
	"strings"
)

// misleading are header fields of the client by which some servers take one
// request for another; they change no decision here, so they may change none
// behind us.
var misleading = []string{
	"X-Original-Url", "X-Rewrite-Url", "X-Override-Url", "X-Original-Uri", "X-Original-Path",
	"X-Forwarded-Uri", "X-Forwarded-Path", "X-Http-Destinationurl", "X-Http-Path-Override",
}

// overriding are header fields by which some apps take one method for another.
var overriding = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Original-Method", "X-Forwarded-Method"}

// maxMethods is how many methods the headers of one request may name.
const maxMethods = 8

// otherMethods returns the methods that the request's headers give it beside
// its own, and false if they are too many to be meant.
func otherMethods(r *http.Request) (methods []string, ok bool) {
	for _, name := range overriding {
		for _, value := range r.Header[name] {
			for method := range strings.SplitSeq(value, ",") {
				method = strings.ToUpper(strings.TrimSpace(method))
				if method == "" || method == r.Method || slices.Contains(methods, method) {
					continue
				}
				if len(methods) == maxMethods {
					return nil, false
				}
				methods = append(methods, method)
			}
		}
	}
	return methods, true
}

// cleanHeaders takes off what the client must not say to the app.
func (v *visit) cleanHeaders() {
	h := v.r.Header
	for _, name := range misleading {
		delete(h, name)
	}
	if !v.verified() {
		for _, name := range overriding {
			delete(h, name)
		}
	}
	v.cleanConnection(v.verified() && v.wantsTunnel())
}

// cleanLoginHeaders takes off what the client must not say to the app in a
// login, in a verified session too.
func (v *visit) cleanLoginHeaders() {
	for _, name := range misleading {
		delete(v.r.Header, name)
	}
	for _, name := range overriding {
		delete(v.r.Header, name)
	}
	v.cleanConnection(false)
}

// cleanTrailer takes off a request's trailer what no rule has seen in it, and
// what the client must not say.
func (v *visit) cleanTrailer() {
	for name := range v.r.Trailer {
		if name == "Cookie" || name == "Authorization" || v.g.fielded.matchHeader(name) || v.g.isSpeaking(name) ||
			v.g.isHanded(name) || strings.EqualFold(v.g.Identity, "{http.request.header."+name+"}") ||
			slices.Contains(misleading, name) || slices.Contains(overriding, name) {
			delete(v.r.Trailer, name)
		}
	}
}

// overridesMethod reports whether an app may take the request for one of
// another method.
func (v *visit) overridesMethod() bool {
	return slices.ContainsFunc(overriding, func(name string) bool { return len(v.r.Header[name]) > 0 })
}

// cleanConnection leaves of the Connection field only what is about the
// connection. A proxy takes off every field that it names, those too that the
// gateway has set. Of the protocols to switch to only WebSocket stays, in a
// verified session: by HTTP/2 (h2c) a client would speak with the app behind
// our back.
func (v *visit) cleanConnection(tunnel bool) {
	h := v.r.Header
	if len(h["Connection"]) == 0 && len(h["Upgrade"]) == 0 {
		return
	}
	var kept []string
	for _, line := range h["Connection"] {
		for token := range strings.SplitSeq(line, ",") {
			token = strings.TrimSpace(token)
			switch strings.ToLower(token) {
			case "close", "keep-alive", "te":
				kept = append(kept, token)
			case "upgrade":
				if tunnel {
					kept = append(kept, token)
				}
			}
		}
	}
	delete(h, "Connection")
	if len(kept) > 0 {
		h["Connection"] = []string{strings.Join(kept, ", ")}
	}
	delete(h, "Http2-Settings")
	if tunnel && v.r.Method != http.MethodConnect {
		h["Upgrade"] = []string{"websocket"}
		return
	}
	delete(h, "Upgrade")
}

// wantsTunnel reports whether the request asks for a WebSocket, by an upgrade
// or by the CONNECT of RFC 8441 and RFC 9220.
func (v *visit) wantsTunnel() bool {
	if v.r.Method == http.MethodConnect {
		return isTunnel(v.r)
	}
	lines := v.r.Header["Upgrade"]
	return len(lines) == 1 && strings.EqualFold(strings.TrimSpace(lines[0]), "websocket")
}

// isTunnel reports whether a CONNECT is that of a WebSocket.
func isTunnel(r *http.Request) bool {
	return r.ProtoMajor >= 2 && (r.Header.Get(":protocol") == "websocket" || r.Proto == "websocket")
}
