package twofactor

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Limits of an import. A larger one is taken in parts.
const (
	maxImportBytes    = 16 << 20
	maxImportRows     = 100_000
	maxImportProblems = 20
)

// The columns of an import, in the order of the documentation. Only the first
// must be there.
const (
	columnUser      = "user"
	columnAliases   = "aliases"
	columnPhone     = "phone"
	columnMail      = "mail"
	columnGroup     = "group"
	columnSecret    = "totp_secret"
	columnAlgorithm = "totp_algorithm"
	columnDigits    = "totp_digits"
	columnPeriod    = "totp_period"
)

var importColumns = []string{
	columnUser, columnAliases, columnPhone, columnMail, columnGroup,
	columnSecret, columnAlgorithm, columnDigits, columnPeriod,
}

// importRow is one row of an import as it was written. A column that is not in
// the file is not in the map, which is not the same as an empty one.
type importRow struct {
	line int
	cell map[string]string
}

// get returns a cell without surrounding blanks, and whether the file has it.
func (r importRow) get(column string) (string, bool) {
	v, ok := r.cell[column]
	return strings.TrimSpace(v), ok
}

// importProblem is one thing that is wrong with a file.
type importProblem struct {
	// Line counts from 1; it is where the row begins.
	Line int `json:"line"`
	// Column is empty if the whole row is wrong.
	Column string `json:"column,omitempty"`
	// Reason says what is wrong and what is expected, without the value of a
	// phone number or a secret.
	Reason string `json:"reason"`
}

// String returns the problem as one line for people.
func (p importProblem) String() string {
	if p.Column == "" {
		return fmt.Sprintf("line %d: %s", p.Line, p.Reason)
	}
	return fmt.Sprintf("line %d, column %s: %s", p.Line, p.Column, p.Reason)
}

// importError is a file of which nothing was taken. It lists the first
// maxImportProblems of what is wrong.
type importError struct {
	problems []importProblem
	more     bool
}

// add notes a problem and reports whether there is room for another.
func (e *importError) add(line int, column, format string, args ...any) bool {
	if len(e.problems) == maxImportProblems {
		e.more = true
		return false
	}
	e.problems = append(e.problems, importProblem{Line: line, Column: column, Reason: fmt.Sprintf(format, args...)})
	return true
}

// err returns nil if nothing is wrong.
func (e *importError) err() error {
	if len(e.problems) == 0 {
		return nil
	}
	return e
}

// Error lists the problems, one a line.
func (e *importError) Error() string {
	var b strings.Builder
	b.WriteString("nothing was imported:")
	for _, p := range e.problems {
		b.WriteString("\n  " + p.String())
	}
	if e.more {
		b.WriteString("\n  … and more")
	}
	return b.String()
}

// inputError is a file, or what was said with it, that cannot be taken as a
// whole.
type inputError struct{ error }

// Unwrap returns the error that says why.
func (e *inputError) Unwrap() error { return e.error }

func inputErrorf(format string, args ...any) error {
	return &inputError{fmt.Errorf(format, args...)}
}

// readRows reads a CSV file with a header row, or a JSON list of objects; which
// of them, the first byte says. It reads at most maxImportBytes.
func readRows(r io.Reader) ([]importRow, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxImportBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the import: %w", err)
	}
	if len(data) > maxImportBytes {
		return nil, inputErrorf("the import is longer than %d MiB: split it", maxImportBytes>>20)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch first := bytes.TrimLeft(data, " \t\r\n"); {
	case len(first) == 0:
		return nil, inputErrorf("the import is empty: want CSV with a header row, or a JSON list of objects")
	case first[0] == '[':
		return readJSONRows(data)
	case first[0] == '{':
		return nil, inputErrorf("the import is one JSON object: want a list of objects, [{…}, …]")
	default:
		return readCSVRows(data)
	}
}

