package file

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// frameVersion is the first byte of every record. A record with another one is
// not read.
const frameVersion = 1

// frameSize is the length of what stands in front of a record's text: the
// version and a CRC-32C (RFC 3720, 12.1), big-endian.
const frameSize = 1 + crc32.Size

// frame puts the version and a checksum in front of a record. The checksum is
// also of the bucket and the key: a record that lies where another one belongs
// would else be read as that one, and a flipped bit in a time or a counter as
// another time or a smaller count.
func frame(bucket string, key, text []byte) []byte {
	out := make([]byte, frameSize, frameSize+len(text))
	out[0] = frameVersion
	binary.BigEndian.PutUint32(out[1:], checksum(bucket, key, text))
	return append(out, text...)
}

// unframe returns the text of a record, which shares the memory of raw.
func unframe(bucket string, key, raw []byte) ([]byte, error) {
	if len(raw) < frameSize {
		return nil, fmt.Errorf("it has %d bytes, fewer than any record", len(raw))
	}
	if raw[0] != frameVersion {
		return nil, fmt.Errorf("its version %d is unknown", raw[0])
	}
	text := raw[frameSize:]
	if checksum(bucket, key, text) != binary.BigEndian.Uint32(raw[1:]) {
		return nil, fmt.Errorf("its %d bytes do not have their checksum: it is damaged, or another key's", len(raw))
	}
	return text, nil
}

func checksum(bucket string, key, text []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	place := append([]byte(bucket), 0)
	place = binary.BigEndian.AppendUint32(place, uint32(len(key)))
	sum := crc32.Update(0, table, append(place, key...))
	return crc32.Update(sum, table, text)
}
