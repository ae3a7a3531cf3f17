// Package mail is the room for notices by mail: the contract, its conformance
// suite and its providers. It is empty in this version; a config with mail is
// refused at start.
package mail
