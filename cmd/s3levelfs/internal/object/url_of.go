package object

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/internal/throttle"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// linker makes URLs.
type linker interface {
	store.Reader
	Presign(ctx context.Context, r s3store.PresignRequest) (s3store.Presigned, error)
}

// linkerOf finds what makes URLs below what decorates it.
func linkerOf(s store.Store) (linker, error) {
	for {
		switch w := s.(type) {
		case *telemetry.Requests:
			s = w.Store
		case *throttle.Store:
			s = w.Store
		case *s3store.Store:
			return w, nil
		case *local.Store:
			return nil, cmdline.WithCode(cmdline.ExitConfig, errors.New("--local: its server is reached by this process alone, no URL leads to it: run `s3levelfs local` and give its --endpoint"))
		case store.Presigner:
			return downloads{s, w}, nil
		default:
			return nil, cmdline.WithCode(cmdline.ExitConfig, errors.New("this --provider has no presigned URLs: url works with buckets of S3"))
		}
	}
}

// downloads are the URLs of a provider that is not S3: of what is stored, as it is stored.
type downloads struct {
	store.Store
	presigner store.Presigner
}

// Presign implements [linker].
func (d downloads) Presign(ctx context.Context, r s3store.PresignRequest) (s3store.Presigned, error) {
	if r.Put || r.Response != (s3store.ResponseHeaders{}) {
		return s3store.Presigned{}, cmdline.WithCode(cmdline.ExitConfig, errors.New("this --provider makes URLs of downloads as they are stored: leave --method put, --download-name and --response-… out"))
	}
	url, err := d.presigner.PresignGet(ctx, r.Key, r.Expires)
	return s3store.Presigned{URL: url, Method: http.MethodGet, Expires: time.Now().Add(r.Expires)}, err
}
