package object

import (
	"errors"
	"fmt"
	"mime"
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

func urlCommand() *cli.Command {
	response := func(name, what string) cli.Flag {
		return &cli.StringFlag{Name: "response-" + name, Usage: "have the answer to a GET say this `" + what + "`"}
	}
	return &cli.Command{
		Name:      "url",
		Usage:     "print a presigned URL, by which whoever has it can get or put the object, without a mount",
		ArgsUsage: "KEY",
		Description: "The URL is good for --expires, and at most as long as the credentials that sign it; where they end before, a note says so. That the\n" +
			"object exists is not looked at but with --validate. A PUT must have the Content-Type that --content-type has named.\n" + keysHelp,
		Flags: levelFlags(
			&cli.StringFlag{Name: "expires", Value: "900", Usage: "how long the URL is good, as `TIME`: seconds, or 15m, 1h30m; 1 s to 7 days"},
			&cli.StringFlag{Name: "method", Value: "get", Usage: "`METHOD` that the URL is for: get or put"},
			&cli.StringFlag{Name: "content-type", Usage: "with --method put: the Content-Type `TYPE` that the upload must have"},
			&cli.BoolFlag{Name: "validate", Usage: "fail when the object does not exist (Amplify's validateObjectExistence)"},
			&cli.StringFlag{Name: "download-name", Usage: "have browsers save it as `NAME` (Content-Disposition: attachment)"},
			response("content-type", "TYPE"), response("content-disposition", "VALUE"), response("content-encoding", "VALUE"),
			response("content-language", "VALUE"), response("cache-control", "VALUE"), response("expires", "HTTP-DATE"),
		),
		Action: presign,
	}
}

// linked is what url --json prints.
type linked struct {
	URL       string            `json:"url"`
	ExpiresAt time.Time         `json:"expiresAt"`
	Method    string            `json:"method"`
	Headers   map[string]string `json:"headers,omitempty"` // that the request must have
}

func presign(c *cli.Context) error {
	r, err := presignRequest(c)
	if err != nil {
		return err
	}
	want := levels.Get
	if r.Put {
		want = levels.Put
	}
	v, err := openVerb(c, want)
	if err != nil {
		return err
	}
	defer v.close()
	if r.Key, err = v.oneKey(c); err != nil {
		return err
	}
	s, err := linkerOf(v.backend.Store)
	if err != nil {
		return err
	}
	if c.Bool("validate") {
		_, err = s.Head(v.ctx, r.Key, store.Cond{})
	}
	var got s3store.Presigned
	if err == nil {
		got, err = s.Presign(v.ctx, r)
	}
	if !r.Put { // Amplify's clients make no URLs to put by
		v.track.Track(tracking.Of(tracking.Get, err))
	}
	if err != nil {
		return v.explainFailure(err)
	}
	if got.Capped {
		_, _ = fmt.Fprintf(os.Stderr, "s3levelfs: the URL is good until %s only: then the credentials expire\n", got.Expires.Format(time.RFC3339))
	}
	if !c.Bool("json") {
		_, err := fmt.Fprintln(c.App.Writer, got.URL)
		return err
	}
	out := linked{URL: got.URL, ExpiresAt: got.Expires.UTC(), Method: got.Method, Headers: map[string]string{}}
	for name := range got.Headers {
		out.Headers[name] = got.Headers.Get(name)
	}
	return v.print(out)
}

// presignRequest is what the flags ask for, without the key.
func presignRequest(c *cli.Context) (r s3store.PresignRequest, err error) {
	text := c.String("expires")
	r.Expires, err = time.ParseDuration(text)
	if seconds, serr := strconv.ParseUint(text, 10, 31); serr == nil {
		r.Expires, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || r.Expires < time.Second || r.Expires > s3store.MaxPresign {
		return r, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--expires: %q is not a time from 1 s to 7 days (604800 s): give seconds, or a time such as 1h30m", text))
	}
	switch c.String("method") {
	case "get":
	case "put":
		r.Put = true
	default:
		return r, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--method: %q is not one of get, put", c.String("method")))
	}
	r.ContentType = c.String("content-type")
	if r.ContentType != "" && !r.Put {
		return r, cmdline.WithCode(cmdline.ExitUsage, errors.New("--content-type is of an upload (--method put): for a download give --response-content-type"))
	}
	if name := c.String("download-name"); name != "" {
		if c.String("response-content-disposition") != "" {
			return r, cmdline.WithCode(cmdline.ExitUsage, errors.New("--download-name and --response-content-disposition say the same: give one of them"))
		}
		r.Response.ContentDisposition = mime.FormatMediaType("attachment", map[string]string{"filename": name})
	} else {
		r.Response.ContentDisposition = c.String("response-content-disposition")
	}
	r.Response.ContentType, r.Response.ContentEncoding = c.String("response-content-type"), c.String("response-content-encoding")
	r.Response.ContentLanguage, r.Response.CacheControl = c.String("response-content-language"), c.String("response-cache-control")
	if r.Response.Expires = c.String("response-expires"); r.Put && r.Response != (s3store.ResponseHeaders{}) {
		return r, cmdline.WithCode(cmdline.ExitUsage, errors.New("--download-name and --response-… are of downloads: leave them or --method put out"))
	}
	return r, nil
}
