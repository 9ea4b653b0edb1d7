package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// Left tells what had not reached the bucket when a wait ended.
type Left struct {
	Files  int    `json:"files"`  // changes not yet in the bucket
	Bytes  int64  `json:"bytes"`  // their bytes
	Failed int    `json:"failed"` // those of Files that failed and wait for a retry
	Error  string `json:"error,omitempty"`
}

// Controller is what a running mount does for its control socket. Paths are
// relative to the mountpoint, "" is all of it.
type Controller interface {
	Status(ctx context.Context) (any, error)
	Explain(ctx context.Context, path string) (any, error)
	// Sync returns when everything below path is in the bucket or has
	// failed, or when ctx ends; what is left is no error.
	Sync(ctx context.Context, path string) (Left, error)
	// Unmount takes the mount away and begins the drain; it does not wait for it.
	Unmount(ctx context.Context) error
	Spooler
	Watcher
}

// Server answers on a control socket.
type Server struct {
	http *http.Server
	done chan struct{}
	path string
}

// maxSocketPath is the longest path that fits sun_path. Source: unix(7).
const maxSocketPath = 107

// Serve listens on a unix socket at path, replacing one that nobody serves.
func Serve(path string, c Controller, log *zap.Logger) (*Server, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("control socket %s: path is longer than %d bytes: choose a shorter --state-dir", path, maxSocketPath)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	s := &Server{
		http: &http.Server{Handler: routes(c, log), ReadHeaderTimeout: 5 * time.Second},
		done: make(chan struct{}),
		path: path,
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("control socket ended", zap.Error(err))
		}
	}()
	return s, nil
}

// Close lets requests under way end for a second, then cuts them.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	<-s.done
	_ = os.Remove(s.path)
}

func routes(c Controller, log *zap.Logger) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any, err error) {
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			v = map[string]string{"error": err.Error()}
		}
		if err := json.NewEncoder(w).Encode(v); err != nil {
			log.Debug("control answer not sent", zap.Error(err))
		}
	}
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		v, err := c.Status(r.Context())
		answer(w, v, err)
	})
	mux.HandleFunc("GET /explain", func(w http.ResponseWriter, r *http.Request) {
		v, err := c.Explain(r.Context(), r.URL.Query().Get("path"))
		answer(w, v, err)
	})
	mux.HandleFunc("POST /sync", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if limit, err := time.ParseDuration(r.URL.Query().Get("limit")); err == nil && limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		v, err := c.Sync(ctx, r.URL.Query().Get("path"))
		answer(w, v, err)
	})
	mux.HandleFunc("POST /unmount", func(w http.ResponseWriter, r *http.Request) {
		answer(w, struct{}{}, c.Unmount(r.Context()))
	})
	spoolRoutes(mux, c, answer)
	watchRoute(mux, c, answer)
	return mux
}
