package fs

import (
	"fmt"
	"log"

	"github.com/hanwen/go-fuse/v2/fuse"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// stdLog is a logger for go-fuse that writes to z.
func stdLog(z *zap.Logger, level zapcore.Level) *log.Logger {
	std, err := zap.NewStdLogAt(z.Named("fuse"), level)
	if err != nil { // only for levels that do not exist
		std = zap.NewStdLog(z)
	}
	return std
}

// panicHandler turns a panic in an operation into EIO for its caller and a
// logged stack: one broken file must not take the mount away from all others.
func panicHandler(z *zap.Logger) func(any) fuse.Status {
	return func(cause any) fuse.Status {
		z.Error("panic in a file system operation", zap.String("cause", fmt.Sprint(cause)), zap.Stack("stack"))
		return fuse.EIO
	}
}
