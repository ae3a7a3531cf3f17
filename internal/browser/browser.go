// Package browser drives Debian's Chromium for tests: real cookies, real
// redirects, real history, without a screen.
//
// A Browser is one Chromium process. A person is one isolated set of cookies
// and storage in it (NewPerson), and a Page is one tab of a person. Every
// method of a Page has a time limit and fails its test with the page's address
// and visible text when it cannot do what it was asked for, so a test reads
// like what a person does:
//
//	b := browser.Start(t)
//	anna := b.NewPerson(t)
//	anna.Open(site + "/login")
//	anna.Fill("input[name=user]", "anna")
//	anna.Fill("input[name=pass]", "secret")
//	anna.Click("button[type=submit]")
//	anna.WaitText("Welcome")
//
// A Page belongs to one goroutine, the one that runs its test.
package browser

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second
)

// hosts is Chromium's own host table. A test browser reaches the loopback
// addresses and the reserved name test (RFC 6761), which means loopback here,
// so that a test can have several hosts of one site. Every other name does not
// resolve, whatever the browser or a page asks for.
const hosts = "MAP *.test 127.0.0.1, MAP * ~NOTFOUND, " +
	"EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]"

// Browser is one running Chromium.
type Browser struct {
	ctx context.Context
}

// Start starts a headless Chromium with an empty profile of its own and ends it
// when the test does. Without Chromium the test is skipped, and fails if the
// environment variable CI is true. Certificates are not checked, since a test's
// TLS server signs its own.
func Start(t testing.TB) *Browser {
	t.Helper()
	return start(t, chromedp.Flag("disable-quic", true))
}

// StartHTTP3 is Start with a Chromium that speaks HTTP/3, and nothing else, to
// one host and port of a server whose certificate has this public key (DER, a
// SubjectPublicKeyInfo): over QUIC, certificates are checked but for such a key.
func StartHTTP3(t testing.TB, address string, key []byte) *Browser {
	t.Helper()
	sum := sha256.Sum256(key)
	return start(t,
		chromedp.Flag("origin-to-force-quic-on", address),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(sum[:])))
}

func start(t testing.TB, protocols ...chromedp.ExecAllocatorOption) *Browser {
	t.Helper()
	program := find(t)
	profile := t.TempDir()

	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.UserDataDir(profile),
		// Chromium writes a few files beside its profile too.
		chromedp.Env(
			"HOME="+profile,
			"XDG_CONFIG_HOME="+filepath.Join(profile, "config"),
			"XDG_CACHE_HOME="+filepath.Join(profile, "cache"),
			"DBUS_SESSION_BUS_ADDRESS=disabled:",
			"DBUS_SYSTEM_BUS_ADDRESS=disabled:",
		),
		chromedp.DisableGPU,
		chromedp.IgnoreCertErrors,
		chromedp.CombinedOutput(io.Discard),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("disable-crash-reporter", true),
		chromedp.Flag("no-pings", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", hosts),
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,OptimizationHints,MediaRouter,DialMediaRouteProvider,AutofillServerCommunication,CertificateTransparencyComponentUpdater"),
	)
	options = append(options, protocols...)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}

	allocator, freeAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		stop(ctx)
		freeAllocator()
		emptyFolder(profile)
	})

	// The context of the first run carries the life of the process, so the
	// limit on the start is a timer of its own.
	started := make(chan error, 1)
	go func() { started <- chromedp.Do(ctx) }()
	select {
	case err := <-started:
		if err != nil {
			t.Fatalf("browser: starting %s: %v", program, err)
		}
	case <-time.After(startTimeout):
		t.Fatalf("browser: %s did not answer within %s", program, startTimeout)
	}
	return &Browser{ctx: ctx}
}

// find returns the path of Chromium, or ends the test.
func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "browser: no chromium on this machine: install Debian's package chromium (apt-get install chromium)"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// stop closes the browser, and kills it if it does not close in time.
func stop(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	_ = chromedp.Cancel(limited)
}

// emptyFolder removes what is in a folder. The browser's helpers write into the
// profile for a moment after it ended, which would fail the test's own removal.
func emptyFolder(folder string) {
	for range 50 {
		entries, err := os.ReadDir(folder)
		if err != nil || len(entries) == 0 {
			return
		}
		for _, e := range entries {
			_ = os.RemoveAll(filepath.Join(folder, e.Name()))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// NewPerson opens the first tab of somebody new: an isolated set of cookies,
// storage and cache, which ends with the test t.
func (b *Browser) NewPerson(t testing.TB) *Page {
	t.Helper()
	limited, cancel := context.WithTimeout(b.ctx, startTimeout)
	defer cancel()
	dispose := true
	made, err := chromedp.CallBrowser(limited, target.CreateBrowserContext, target.CreateBrowserContextParams{DisposeOnDetach: &dispose})
	if err != nil {
		t.Fatalf("browser: making a browser context: %v", err)
	}
	who := &person{
		browser: b, id: made.BrowserContextID, downloads: t.TempDir(),
		settings: settings{width: defaultWidth, height: defaultHeight},
	}
	t.Cleanup(func() {
		limited, cancel := context.WithTimeout(b.ctx, stopTimeout)
		defer cancel()
		_, _ = chromedp.CallBrowser(limited, target.DisposeBrowserContext, target.DisposeBrowserContextParams{BrowserContextID: who.id})
	})
	return who.openTab(t)
}

// person is what the tabs of one isolated set of cookies share.
type person struct {
	browser   *Browser
	id        cdp.BrowserContextID
	downloads string
	settings  settings
}

// quote makes one line of a page's text for a message.
func quote(text string, limit int) string {
	text = strings.TrimSpace(text)
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + " […]"
	}
	if text == "" {
		return "(none)"
	}
	return text
}
