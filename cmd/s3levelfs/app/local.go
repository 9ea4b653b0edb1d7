package app

import (
	"errors"
	"fmt"
	"os/signal"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/store/local"
)

func localCommand() *cli.Command {
	return &cli.Command{
		Name:  "local",
		Usage: "run the embedded S3 alone, as a development endpoint",
		Description: "Serves DIR as an S3 endpoint until Ctrl-C. Amplify apps reach it on port 20005 with\n" +
			"dangerouslyConnectToHttpEndpointForTesting. Its credentials are kept in a 0600 file in DIR.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "data", Usage: "keep the objects as plain files in `DIR`; must be given"},
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:20005", Usage: "listen on loopback `ADDRESS`"},
			&cli.StringFlag{Name: "bucket", Value: local.DefaultBucket, Usage: "make this bucket `NAME`"},
			cmdline.JSONFlag(),
		}, cmdline.GroupFlags(config.GroupLog)...),
		Action: runLocal,
	}
}

func runLocal(c *cli.Context) error {
	if c.NArg() > 0 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("local takes no arguments, only options"))
	}
	if c.String("data") == "" {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("local needs --data DIR: see `s3levelfs local -h`"))
	}
	cfg, err := cmdline.LoadConfig(c)
	if err != nil {
		return err
	}
	log, closeLog, err := backend.OpenLog(cfg, "")
	if err != nil {
		return err
	}
	defer closeLog()
	ctx, stop := signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
	defer stop()
	s, err := local.Start(ctx, local.Config{
		Data: c.String("data"), Bucket: c.String("bucket"), Listen: c.String("listen"), StableCredentials: true, Log: log,
	})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	file, err := writeCredentials(c.String("data"), s.Credentials())
	if err != nil {
		return err
	}
	if err := announceLocal(c, s.Endpoint(), file); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Wait() }() // ends with the deferred Close at the latest
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return fmt.Errorf("the embedded S3 ended by itself: %w", err)
	}
}

// writeCredentials keeps the credentials in a file that a shell can source.
func writeCredentials(data string, c local.Credentials) (path string, err error) {
	abs, err := filepath.Abs(data)
	if err != nil {
		return "", err
	}
	path = filepath.Join(abs, ".s3levelfs", "credentials.env")
	text := fmt.Sprintf("AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", c.Access, c.Secret)
	return path, renameio.WriteFile(path, []byte(text), 0o600)
}

func announceLocal(c *cli.Context, endpoint, file string) error {
	if c.Bool("json") {
		return cmdline.PrintJSON(c.App.Writer, map[string]string{
			"endpoint": endpoint, "bucket": c.String("bucket"), "credentials_file": file,
		})
	}
	_, err := fmt.Fprintf(c.App.Writer, "S3 endpoint   %s\nbucket        %s\ncredentials   %s (source it)\nCtrl-C ends it.\n",
		endpoint, c.String("bucket"), file)
	return err
}