func readCSVRows(data []byte) ([]importRow, error) {
	var bad importError
	in := csv.NewReader(bytes.NewReader(data))
	in.FieldsPerRecord = -1
	in.TrimLeadingSpace = true

	header, err := in.Read()
	if err != nil {
		badCSV(&bad, 1, err)
		return nil, bad.err()
	}
	line, _ := in.FieldPos(0)
	checkHeader(&bad, line, header)
	if bad.err() != nil {
		return nil, bad.err()
	}
	var rows []importRow
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			// What follows a broken quote cannot be told apart.
			badCSV(&bad, line, err)
			break
		}
		line, _ = in.FieldPos(0)
		if len(rows) == maxImportRows {
			return nil, tooManyRows()
		}
		if len(record) != len(header) {
			if !bad.add(line, "", "%d columns, but the header has %d", len(record), len(header)) {
				break
			}
			continue
		}
		row := importRow{line: line, cell: make(map[string]string, len(header))}
		for i, name := range header {
			row.cell[name] = record[i]
		}
		rows = append(rows, row)
	}
	return rows, bad.err()
}

// checkHeader folds the names of the header in place and notes those that are
// unknown, doubled or missing.
func checkHeader(bad *importError, line int, header []string) {
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(name))
		switch {
		case !slices.Contains(importColumns, header[i]):
			// Its text may be a secret: of a file without a header row.
			bad.add(line, "", "column %d of the header row is unknown: the columns are %s, separated by commas", i+1, strings.Join(importColumns, ", "))
		case slices.Contains(header[:i], header[i]):
			bad.add(line, header[i], "is there twice")
		}
	}
	if bad.err() == nil && !slices.Contains(header, columnUser) {
		bad.add(line, columnUser, "is missing in the header row")
	}
}

func badCSV(bad *importError, line int, err error) {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		bad.add(parse.Line, "", "not CSV: %v", parse.Err)
		return
	}
	bad.add(line, "", "not CSV: %v", err)
}

func readJSONRows(data []byte) ([]importRow, error) {
	var bad importError
	lines := lineCounter{data: data}
	in := json.NewDecoder(bytes.NewReader(data))
	if _, err := in.Token(); err != nil {
		return nil, inputErrorf("the import is not JSON: %w", err)
	}
	var rows []importRow
	for in.More() {
		line := lines.at(in.InputOffset())
		var object map[string]jsonCell
		err := in.Decode(&object)
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			bad.add(line, "", "not JSON: %v", err)
			return nil, bad.err()
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
		for name, v := range object {
			if !slices.Contains(importColumns, name) {
				bad.add(line, "", "unknown name %s: the names are %s", clip(name), strings.Join(importColumns, ", "))
				continue
			}
			if v.present {
				row.cell[name] = v.text
			}
		}
		rows = append(rows, row)
	}
	if bad.err() != nil {
		return nil, bad.err()
	}
	if _, err := in.Token(); err != nil {
		bad.add(lines.at(in.InputOffset()), "", "not JSON: the list has no end")
		return nil, bad.err()
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		bad.add(lines.at(in.InputOffset()), "", "something follows the list")
	}
	return rows, bad.err()
}

// jsonCell is a cell of a JSON import: a text, a number, a list of texts for
// the aliases, or null for a cell that is not there.
type jsonCell struct {
	text    string
	present bool
}

// UnmarshalJSON takes a text, a number, a list of texts or null.
func (c *jsonCell) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	c.present = true
	var list []string
	switch data[0] {
	case '"':
		return json.Unmarshal(data, &c.text)
	case '[':
		if err := json.Unmarshal(data, &list); err != nil {
			return errors.New("a list may hold texts only")
		}
		c.text = strings.Join(list, ";")
		return nil
	default:
		n, err := strconv.Atoi(string(data))
		if err != nil {
			return errors.New("a value is neither a text nor a whole number nor a list of texts")
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

func tooManyRows() error {
	return inputErrorf("the import has more than %d rows: split it", maxImportRows)
}

// clip quotes the beginning of a text for a message.
func clip(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return strconv.Quote(string(r[:most]) + "…")
	}
	return strconv.Quote(s)
}
