// Package fields reads single fields of a request's query and body, strictly,
// for a gateway that may let no login pass unwatched: what some app could read
// as a login is one here, and what two apps could read in two ways is refused.
//
// A form is read as PHP, Rack, Django, Express and ASP.NET would, all at once:
// names are compared in every spelling that one of them takes for the declared
// one, while a value counts only if all of them read the same. Bodies whose
// Content-Type, charset or syntax leaves a doubt are searched as plain bytes,
// and count as carrying a name if they could hold it.
//
// Bodies that were read whole are judged before the request is forwarded.
// Longer ones stream through Watch, which is always one chunk ahead of the app.
package fields
