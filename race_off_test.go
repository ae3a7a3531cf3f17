//go:build !race

package twofactor

const raceEnabled = false
