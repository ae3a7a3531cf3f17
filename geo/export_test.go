package geo

// LookAtFiles looks at the files once, as Watch does at each of its ticks.
func (r *Reader) LookAtFiles() { r.look() }
