package backend

import (
	"fmt"
	"os"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/objectopts"
	"github.com/s3levelfs/s3levelfs/store"
)

// ObjectRules are what the settings give to objects that are created.
func ObjectRules(cfg *config.Loaded) (*objectopts.Rules, error) {
	given := map[string]string{}
	for name, text := range cfg.Object {
		if text != "" {
			given[name] = text
		}
	}
	all, err := objectopts.Parse(given)
	if err != nil {
		return nil, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("--%w", err))
	}
	rules := make([]objectopts.Rule, 0, len(cfg.Objects))
	for _, r := range cfg.Objects {
		rule := objectopts.Rule{Match: r.Match}
		for name, text := range r.Settings {
			if err := rule.Options.Set(name, text); err != nil {
				return nil, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("%s: %w", r.Origin, err))
			}
		}
		rules = append(rules, rule)
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
