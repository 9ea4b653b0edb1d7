package telemetry

import (
	"fmt"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// LogConfig says what is logged, where and how.
type LogConfig struct {
	Level  string // debug, info, warn, error
	File   string // "" = standard error
	Format string // text or json
}

// NewLog builds the logger. Closing it flushes and closes the file.
func NewLog(c LogConfig) (log *zap.Logger, closeLog func(), err error) {
	level, err := zapcore.ParseLevel(c.Level)
	if err != nil {
		return nil, nil, fmt.Errorf("log level %q: %w", c.Level, err)
	}
	out := os.Stderr
	if c.File != "" {
		out, err = os.OpenFile(c.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("log file: %w", err)
		}
	}
	ec := zap.NewProductionEncoderConfig()
	ec.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	ec.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewConsoleEncoder(ec)
	if c.Format == "json" {
		encoder = zapcore.NewJSONEncoder(ec)
	}
	log = zap.New(zapcore.NewCore(encoder, zapcore.Lock(out), level))
	return log, func() {
		_ = log.Sync() // standard error can not be synced everywhere
		if out != os.Stderr {
			_ = out.Close()
		}
	}, nil
}
