// Package redis is the room for the engine on Redis, which has to pass the
// conformance suite of storetest. It is empty in this version; `store redis` is
// refused, with the engines that there are.
package redis
