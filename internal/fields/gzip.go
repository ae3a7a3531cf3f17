package fields

import (
	"bytes"
	"compress/gzip"
	"io"
)

// maxLook is how much of a compressed body is looked at, in bytes.
const maxLook = 4 << 10

// isOpaqueInside says whether what is compressed in raw certainly does not look
// like JSON, which an app's body parser would undo and read whatever the type.
func isOpaqueInside(raw []byte) bool {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return false
	}
	begin := make([]byte, maxLook)
	n, _ := io.ReadFull(z, begin)
	var h head
	h.feed(begin[:n], false)
	return h.decided && !h.json
}
