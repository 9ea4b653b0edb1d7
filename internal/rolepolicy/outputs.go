package rolepolicy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ParseRules reads the rules of paths from an amplify_outputs.json, or from rules
// alone in the shape of [Rules]. Of several buckets the one of that name is taken
// (its bucket_name or its friendly name); without a name there must be one. It
// returns the bucket's name too, "" where the text has none.
func ParseRules(text []byte, bucket string) (Rules, string, error) {
	var outputs struct {
		Storage *struct {
			Buckets []struct {
				Name       string `json:"name"`
				BucketName string `json:"bucket_name"`
				Paths      Rules  `json:"paths"`
			} `json:"buckets"`
		} `json:"storage"`
	}
	if err := json.Unmarshal(text, &outputs); err != nil {
		return nil, "", fmt.Errorf("no JSON of rules: %w", err)
	}
	if outputs.Storage == nil {
		var rules Rules
		if err := json.Unmarshal(text, &rules); err != nil {
			return nil, "", fmt.Errorf(`neither an amplify_outputs.json with storage.buckets nor rules such as {"public/*": {"guest": ["get"]}}: %w`, err)
		}
		return rules, "", nil
	}
	found := map[string]Rules{}
	for _, b := range outputs.Storage.Buckets {
		if bucket == "" || bucket == b.BucketName || bucket == b.Name {
			found[b.BucketName] = b.Paths
		}
	}
	names := slices.Sorted(maps.Keys(found))
	switch {
	case len(names) > 1:
		return nil, "", fmt.Errorf("there are rules of several buckets (%s): name one with --bucket", strings.Join(names, ", "))
	case len(names) == 0 && bucket != "":
		return nil, "", fmt.Errorf("bucket %q is not among storage.buckets: check --bucket", bucket)
	case len(names) == 0 || len(found[names[0]]) == 0:
		return nil, "", errors.New("storage.buckets[].paths is missing: it is written from version 1.2 of amplify_outputs.json on")
	}
	return found[names[0]], names[0], nil
}
