package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each cell of the tables of docs/UPLOADER.md has a test of its name: Test_TABLE_STATE_Event, a function or a case of
// runCells, with anything behind it. A row or column that is not known here fails: name it, and test its cells.

// columns are the events of a table, in order.
var columns = map[string][]string{
	"5a": {"Write", "Close", "Release", "Fsync", "Chmod", "Rename", "RenamedOnto", "Unlink"},
	"5b": {"200", "412", "Silence", "403", "Expired", "404"},
	"5c": {"Kill", "PowerLoss", "ForeignWrite", "ForeignDelete"},
}

// rows are the states, by what begins the row.
var rows = []struct {
	table, begins string
	states        []string
}{
	{"5a", "CLEAN(e)", []string{"CLEAN"}},
	{"5a", "DELETING(e), unsent", []string{"DELETING"}},
	{"5a", "DELETING, in flight", []string{"DELETING_InFlight"}},
	{"5a", "MOVING(K→K2,e)", []string{"MOVING"}},
	{"5a", "BASELOST (g leaves K", []string{"BASELOST"}},
	{"5b", "QUEUED delta (pinning)", []string{"QUEUED_Pinning"}},
	{"5b", "SENDING Put/Complete", []string{"SENDING"}},
	{"5b", "UNSURE (HEAD K)", []string{"UNSURE"}},
	{"5b", "MOVING copy", []string{"MOVING_Copy"}},
	{"5b", "MOVING delete", []string{"MOVING_Delete"}},
	{"5c", "CLEAN(e)", []string{"CLEAN"}},
	{"5c", "OPEN not synced", []string{"OPEN_Unsynced"}},
	{"5c", "OPEN synced", []string{"OPEN_Synced"}},
	{"5c", "CONFLICT / FAILED / BASELOST / QUAR", []string{"CONFLICT", "FAILED", "BASELOST", "QUAR"}},
	{"5c", "directory intent", []string{"DIRECTORY"}},
}

// rules are those of 5d, which is prose.
var rules = []string{
	"MKDIR_IsOnePut", "MKDIR_MadeBySomebodyElse", "RMDIR_BeforeItWasSent", "RMDIR_IsOneDelete", "RENAMEDIR_RekeysAllThatIsPending",
	"Probe", "NoConditions", "Unproved", "PutOnly",
}

func TestEveryCellHasItsTest(t *testing.T) {
	text, err := os.ReadFile("../../docs/UPLOADER.md")
	if err != nil {
		t.Fatal(err)
	}
	names := cellTests(t)
	cells, table := 0, ""
	for line := range strings.SplitSeq(string(text), "\n") {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			table, _, _ = strings.Cut(heading, ".")
		}
		if columns[table] == nil || !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| state ") {
			continue
		}
		for _, cell := range cellsOf(t, table, line) {
			cells++
			if !hasTest(names, "Test_"+table+"_"+cell) {
				t.Errorf("no test is named Test_%s_%s…", table, cell)
			}
		}
	}
	for _, rule := range rules {
		if !hasTest(names, "Test_5d_"+rule) {
			t.Errorf("no test is named Test_5d_%s…", rule)
		}
	}
	if cells < 100 {
		t.Errorf("%d cells found: are the tables still there?", cells)
	}
	t.Logf("%d cells, %d tests of their names", cells, len(names))
}

// cellsOf lists the cells of a row that say something, as STATE_Event.
func cellsOf(t *testing.T, table, line string) []string {
	t.Helper()
	parts := strings.Split(strings.Trim(line, "| "), " | ")
	if len(parts) != 1+len(columns[table]) {
		t.Fatalf("%s: %d columns in %.60q", table, len(parts), line)
	}
	var cells []string
	for _, state := range statesOf(t, table, strings.TrimSpace(parts[0])) {
		for i, text := range parts[1:] {
			text = strings.TrimSpace(text)
			says := text != "–" && !strings.HasPrefix(text, "– ") || strings.HasPrefix(text, "– (")
			if rest, others := strings.CutPrefix(text, "FAILED: as QUEUED; others –"); others && rest == "" || text == "likewise" {
				says = state == "FAILED"
			}
			if says {
				cells = append(cells, state+"_"+columns[table][i])
			}
		}
	}
	return cells
}

func statesOf(t *testing.T, table, head string) []string {
	t.Helper()
	for _, r := range rows {
		if r.table == table && strings.HasPrefix(head, r.begins) {
			return r.states
		}
	}
	if !regexp.MustCompile(`^[A-Z]+$`).MatchString(head) {
		t.Fatalf("%s: the row %q is not known", table, head)
	}
	return []string{head}
}

func hasTest(names []string, begins string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return n == begins || strings.HasPrefix(n, begins+"_") })
}

// cellTests finds the functions and cases that are named after cells.
func cellTests(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../uploader/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)(?:^func |\{name: "|^\s*name: ")(Test_5[a-d]_\w+)`)
	var names []string
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declared.FindAllSubmatch(src, -1) {
			names = append(names, string(m[1]))
		}
	}
	return names
}
