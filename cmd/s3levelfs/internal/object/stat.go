package object

import (
	"time"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// properties are an object's, named as Amplify's getProperties names them; what it has no names for has S3's.
type properties struct {
	Key                string            `json:"key"`
	Size               int64             `json:"size"` // bytes
	ContentType        string            `json:"contentType"`
	ETag               string            `json:"eTag"` // with quotes, as S3 sends it
	LastModified       time.Time         `json:"lastModified"`
	VersionID          string            `json:"versionId,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	Expires            string            `json:"expires,omitempty"`
	StorageClass       string            `json:"storageClass,omitempty"`
	SSE                string            `json:"serverSideEncryption,omitempty"`
	SSEKMSKeyID        string            `json:"sseKmsKeyId,omitempty"`
	Tags               string            `json:"tags,omitempty"`     // k=v&k2=v2, URL-encoded, where they may be read
	Checksum           string            `json:"checksum,omitempty"` // ALGORITHM:base64, of the whole
	Parts              int               `json:"parts,omitempty"`
}

func statCommand() *cli.Command {
	return &cli.Command{
		Name:        "stat",
		Usage:       "print an object's properties as JSON, without a mount",
		ArgsUsage:   "KEY",
		Description: "As Amplify's getProperties: size (bytes), contentType, eTag, lastModified, metadata and all other headers.\n" + keysHelp,
		Flags:       levelFlags(),
		Action:      stat,
	}
}

func stat(c *cli.Context) error {
	v, err := openVerb(c, levels.Get)
	if err != nil {
		return err
	}
	defer v.close()
	key, err := v.oneKey(c)
	if err != nil {
		return err
	}
	o, err := v.backend.Store.Head(v.ctx, key, store.Cond{})
	v.track.Track(tracking.Of(tracking.GetProperties, err))
	if err != nil {
		return v.explainFailure(err)
	}
	return cmdline.PrintJSON(c.App.Writer, propertiesOf(v.name(key), o))
}

func propertiesOf(name string, o store.Object) properties {
	h := store.Headers{}
	if o.Headers != nil {
		h = *o.Headers
	}
	return properties{
		Key: name, Size: o.Size, ContentType: h.ContentType, ETag: o.ETag, LastModified: o.LastModified, VersionID: o.VersionID,
		Metadata: h.Metadata, CacheControl: h.CacheControl, ContentDisposition: h.ContentDisposition, ContentEncoding: h.ContentEncoding,
		ContentLanguage: h.ContentLanguage, Expires: h.Expires, StorageClass: h.StorageClass, SSE: h.SSE, SSEKMSKeyID: h.SSEKMSKeyID, Tags: h.Tags,
		Checksum: o.Checksum, Parts: o.Parts,
	}
}
