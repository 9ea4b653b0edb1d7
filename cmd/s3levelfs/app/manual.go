package app

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
)

// page is what the help says of a command besides its description and its options.
type page struct {
	codes    []int // exit codes, but for those that all commands have
	examples []string
}

// manual are pages by the names of commands.
type manual map[string]page

// pages are those of all commands that are not groups of others, by their names. The commands of the vault have those of the same
// commands without it. A command without a page fails the tests.
func pages() manual {
	const (
		found, away, exists = cmdline.ExitFound, cmdline.ExitUnavailable, cmdline.ExitExists
		unsent, may, set    = cmdline.ExitUnsent, cmdline.ExitPermission, cmdline.ExitConfig
	)
	object, put := []int{away, may, set}, []int{away, exists, may, set}
	return manual{
		"mount":         {[]int{away, unsent, may, set}, []string{"s3levelfs mount --local ~/data ~/cloud"}},
		"umount":        {[]int{unsent}, []string{"s3levelfs umount ~/cloud", "s3levelfs umount --timeout 30s ~/cloud"}},
		"sync":          {[]int{unsent}, []string{"s3levelfs sync", "s3levelfs sync --timeout 5m ~/cloud/private/report.odt"}},
		"status":        {nil, []string{"s3levelfs status", "s3levelfs status --watch ~/cloud"}},
		"watch":         {nil, []string{"s3levelfs watch", "s3levelfs watch ~/cloud/public/photos", "s3levelfs watch --json public/photos/2030-"}},
		"explain":       {nil, []string{"s3levelfs explain ~/cloud/private/report.odt"}},
		"spool ls":      {[]int{set}, []string{"s3levelfs spool ls", "s3levelfs spool ls --json"}},
		"spool retry":   {[]int{set}, []string{"s3levelfs spool retry", "s3levelfs spool retry public/report.odt"}},
		"spool export":  {[]int{set}, []string{"s3levelfs spool export public/report.odt -o ~/rescued/"}},
		"spool discard": {[]int{set}, []string{"s3levelfs spool discard --yes 1a2b3c"}},
		"doctor":        {[]int{found, set}, []string{"s3levelfs doctor"}},
		"local":         {[]int{set}, []string{"s3levelfs local --data ~/data --listen 127.0.0.1:20005"}},
		"config show":   {[]int{set}, []string{"s3levelfs config show --all"}},
		"version":       {nil, []string{"s3levelfs version --json"}},
		"providers":     {[]int{set}, []string{"s3levelfs providers", "s3levelfs providers --json"}},
		"man":           {nil, []string{"s3levelfs man | man -l -", "s3levelfs man > /usr/local/share/man/man1/s3levelfs.1"}},

		"completion bash": {nil, []string{"s3levelfs completion bash > ~/.local/share/bash-completion/completions/s3levelfs"}},
		"completion zsh":  {nil, []string{"s3levelfs completion zsh > /usr/local/share/zsh/site-functions/_s3levelfs"}},
		"completion fish": {nil, []string{"s3levelfs completion fish > ~/.config/fish/completions/s3levelfs.fish"}},

		"login":  {[]int{away, may, set}, []string{"s3levelfs login alice"}},
		"logout": {[]int{unsent, set}, []string{"s3levelfs logout", "s3levelfs logout --purge"}},
		"whoami": {[]int{away, may, set}, []string{"s3levelfs whoami", "s3levelfs whoami --guest"}},

		"init":          {[]int{away, may, set}, []string{"s3levelfs init --bucket B --region R --create --apply"}},
		"policy auth":   {[]int{set}, []string{"s3levelfs policy auth --bucket B"}},
		"policy unauth": {[]int{set}, []string{"s3levelfs policy unauth --bucket B --crud r"}},
		"policy group":  {[]int{set}, []string{"s3levelfs policy group --config amplify_outputs.json --group admin"}},
		"cors print":    {nil, []string{"s3levelfs cors print --origin https://app.example.com"}},
		"cors apply":    {[]int{away, may, set}, []string{"s3levelfs cors apply --bucket B --region R --origin https://app.example.com"}},
		"cors check":    {[]int{found, away, may, set}, []string{"s3levelfs cors check --bucket B --region R --origin https://app.example.com"}},
		"access":        {[]int{found, away, may, set}, []string{"s3levelfs access --bucket B --region R --identity-id ID"}},

		"put": {put, []string{
			"s3levelfs put photo.jpg album/photo.jpg", "s3levelfs put --level private --cache-control max-age=60 notes.txt notes.txt",
			"tar c src | s3levelfs put - backup/src.tar", "s3levelfs put -r --exclude '*.tmp' site public-site",
		}},
		"get": {object, []string{
			"s3levelfs get album/photo.jpg", "s3levelfs get --range 0-1023 big.iso -", "s3levelfs get -r album ~/album",
		}},
		"ls":   {object, []string{"s3levelfs ls album/", "s3levelfs ls --level protected --owner ID --json"}},
		"rm":   {object, []string{"s3levelfs rm album/photo.jpg", "s3levelfs rm -r --dry-run album"}},
		"cp":   {put, []string{"s3levelfs cp draft.txt --level private --to-level public published.txt"}},
		"mv":   {put, []string{"s3levelfs mv -r old new"}},
		"stat": {object, []string{"s3levelfs stat album/photo.jpg"}},
		"cat":  {object, []string{"s3levelfs cat notes.txt"}},
		"url":  {object, []string{"s3levelfs url --expires 1h album/photo.jpg", "s3levelfs url --method put --content-type image/png upload.png"}},
	}
}

