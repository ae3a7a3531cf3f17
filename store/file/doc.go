// Package file is the embedded engine of the store: one bbolt file, the
// default. Every method that decides is one bbolt transaction, and what it has
// acknowledged is synced to the disk.
//
// # How it is written
//
// One goroutine writes. It takes all calls that are waiting, runs them one
// after the other in one transaction, commits once, brings the table of
// sessions in memory up to what was committed, and only then answers. So calls
// that come together share one sync, none sees half of another, and a call is
// answered from what is on the disk. If the engine fails in the middle of
// one (a record that cannot be read, say), the transaction is rolled back and
// each is run alone; a callback changes nothing but its transaction, so running
// it again does nothing twice.
//
// Sessions are also kept in memory, in shards, and read from there alone. The
// table changes after the commit and before the answer: it is never ahead of
// the disk with what opens, and by the time that a method which closes returns,
// every reader sees it closed. Only the time at which a session was last seen
// is ahead of the disk, by five minutes at most; it is written at Close too.
// After a kill a session may thus end of idleness up to five minutes early.
//
// Failed passwords are counted in memory too, in shards, and written every half
// second as they came. The bucket of them is a log of which each writing is one
// record: it is read at the start and else only added to, and cut off at the end
// that is an hour old.
//
// # What cannot be read
//
// Every record carries a version and a checksum that is also of its bucket and
// key, so that what is damaged, cut off or another record's is noticed and not
// read as something else. What becomes of it is a property of its kind: a
// session, a hold, a value, a history, a device and an enrolment count as
// absent, since that closes, and so does a notice, since the others must go out;
// a lock, a challenge, an account, a name and the demands of an instance are an
// error, since their absence would open, and stay as they are. The epoch is a part of the file without which it
// is not opened. The log names each such record once between two starts, at
// most 100 of them, by its bucket and a part of its key that opens nothing.
//
// # When the disk fails
//
// This is what bbolt v1.5.0 does when a commit fails (tx.go, db.go):
//
//   - Growing the file (truncate and sync) or writing and syncing the data
//     pages fails: the pages were free, the meta page is the old one. Commit
//     reads the free list again from the old state and returns the error.
//     Nothing has changed, and the next transaction works as soon as there is
//     room. A file that grew before that stays longer, which is harmless. The
//     error of the truncate is in the text only; that of a write is wrapped.
//   - Mapping the larger file fails: nothing was written, but the old mapping
//     is gone and every transaction from then on returns ErrInvalidMapping.
//     The engine closes the file and opens it again at the next call.
//   - Writing the meta page fails: it is written in place and shorter than a
//     sector, so it is the old or the new one; if it is torn its checksum is
//     wrong and bbolt uses the other meta page, that of the state before.
//   - Syncing the meta page fails: the new state is in the page cache and bbolt
//     goes on with it, though it has returned an error; whether it is on the
//     disk nobody knows. So after every failed commit the engine reads the
//     sessions concerned back and has in memory what the next transaction will
//     see, and the caller, who got an error, keeps closed what it would have
//     opened.
//   - Reading a page that the disk cannot give is a SIGBUS of the mapping. The
//     engine turns it into an error where it reads and writes; after one in the
//     middle of a commit it refuses everything until it is started again.
//
// A write needs free pages even if it removes something, so on a full disk a
// session may be refused its end too: the file has pages left for changes in
// place, but not for many. Sessions go on being served from memory, and what
// was refused has not happened.
package file
