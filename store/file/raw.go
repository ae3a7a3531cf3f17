package file

import "fmt"

// rawKind describes a kind of record that is kept as its bytes are, without
// JSON, where these are not the engine's own or each of them counts.
type rawKind struct {
	bucket string
	// max is the largest size of a record; none is empty.
	max int
	// meaning tells the operator what becomes of a record that cannot be read:
	// it counts as absent.
	meaning string
}

// decode returns a record's bytes, which share the memory of raw.
func (k *rawKind) decode(key, raw []byte) ([]byte, error) {
	text, err := unframe(k.bucket, key, raw)
	if err == nil && (len(text) == 0 || len(text) > k.max) {
		err = fmt.Errorf("it has %d bytes: 1 to %d are stored", len(text), k.max)
	}
	if err != nil {
		return nil, k.garbage(key, err)
	}
	return text, nil
}

func (k *rawKind) garbage(key []byte, err error) error {
	if isGarbage(err) {
		return err
	}
	return &garbageError{k.bucket, shownKey(k.bucket, key), k.meaning, err}
}

func (k *rawKind) encode(key, text []byte) ([]byte, error) {
	if len(text) > k.max {
		return nil, fmt.Errorf("a record of %s has %d bytes: more than %d are not stored", k.bucket, len(text), k.max)
	}
	return frame(k.bucket, key, text), nil
}
