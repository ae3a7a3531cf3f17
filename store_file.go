package twofactor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-twofactor/caddy-twofactor/store"
	"github.com/caddy-twofactor/caddy-twofactor/store/file"
)

func init() {
	caddy.RegisterModule(FileStore{})
}

// maxKeyCheck bounds the file with the values by which a wrong key is noticed,
// in bytes; each key that was ever the newest takes about 200 of them.
const maxKeyCheck = 64 << 10

// FileStore keeps everything in one file of this machine. One Caddy at a time
// can use it.
type FileStore struct {
	// Path is the file. A missing one is made, with its folder, readable for
	// Caddy's user alone. Placeholders are replaced; a relative path is one of
	// the folder that Caddy was started in. Default: two_factor/store.db in
	// Caddy's data directory.
	Path string `json:"path,omitempty"`
}

// CaddyModule returns the module's information.
func (FileStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "two_factor.stores.file",
		New: func() caddy.Module { return new(FileStore) },
	}
}

// Provision resolves the path.
func (f *FileStore) Provision(caddy.Context) error {
	if f.Path == "" {
		f.Path = filepath.Join(dataDir(), "store.db")
	}
	path, err := caddy.NewReplacer().ReplaceOrErr(f.Path, true, true)
	if err != nil {
		return fmt.Errorf("store file: path: %w", err)
	}
	if f.Path, err = filepath.Abs(path); err != nil {
		return fmt.Errorf("store file: path %q: %w", path, err)
	}
	return nil
}

// dataDir is where the store and the key lie by default.
func dataDir() string { return filepath.Join(caddy.AppDataDir(), appName) }

// PoolKey names the file.
func (f *FileStore) PoolKey() string { return "file:" + f.Path }

// Open opens the file.
func (f *FileStore) Open(context.Context) (store.Store, error) {
	s, err := file.Open(f.Path, file.Options{Logger: logStore})
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("store: %w (let the user that Caddy runs as, uid %d, read and write it and its folder)", err, os.Geteuid())
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return s, nil
}

// logStore writes to the log of the config that is loaded at the time: a store
// outlives the config that opened it.
func logStore(msg string, kv ...any) {
	caddy.Log().Named("two_factor.stores.file").Sugar().Warnw(msg, kv...)
}

// KeyCheckPlace is a file beside the store's.
func (f *FileStore) KeyCheckPlace() string { return f.Path + ".key-check" }

// ReadKeyCheck reads that file.
func (f *FileStore) ReadKeyCheck(context.Context) ([]byte, error) {
	in, err := os.Open(f.KeyCheckPlace())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer in.Close()
	check, err := io.ReadAll(io.LimitReader(in, maxKeyCheck+1))
	if err != nil {
		return nil, err
	}
	if len(check) > maxKeyCheck {
		return nil, fmt.Errorf("%s is longer than %d bytes", f.KeyCheckPlace(), maxKeyCheck)
	}
	return check, nil
}

// WriteKeyCheck replaces that file, with mode 0600.
func (f *FileStore) WriteKeyCheck(_ context.Context, check []byte) error {
	return writeFileDurably(f.KeyCheckPlace(), check)
}

// writeFileDurably writes a file beside the given one and puts it in its place,
// so that a crash leaves the old one or the new one.
func writeFileDurably(path string, data []byte) error {
	dir := filepath.Dir(path)
	out, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) // fails once it was renamed
	_, err = out.Write(data)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	file [<path>]
func (f *FileStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		f.Path = d.Val()
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		return d.Errf("unrecognized subdirective of store file: %s", d.Val())
	}
	return nil
}

// Interface guards.
var (
	_ caddy.Provisioner     = (*FileStore)(nil)
	_ caddyfile.Unmarshaler = (*FileStore)(nil)
	_ StoreGuest            = (*FileStore)(nil)
)
