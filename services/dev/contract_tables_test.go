package dev_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

var (
	fieldTable = regexp.MustCompile(`(?m)^\| field[^|]*\| type \|.*\n\|[-|]+\n((?:\|.*\n)+)`)
	codeTable  = regexp.MustCompile(`(?m)^\| code \| number \|.*\n\|[-|]+\n((?:\|.*\n)+)`)
)

// TestContractFields compares the tables of fields with the messages, in the order in which the contract has them.
func TestContractFields(t *testing.T) {
	messages := []proto.Message{
		&scorev1.RequestScoreRequest{}, &scorev1.Answer{}, &scorev1.Score{}, &scorev1.Failure{}, &scorev1.FetchScoreRequest{}, &scorev1.Error{},
		&scorev1.Report{}, &scorev1.NotifyRequest{}, &scorev1.NotifyResponse{}, &scorev1.AbortRequest{},
	}
	tables := tables(t, fieldTable)
	if len(tables) != len(messages) {
		t.Fatalf("there are %d tables of fields, want %d", len(tables), len(messages))
	}
	for i, m := range messages {
		var got, want []string
		for _, row := range tables[i] {
			got = append(got, row[0]+" "+row[1])
		}
		fields := m.ProtoReflect().Descriptor().Fields()
		for j := range fields.Len() {
			want = append(want, fmt.Sprintf("`%s` %s", fields.Get(j).Name(), typeName(fields.Get(j))))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", m.ProtoReflect().Descriptor().Name(), diff)
		}
	}
}

// typeName is how the contract writes a field's type.
func typeName(f protoreflect.FieldDescriptor) string {
	name := f.Kind().String()
	if f.Kind() == protoreflect.MessageKind && !f.IsMap() {
		name = string(f.Message().Name())
	}
	switch {
	case f.IsMap():
		return "map of strings"
	case f.IsList() && name == "string":
		return "list of strings"
	case f.IsList():
		return "list of " + name
	case name == "Timestamp":
		return "time"
	case name == "Duration":
		return "duration"
	}
	return name
}

func TestContractCodes(t *testing.T) {
	got := map[string]string{}
	for _, row := range tables(t, codeTable)[0] {
		got[row[0]] = row[1] + " " + row[2]
	}
	want := map[string]string{}
	for number, name := range scorev1.Code_name {
		if code := scorev1.Code(number); code != scorev1.Code_CODE_UNSPECIFIED {
			retry := map[bool]string{true: "yes", false: "no"}[fault.Retryable(code)]
			want["`"+name+"`"] = fmt.Sprint(fault.Status(code), " ", retry)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// tables is the rows of the tables of this form, cell by cell.
func tables(t *testing.T, form *regexp.Regexp) (all [][][]string) {
	t.Helper()
	text, err := os.ReadFile(contract)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range form.FindAllStringSubmatch(string(text), -1) {
		var rows [][]string
		for row := range strings.Lines(table[1]) {
			cells := strings.Split(strings.Trim(row, "| \n"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
		all = append(all, rows)
	}
	return all
}
