package backend

import (
	"fmt"
	"os"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/objectopts"
	"github.com/s3levelfs/s3levelfs/store"
)

// ObjectRules are what the settings give to objects that a mount creates: [[objects]] over what is for all.
func ObjectRules(cfg *config.Loaded) (*objectopts.Rules, error) { return objectRules(cfg, false) }

// PutRules are those of one put, the options of which count over [[objects]], too.
func PutRules(cfg *config.Loaded) (*objectopts.Rules, error) { return objectRules(cfg, true) }

func objectRules(cfg *config.Loaded, flagsLast bool) (*objectopts.Rules, error) {
	given, flags := map[string]string{}, map[string]string{}
	for name, text := range cfg.Object {
		if text == "" {
			continue
		}
		if given[name] = text; cfg.Origin[name] == "--"+name {
			flags[name] = text
		}
	}
	code := cmdline.ExitConfig
	if len(flags) == len(given) { // nothing else can be wrong
		code = cmdline.ExitUsage
	}
	all, err := objectopts.Parse(given)
	if err != nil {
		return nil, cmdline.WithCode(code, fmt.Errorf("--%w", err))
	}
	rules := make([]objectopts.Rule, 0, len(cfg.Objects)+1)
	for _, r := range cfg.Objects {
		rule := objectopts.Rule{Match: r.Match}
		for name, text := range r.Settings {
			if err := rule.Options.Set(name, text); err != nil {
				return nil, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("%s: %w", r.Origin, err))
			}
		}
		rules = append(rules, rule)
	}
	if flagsLast && len(flags) > 0 {
		last := objectopts.Rule{Match: "**"}
		for name, text := range flags {
			if err := last.Options.Set(name, text); err != nil {
				return nil, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--%w", err))
			}
		}
		rules = append(rules, last)
	}
	out, err := objectopts.New(all, rules)
	if err != nil {
		return nil, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("options of objects: %w", err))
	}
	return out, nil
}

// customerKey reads the key of SSE-C; "" = there is none.
func customerKey(file string) (*store.CustomerKey, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("--sse-c-key-file: %w", err))
	}
	key, err := store.ParseCustomerKey(content)
	if err != nil {
		return nil, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("--sse-c-key-file %s: %w", file, err))
	}
	return key, nil
}
