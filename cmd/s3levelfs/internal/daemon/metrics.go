package daemon

import (
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/control"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// serveMetrics answers Prometheus where --metrics asks for it.
func (s *session) serveMetrics() error {
	if s.cfg.Metrics == "" {
		return nil
	}
	server, err := telemetry.ServeMetrics(s.cfg.Metrics, func() []telemetry.Metric { return control.MetricsOf(s.status()) }, s.log.Named("metrics"))
	if err != nil {
		return cmdline.WithCode(cmdline.ExitConfig, err)
	}
	s.log.Info("metrics", zap.String("address", server.Addr()))
	s.onClose(server.Close)
	return nil
}
