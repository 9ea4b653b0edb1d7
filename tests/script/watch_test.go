package script

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// watch listens to a mount, from now on; kinds waits for the end and gives the kinds of all events.
func (a *app) watch(dir string) (kinds func() []string) {
	a.t.Helper()
	cmd := exec.CommandContext(a.t.Context(), rig.Bin, "watch", dir)
	cmd.Env = append(append(os.Environ(), a.env...), "XDG_RUNTIME_DIR="+filepath.Join(a.top, "run"), "HOME="+a.top)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if first, err := lines.ReadString('\n'); err != nil {
		a.t.Fatalf("watch: %q, %v", first, err)
	}
	return func() (all []string) {
		a.t.Helper()
		for d := json.NewDecoder(lines); ; {
			var e struct{ Event string }
			if err := d.Decode(&e); err == io.EOF {
				break
			} else if err != nil {
				a.t.Fatal(err)
			}
			all = append(all, e.Event)
		}
		if err := cmd.Wait(); err != nil {
			a.t.Errorf("watch: %v", err)
		}
		return all
	}
}

// only leaves out what is none of these.
func only(all []string, these ...string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return !slices.Contains(these, s) })
}
