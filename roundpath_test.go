package twofactor

import (
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// roundPaths are spellings of an address that nobody may reach who is not
// signed in. The app reads paths in one of three ways.
func roundPaths() (rows []round) {
	for at, spellings := range map[string][]string{
		"plain paths": {
			"/contacts", "/contacts/", "//contacts", "///contacts//", "/CONTACTS", "/Contacts/Export", "/%63ontacts", "/%43ontacts", "/contact%73",
			"/contacts;", "/contacts;x=1", "/contacts;/../..", "/contacts%3bx", "/contacts%3B/x", "/contacts/;x", "/contacts/export;x.css",
			"/./contacts", "/contacts/.", "/%2e/contacts", "/x/../contacts", "/x/%2e%2e/contacts", "/x/%2E./contacts", "/assets/../contacts",
			"/assets/%2e%2e/contacts", "/assets/..%2fcontacts", "/assets%2f..%2fcontacts", "/contacts%2fexport", "/contacts%2Fexport", "/contacts%2f",
			"/%2fcontacts", "/%2e%2e/contacts", "/../contacts", "/contacts/export/x.css", "/contacts/export/assets/style.css", "/contacts/export/../export",
			"/contacts?", "/contacts?x#y", "/contacts?/assets/style.css", "/contacts?%zz", "/contacts/%65xport", "http://{host}/contacts", "/profile/../contacts",
			"/login/../contacts", "/contacts?;x",
		},
		"Java's paths": {
			"/a;b/../contacts", "/x/..;/contacts", "/x/..;a=b/contacts", "/assets/..;/contacts", "/assets/..;x=/;y/contacts", "/;x/contacts", "/;/contacts",
			"/.;/contacts", "/contacts;x/export", "/contacts;.css", "/assets;x/..;y/contacts", "/%3b/contacts", "/assets/..%3b/contacts",
			"/;x=1/;y/contacts/export", "/contacts/;x=/;y", "/assets/style.css;/../../contacts",
		},
		"IIS' paths": {
			`/\contacts`, "/%5ccontacts", "/%5Ccontacts", `/x\..\contacts`, "/assets/..%5ccontacts", "/assets%5c..%5ccontacts", "/%2563ontacts",
			"/contacts%252fexport", "/contacts.", "/contacts..", "/contacts%20", "/contacts.%20.", "/contacts%2e", "/contacts%00", "/contacts%00.css",
			"/contacts%2500", "/contacts%23x", "/contacts#x", "/assets/%252e%252e/contacts", "/assets/%2e%252e/contacts", "/assets/%c0%ae%c0%ae/contacts",
			"/assets/..%c0%afcontacts", "/%c0%afcontacts", "/%C0%AFcontacts", "/%c1%a3ontacts", "/%e0%81%a3ontacts", "/%25c1%25a3ontacts", "/contacts%09", "/contacts%c0%a0", "/contacts%c0%afexport", "/assets%c1%9c..%c1%9ccontacts", "/contacts%255cexport", "/contacts/export.",
		},
		// Where odd spellings are let through, they lead nowhere else.
		"allowed paths": {
			"/files/../contacts", "/files/%2e%2e/contacts", "/files/..%5ccontacts", `/files/..\contacts`, "/files/%2e%2e%5ccontacts", "/files/..%255ccontacts",
			"/files/x/..%5c..%5ccontacts", "/contacts%00/../files/x", "/contacts#/../files/x", "/contacts%23/../files/x", "/contacts%3f/../files/x",
			"/files/%c0%ae%c0%ae/contacts", "/files/..%c0%afcontacts", "/files/..%c1%9ccontacts", "/files/%252e%252e/contacts", "/files/..%252fcontacts",
			"/contacts%2500/../files/x", "/files/../files/../contacts", "/contacts/../files/..%5ccontacts", "/files%5c..%5ccontacts", "//files/..%5ccontacts",
		},
	} {
		for _, spelling := range spellings {
			rows = append(rows, round{group: "a path", name: spelling, at: at, given: nothing, counts: contactsOrExport, try: func(tr *trial) {
				tr.bytes("GET " + spelling + " HTTP/1.1\nHost: {host}\nConnection: close")
			}})
		}
	}
	return rows
}

func contactsOrExport(_ *trial, seen demoapp.Request) bool {
	return seen.Page == demoapp.PageContacts || seen.Page == demoapp.PageExport
}

// roundHeaders are header fields that give a request another address or method
// at the app.
func roundHeaders() (rows []round) {
	for _, name := range []string{
		"X-Original-URL", "X-Rewrite-URL", "X-Override-URL", "X-Original-URI", "X-Forwarded-Uri", "X-Forwarded-Path",
		"x-original-url", "X-ORIGINAL-URL",
	} {
		for _, from := range []string{"/assets/style.css", "/profile", "/login"} {
			if from != "/profile" && strings.ToLower(name) != "x-original-url" {
				continue
			}
			rows = append(rows, round{group: "a header field", name: name + " at " + from, at: "doors", given: aVisit, counts: contactsOrExport, try: func(tr *trial) {
				tr.bytes("GET "+from+" HTTP/1.1\nHost: {host}\nConnection: close\n"+name+": /contacts", tr.jar(tr.me))
			}})
		}
	}
	aTrailer := round{group: "a header field", name: "X-Original-URL twice", at: "doors", given: aVisit, counts: contactsOrExport, try: func(tr *trial) {
		tr.bytes("GET /profile HTTP/1.1\nHost: {host}\nConnection: close\nX-Original-URL: /contacts\nX-Original-URL: /profile", tr.jar(tr.me))
	}}
	rows = append(rows, aTrailer)
	destroys := func(_ *trial, seen demoapp.Request) bool {
		return seen.ReadAs == "DELETE" && seen.Page == demoapp.PageExport
	}
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		for _, value := range []string{"DELETE", "delete", " Delete"} {
			rows = append(rows, round{group: "a blocked method", name: name + ":" + value, at: "doors", given: signedIn, counts: destroys, try: func(tr *trial) {
				tr.bytes("POST /contacts/export HTTP/1.1\nHost: {host}\nConnection: close\nContent-Length: 0\n"+name+":"+value, tr.jar(tr.me))
			}})
		}
	}
	for name, head := range map[string]string{
		"as it is":                    "DELETE /contacts/export HTTP/1.1\nHost: {host}\nConnection: close",
		"another spelling":            "DELETE //contacts/%65xport/ HTTP/1.1\nHost: {host}\nConnection: close",
		"a GET in its place":          "GET /contacts/export HTTP/1.1\nHost: {host}\nConnection: close\nX-HTTP-Method-Override: DELETE",
		"two fields that say so":      "POST /contacts/export HTTP/1.1\nHost: {host}\nConnection: close\nContent-Length: 0\nX-HTTP-Method-Override: GET\nX-HTTP-Method: DELETE",
		"another address in a field":  "DELETE /contacts/ HTTP/1.1\nHost: {host}\nConnection: close\nX-Original-URL: /contacts/export",
		"another address, and method": "POST /contacts HTTP/1.1\nHost: {host}\nConnection: close\nContent-Length: 0\nX-Rewrite-URL: /contacts/export\nX-HTTP-Method: DELETE",
	} {
		rows = append(rows, round{group: "a blocked method", name: name, at: "doors", given: signedIn, counts: destroys, try: func(tr *trial) {
			tr.bytes(head, tr.jar(tr.me))
		}})
	}
	return rows
}