// pageOf is the page of a command; of a group the first example of each of its commands.
func (all manual) pageOf(name string, cmd *cli.Command) page {
	inVault := strings.HasPrefix(name, "vault ")
	p := all[strings.TrimPrefix(name, "vault ")]
	for _, sub := range cmd.Subcommands {
		if of := all.pageOf(name+" "+sub.Name, sub); len(of.examples) > 0 {
			p.examples = append(p.examples, of.examples[0])
		}
	}
	if inVault {
		p.examples = slices.Clone(p.examples)
		for i, e := range p.examples {
			p.examples[i] = strings.Replace(dropLevel.ReplaceAllString(e, ""), "s3levelfs ", "s3levelfs vault ", 1)
		}
	}
	return p
}

// dropLevel finds what the vault has no option for.
var dropLevel = regexp.MustCompile(` --(level|owner) \S+`)

// units are the kinds of values that the help explains, by their names in the text of options.
func units() [][2]string {
	return [][2]string{
		{"TIME", "a duration with its unit, such as 20ms, 5s, 1m30s or 2h, where the option does not say otherwise"},
		{"SIZE", "bytes, or with a unit: 64KiB, 256MiB, 20GiB (of 1024), 10MB (of 1000)"},
		{"N", "a whole number"},
	}
}

// sections are the end of a command's help: what its values are, examples and exit codes.
func (all manual) sections(name string, cmd *cli.Command) string {
	var b strings.Builder
	heading := "\nVALUES:\n"
	for _, u := range units() {
		if slices.ContainsFunc(cmd.Flags, func(f cli.Flag) bool {
			d, ok := f.(cli.DocGenerationFlag)
			return ok && d.TakesValue() && strings.Contains(d.GetUsage(), "`"+u[0]+"`")
		}) {
			fmt.Fprintf(&b, "%s   %-5s %s\n", heading, u[0], u[1])
			heading = ""
		}
	}
	p := all.pageOf(name, cmd)
	if len(p.examples) > 0 {
		b.WriteString("\nEXAMPLES:\n")
		for _, e := range p.examples {
			b.WriteString("   " + e + "\n")
		}
	}
	b.WriteString(exitCodes(p.codes))
	return b.String()
}

// exitCodes lists codes, those of all commands among them.
func exitCodes(codes []int) string {
	var b strings.Builder
	b.WriteString("\nEXIT CODES:\n")
	all := append([]int{cmdline.ExitOK, cmdline.ExitOther, cmdline.ExitUsage}, codes...)
	slices.Sort(all)
	for _, code := range slices.Compact(all) {
		fmt.Fprintf(&b, "   %2d  %s\n", code, cmdline.ExitText(code))
	}
	return b.String()
}

// allCodes are those of the whole program.
func allCodes() (all []int) {
	for _, p := range pages() {
		all = append(all, p.codes...)
	}
	return all
}

// sayDefaults makes the help say of each option without a value of its own that it has none.
func sayDefaults(flags []cli.Flag) {
	const none = "none"
	for _, f := range flags {
		switch f := f.(type) {
		case *cli.StringFlag:
			if f.Value == "" && f.DefaultText == "" && !strings.Contains(f.Usage, "default") {
				f.DefaultText = none
			}
		case *cli.StringSliceFlag:
			if f.Value == nil && f.DefaultText == "" && !strings.Contains(f.Usage, "default") {
				f.DefaultText = none
			}
		}
	}
}
