package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Metric is one family of figures in the text format of Prometheus, version 0.0.4.
type Metric struct {
	Name    string
	Help    string
	Counter bool   // it only grows; else a gauge
	Label   string // that tells the values apart; "" = there is one value, of the key ""
	Values  map[string]float64
}

// WriteMetrics writes families in the order given, their values in the order of their labels.
func WriteMetrics(w io.Writer, families []Metric) error {
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	escapeHelp := strings.NewReplacer(`\`, `\\`, "\n", `\n`) // quotes stay
	for _, m := range families {
		kind := "gauge"
		if m.Counter {
			kind = "counter"
		}
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", m.Name, escapeHelp.Replace(m.Help), m.Name, kind)
		for _, label := range slices.Sorted(maps.Keys(m.Values)) {
			b.WriteString(m.Name)
			if m.Label != "" {
				fmt.Fprintf(&b, `{%s="%s"}`, m.Label, escape.Replace(label))
			}
			b.WriteString(" " + strconv.FormatFloat(m.Values[label], 'g', -1, 64) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// MetricsServer answers GET /metrics.
type MetricsServer struct {
	http *http.Server
	done chan struct{}
	addr string
}

// ServeMetrics listens on addr (host:port; an empty host is this machine alone) and answers with what gather gives.
func ServeMetrics(addr string, gather func() []Metric, log *zap.Logger) (*MetricsServer, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		if err := WriteMetrics(w, gather()); err != nil {
			log.Debug("metrics not written", zap.Error(err))
		}
	})
	const patience = 5 * time.Second
	s := &MetricsServer{
		http: &http.Server{Handler: mux, ReadHeaderTimeout: patience, WriteTimeout: 2 * patience, IdleTimeout: time.Minute},
		done: make(chan struct{}), addr: l.Addr().String(),
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics ended", zap.Error(err))
		}
	}()
	return s, nil
}

// Addr is where it listens.
func (s *MetricsServer) Addr() string { return s.addr }

// Close ends the server and waits for it.
func (s *MetricsServer) Close() {
	_ = s.http.Close()
	<-s.done
}
