package inbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const style = `
:root { color-scheme: light dark; --line: light-dark(#d5d9e0, #3a404b); --card: light-dark(#fff, #1d2128); --soft: light-dark(#5b6472, #a3adbb); }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2rem 1rem; max-width: 42rem; font: 1rem/1.5 system-ui, sans-serif; background: light-dark(#f4f5f7, #14171c); color: light-dark(#1b1f26, #e8ebf0) }
h1 { margin: 0; font-size: 1.4rem }
p { margin: .25rem 0 1.5rem; color: var(--soft) }
ol { list-style: none; margin: 0; padding: 0 }
li { margin: 0 0 1rem; padding: .75rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; justify-content: space-between; color: var(--soft); font-size: .9rem }
header b { color: CanvasText; font-weight: 600 }
pre { margin: .5rem 0 0; font: inherit; white-space: pre-wrap; overflow-wrap: anywhere }
`

var page = template.Must(template.New("inbox").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="3">
<title>SMS inbox ({{len .}})</title>
<style>` + style + `</style>
</head>
<body>
<h1>SMS inbox</h1>
<p>Texts that the development sender kept instead of sending, the newest first. The page looks for new ones every 3 seconds.</p>
{{if .}}<ol>
{{range .}}<li id="text-{{.Number}}"><header><b>{{.To}}</b> <time datetime="{{.Time.Format "2006-01-02T15:04:05Z07:00"}}">{{.Time.Format "15:04:05"}}</time></header><pre>{{.Text}}</pre></li>
{{end}}</ol>{{else}}<p>No text yet.</p>{{end}}
</body>
</html>
`))

// ServeHTTP shows the texts as a page that reloads itself every 3 seconds, or
// as a JSON array of [Entry] where the query is "json" or has that field. It
// answers only under a loopback name, so that no web page can read the codes by
// pointing its own name at this machine (DNS rebinding).
func (b *Inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash()+"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	if !isLoopback(r.Host) {
		http.Error(w, "The inbox answers only under localhost or a loopback address.", http.StatusMisdirectedRequest)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "The inbox can only be read.", http.StatusMethodNotAllowed)
		return
	}
	var out bytes.Buffer
	var err error
	if r.URL.Query().Has("json") {
		h.Set("Content-Type", "application/json")
		err = json.NewEncoder(&out).Encode(b.Entries())
	} else {
		h.Set("Content-Type", "text/html; charset=utf-8")
		err = page.Execute(&out, b.Entries())
	}
	if err != nil {
		http.Error(w, "The inbox could not be shown.", http.StatusInternalServerError)
		return
	}
	// A client that went away is nobody to tell.
	_, _ = w.Write(out.Bytes())
}

func styleHash() string {
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
