package twofactor

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of an import. A larger one is taken in parts.
const (
	maxImportBytes    = 16 << 20
	maxImportRows     = 100_000
	maxImportProblems = 1000
)

// The columns of an import, in the order of the documentation. Only the first
// must be there.
const (
	columnUser      = "user"
	columnAliases   = "aliases"
	columnPhone     = "phone"
	columnMail      = "mail"
	columnGroup     = "group"
	columnTeam      = "team"
	columnOwner     = "owner"
	columnLanguage  = "language"
	columnSecret    = "totp_secret"
	columnAlgorithm = "totp_algorithm"
	columnDigits    = "totp_digits"
	columnPeriod    = "totp_period"
)

var importColumns = []string{
	columnUser, columnAliases, columnPhone, columnMail, columnGroup,
	columnTeam, columnOwner, columnLanguage, columnSecret, columnAlgorithm, columnDigits, columnPeriod,
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

// isFull reports whether more is wrong than is listed.
func (e *importError) isFull() bool { return e.more }

// err returns nil if nothing is wrong, else all that is, in the order of the
// lines.
func (e *importError) err() error {
	if len(e.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(e.problems, func(a, b importProblem) int { return a.Line - b.Line })
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
// of them, the first byte says. It reads at most maxImportBytes. Rows that are
// none are noted; an error is of the whole file.
func readRows(r io.Reader, bad *importError) ([]importRow, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxImportBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the import: %w", err)
	}
	if len(data) > maxImportBytes {
		return nil, inputErrorf("the import is longer than %d MiB: split it", maxImportBytes>>20)
	}
	if data, err = asUTF8(data); err != nil {
		return nil, err
	}
	switch first := bytes.TrimLeft(data, " \t\r\n"); {
	case len(first) == 0:
		return nil, inputErrorf("the import is empty: want CSV with a header row, or a JSON list of objects")
	case first[0] == '[':
		return readJSONRows(data, bad)
	case first[0] == '{':
		return nil, inputErrorf("the import is one JSON object: want a list of objects, [{…}, …]")
	default:
		return readCSVRows(data, bad)
	}
}

// asUTF8 returns the text without a byte order mark. Another encoding, as
// spreadsheets write by default, would make other names of the users'.
func asUTF8(data []byte) ([]byte, error) {
	const saveAs = "save it as UTF-8 (in a spreadsheet: as \"CSV UTF-8\")"
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, inputErrorf("the import is UTF-16: %s", saveAs)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if utf8.Valid(data) {
		return data, nil
	}
	line := 1
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		rest = rest[size:]
	}
	return nil, inputErrorf("the import is not UTF-8 in line %d: %s", line, saveAs)
}

// separatorOf returns what stands between the columns: a comma, or what
// spreadsheets write where a comma is part of a number. The header row has none
// of them in its names.
func separatorOf(data []byte) rune {
	first, _, _ := bytes.Cut(bytes.TrimLeft(data, "\r\n"), []byte("\n"))
	best := ','
	for _, r := range ";\t" {
		if bytes.Count(first, []byte(string(r))) > bytes.Count(first, []byte(string(best))) {
			best = r
		}
	}
	return best
}

func readCSVRows(data []byte, bad *importError) ([]importRow, error) {
	in := csv.NewReader(bytes.NewReader(data))
	in.FieldsPerRecord = -1
	in.Comma = separatorOf(data)
	// A tab that leads a cell would be an empty one.
	in.TrimLeadingSpace = in.Comma != '\t'

	header, err := in.Read()
	if err != nil {
		badCSV(bad, 1, err)
		return nil, bad.err()
	}
	line, _ := in.FieldPos(0)
	checkHeader(bad, line, header)
	if bad.err() != nil {
		return nil, bad.err()
	}
	var rows []importRow
	for !bad.isFull() {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			// What follows a broken quote cannot be told apart.
			badCSV(bad, line, err)
			break
		}
		line, _ = in.FieldPos(0)
		if len(rows) == maxImportRows {
			return nil, tooManyRows()
		}
		if len(record) != len(header) {
			bad.add(line, "", "%d columns, but the header has %d", len(record), len(header))
			continue
		}
		row := importRow{line: line, cell: make(map[string]string, len(header))}
		for i, name := range header {
			row.cell[name] = record[i]
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// checkHeader folds the names of the header in place and notes those that are
// unknown, doubled or missing.
func checkHeader(bad *importError, line int, header []string) {
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(name))
		switch {
		case !slices.Contains(importColumns, header[i]):
			// Its text may be a secret: of a file without a header row.
			bad.add(line, "", "column %d of the header row is unknown%s: the columns are %s, separated by commas, semicolons or tabs", i+1, didYouMean(header[i]), strings.Join(importColumns, ", "))
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
