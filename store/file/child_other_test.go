//go:build !linux

package file

// children is empty: the tests that start one need Linux.
func children() map[string]func(dir string) error { return nil }
