package mail

import "context"

// Sender sends mails. It is safe for use by many goroutines.
type Sender interface {
	// Send hands the message to a mail server and returns when the server has
	// taken it, which does not mean that the person has it. It ends soon after
	// its context does, and a sender that speaks to a network puts a time-out
	// of its own on all of it as well. It does not try again by itself.
	//
	// A message that [Message.Check] refuses, and one that the server says it
	// will never take, are errors that wrap [ErrRefused]. No error text holds
	// the address, the content, a password, or what a server wrote.
	Send(ctx context.Context, m Message) error
}
