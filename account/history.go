package account

// MaxHistory is the largest size in bytes of what an account is used to, as the
// policy writes it down. The embedded engine needs less than 4 KiB of its file
// for a history of up to 2,900 bytes, and for one of up to 2,500 together with an
// account of two factors; above that it is up to 6 KiB.
const MaxHistory = 4096

// MaxFacts is the largest size in bytes of the facts of one login that wait in
// its challenge until it is passed.
const MaxFacts = 2048
