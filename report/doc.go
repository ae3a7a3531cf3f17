// Package report says what a policy has asked, and what another would: from the
// lines of the audit log, for a period.
//
// [Read] reads the log's files into a [Log]. [Log.Report] counts what was decided
// and what policies decide that are replayed from the recorded facts, from the
// oldest line on, so that the accounts are used to by then what they were used
// to. A [Report] is written as a table ([Report.Text]), as JSON or as a page of
// HTML ([Report.HTML]).
//
// It reads no clock, and of files only those of the log. Whatever comes from the
// log counts as a stranger's: it has a size, and no text of it reaches a terminal
// or a page as it is.
package report
