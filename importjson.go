package twofactor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

func readJSONRows(data []byte, bad *importError) ([]importRow, error) {
	lines := lineCounter{data: data}
	in := json.NewDecoder(bytes.NewReader(data))
	if _, err := in.Token(); err != nil {
		return nil, inputErrorf("the import is not JSON: %w", err)
	}
	var rows []importRow
	for in.More() {
		line := lines.at(in.InputOffset())
		var object jsonObject
		err := in.Decode(&object)
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			// What follows cannot be told apart.
			bad.add(line, "", "not JSON: %v", err)
			return rows, nil
		}
		if len(rows) == maxImportRows {
			return nil, tooManyRows()
		}
		if err != nil {
			if !bad.add(line, "", "%s", jsonReason(err)) {
				break
			}
			continue
		}
		row := importRow{line: line, cell: make(map[string]string, len(object))}
		for _, name := range slices.Sorted(maps.Keys(object)) {
			v := object[name]
			if !slices.Contains(importColumns, name) {
				bad.add(line, "", "unknown name %s%s: the names are %s", clip(name), didYouMean(name), strings.Join(importColumns, ", "))
				continue
			}
			if v.present {
				row.cell[name] = v.text
			}
		}
		rows = append(rows, row)
	}
	if bad.isFull() {
		return rows, nil
	}
	if _, err := in.Token(); err != nil {
		bad.add(lines.at(in.InputOffset()), "", "not JSON: the list has no end")
		return rows, nil
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		bad.add(lines.at(in.InputOffset()), "", "something follows the list")
	}
	return rows, nil
}

// jsonObject is a row of a JSON import, in which no name stands twice.
type jsonObject map[string]jsonCell

// UnmarshalJSON takes an object or null.
func (o *jsonObject) UnmarshalJSON(data []byte) error {
	in := json.NewDecoder(bytes.NewReader(data))
	if begin, err := in.Token(); err != nil || begin == nil {
		return err
	} else if begin != json.Delim('{') {
		return &json.UnmarshalTypeError{}
	}
	*o = make(jsonObject)
	for in.More() {
		token, err := in.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if _, twice := (*o)[name]; twice {
			return fmt.Errorf("the name %s is there twice", clip(name))
		}
		var cell jsonCell
		if err := in.Decode(&cell); err != nil {
			return err
		}
		(*o)[name] = cell
	}
	return nil
}

// jsonCell is a cell of a JSON import: a text, a number, true or false, a list of
// texts for the aliases, or null for a cell that is not there.
type jsonCell struct {
	text    string
	present bool
}

// UnmarshalJSON takes a text, a number, true, false, a list of texts or null.
func (c *jsonCell) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	c.present = true
	var list []string
	switch data[0] {
	case '"':
		return json.Unmarshal(data, &c.text)
	case 't', 'f':
		c.text = string(data)
		return nil
	case '[':
		if err := json.Unmarshal(data, &list); err != nil {
			return errors.New("a list may hold texts only")
		}
		c.text = strings.Join(list, ";")
		return nil
	default:
		n, err := strconv.Atoi(string(data))
		if err != nil {
			return errors.New("a value is neither a text nor a whole number nor true or false nor a list of texts")
		}
		c.text = strconv.Itoa(n)
		return nil
	}
}

// jsonReason words a value of the wrong kind without showing it.
func jsonReason(err error) string {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return "want an object such as {\"user\": \"anna\"}"
	}
	return err.Error()
}

// lineCounter finds lines of growing offsets.
type lineCounter struct {
	data   []byte
	offset int64
	line   int
}

// at returns the line, from 1, of the next value at or after the offset.
func (l *lineCounter) at(offset int64) int {
	for offset < int64(len(l.data)) && strings.IndexByte(" \t\r\n,", l.data[offset]) >= 0 {
		offset++
	}
	l.line += bytes.Count(l.data[l.offset:offset], []byte("\n"))
	l.offset = offset
	return l.line + 1
}
