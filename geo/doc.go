// Package geo is the room for what tells where an address is: the contract and
// its readers. It is empty in this version; a config with geoip is refused at
// start.
package geo
