package identity

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestSecretNeverPrints: not by any verb, not in JSON, not in a log, not inside of another value.
func TestSecretNeverPrints(t *testing.T) {
	const text = "hunter2"
	s := Secret(text)
	nested := struct {
		S Secret
		P *Secret
		M map[string]Secret
	}{s, &s, map[string]Secret{"k": s}}
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, s), fmt.Sprintf(verb, nested), fmt.Sprintf(verb, []Secret{s}))
	}
	doc, err := json.Marshal(nested)
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	zap.New(core).Debug("x", zap.Any("s", s), zap.Any("n", nested), zap.Stringer("t", s))
	for _, e := range logs.All() {
		enc := zapcore.NewJSONEncoder(zapcore.EncoderConfig{})
		line, err := enc.EncodeEntry(e.Entry, e.Context)
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, line.String())
	}
	all := strings.Join(append(shown, string(doc)), "\n")
	if strings.Contains(all, text) || strings.Contains(all, fmt.Sprintf("%x", text)) {
		t.Errorf("printed: %s", all)
	}
	if s.Reveal() != text {
		t.Error("lost")
	}
}
