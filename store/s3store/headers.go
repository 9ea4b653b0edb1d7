package s3store

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/s3levelfs/s3levelfs/store"
)

// ptr is nil for an absent header.
func ptr(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// star is the value of If-None-Match that asks for absence.
func star(on bool) *string {
	if !on {
		return nil
	}
	return aws.String("*")
}

func bucketKey(on bool) *bool {
	if !on {
		return nil
	}
	return &on
}

// verbatim sends Expires as it is: the SDK's field holds only proper dates, and
// objects carry "0" and "-1".
func verbatim(h store.Headers) []func(*s3.Options) {
	if h.Expires == "" {
		return nil
	}
	return []func(*s3.Options){s3.WithAPIOptions(smithyhttp.SetHeaderValue("Expires", h.Expires))}
}

func putHeaders(in *s3.PutObjectInput, h store.Headers) {
	in.ContentType = ptr(h.ContentType)
	in.ContentEncoding = ptr(h.ContentEncoding)
	in.ContentDisposition = ptr(h.ContentDisposition)
	in.ContentLanguage = ptr(h.ContentLanguage)
	in.CacheControl = ptr(h.CacheControl)
	in.WebsiteRedirectLocation = ptr(h.WebsiteRedirect)
	in.StorageClass = types.StorageClass(h.StorageClass)
	in.ServerSideEncryption = types.ServerSideEncryption(h.SSE)
	in.SSEKMSKeyId = ptr(h.SSEKMSKeyID)
	in.BucketKeyEnabled = bucketKey(h.BucketKey)
	in.Metadata = h.Metadata
	in.Tagging = tagging(h.Tags)
	in.ACL = types.ObjectCannedACL(h.ACL)
}

func createHeaders(in *s3.CreateMultipartUploadInput, h store.Headers) {
	in.ContentType = ptr(h.ContentType)
	in.ContentEncoding = ptr(h.ContentEncoding)
	in.ContentDisposition = ptr(h.ContentDisposition)
	in.ContentLanguage = ptr(h.ContentLanguage)
	in.CacheControl = ptr(h.CacheControl)
	in.WebsiteRedirectLocation = ptr(h.WebsiteRedirect)
	in.StorageClass = types.StorageClass(h.StorageClass)
	in.ServerSideEncryption = types.ServerSideEncryption(h.SSE)
	in.SSEKMSKeyId = ptr(h.SSEKMSKeyID)
	in.BucketKeyEnabled = bucketKey(h.BucketKey)
	in.Metadata = h.Metadata
	in.Tagging = tagging(h.Tags)
	in.ACL = types.ObjectCannedACL(h.ACL)
}

func copyHeaders(in *s3.CopyObjectInput, h store.Headers) {
	in.MetadataDirective = types.MetadataDirectiveReplace
	in.ContentType = ptr(h.ContentType)
	in.ContentEncoding = ptr(h.ContentEncoding)
	in.ContentDisposition = ptr(h.ContentDisposition)
	in.ContentLanguage = ptr(h.ContentLanguage)
	in.CacheControl = ptr(h.CacheControl)
	in.WebsiteRedirectLocation = ptr(h.WebsiteRedirect)
	in.StorageClass = types.StorageClass(h.StorageClass)
	in.ServerSideEncryption = types.ServerSideEncryption(h.SSE)
	in.SSEKMSKeyId = ptr(h.SSEKMSKeyID)
	in.BucketKeyEnabled = bucketKey(h.BucketKey)
	in.Metadata = h.Metadata
	if h.Tags != "" {
		in.TaggingDirective = types.TaggingDirectiveReplace
		in.Tagging = tagging(h.Tags)
	}
	in.ACL = types.ObjectCannedACL(h.ACL)
}

// headObject is what a HEAD says of key.
func headObject(key string, out *s3.HeadObjectOutput) store.Object {
	sums := checksums{
		kind: out.ChecksumType, wrong: wrongChecksum(out.ResultMetadata, out.ETag), sha256: out.ChecksumSHA256, sha1: out.ChecksumSHA1,
		crc64nvme: out.ChecksumCRC64NVME, crc32c: out.ChecksumCRC32C, crc32: out.ChecksumCRC32,
	}
	return store.Object{
		Key:          key,
		Size:         aws.ToInt64(out.ContentLength),
		ETag:         aws.ToString(out.ETag),
		LastModified: aws.ToTime(out.LastModified),
		VersionID:    aws.ToString(out.VersionId),
		StorageClass: class(string(out.StorageClass)),
		Checksum:     sums.full(),
		Composite:    sums.composite(),
		Parts:        int(aws.ToInt32(out.PartsCount)),
		Headers: &store.Headers{
			ContentType:        aws.ToString(out.ContentType),
			ContentEncoding:    aws.ToString(out.ContentEncoding),
			ContentDisposition: aws.ToString(out.ContentDisposition),
			ContentLanguage:    aws.ToString(out.ContentLanguage),
			CacheControl:       aws.ToString(out.CacheControl),
			Expires:            aws.ToString(out.ExpiresString),
			WebsiteRedirect:    aws.ToString(out.WebsiteRedirectLocation),
			StorageClass:       class(string(out.StorageClass)),
			SSE:                string(out.ServerSideEncryption),
			SSEKMSKeyID:        aws.ToString(out.SSEKMSKeyId),
			BucketKey:          aws.ToBool(out.BucketKeyEnabled),
			Metadata:           metadata(out.Metadata),
		},
	}
}

// getObject is what a GET says of key; size is that of the whole object, part where the part lies if one was asked for.
func getObject(key string, out *s3.GetObjectOutput, size int64, part store.Range) store.Object {
	sums := checksums{
		kind: out.ChecksumType, wrong: wrongChecksum(out.ResultMetadata, out.ETag), sha256: out.ChecksumSHA256, sha1: out.ChecksumSHA1,
		crc64nvme: out.ChecksumCRC64NVME, crc32c: out.ChecksumCRC32C, crc32: out.ChecksumCRC32,
	}
	sum := sums.full()
	if part.Part > 0 {
		sum = sums.part(part.Len == size)
	}
	return store.Object{
		Key:          key,
		Size:         size,
		ETag:         aws.ToString(out.ETag),
		LastModified: aws.ToTime(out.LastModified),
		VersionID:    aws.ToString(out.VersionId),
		StorageClass: class(string(out.StorageClass)),
		Checksum:     sum,
		Composite:    sums.composite(),
		Part:         part,
		TagsUntold:   aws.ToInt32(out.TagCount) > 0,
		Parts:        int(aws.ToInt32(out.PartsCount)),
		Headers: &store.Headers{
			ContentType:        aws.ToString(out.ContentType),
			ContentEncoding:    aws.ToString(out.ContentEncoding),
			ContentDisposition: aws.ToString(out.ContentDisposition),
			ContentLanguage:    aws.ToString(out.ContentLanguage),
			CacheControl:       aws.ToString(out.CacheControl),
			Expires:            aws.ToString(out.ExpiresString),
			WebsiteRedirect:    aws.ToString(out.WebsiteRedirectLocation),
			StorageClass:       class(string(out.StorageClass)),
			SSE:                string(out.ServerSideEncryption),
			SSEKMSKeyID:        aws.ToString(out.SSEKMSKeyId),
			BucketKey:          aws.ToBool(out.BucketKeyEnabled),
			Metadata:           metadata(out.Metadata),
		},
	}
}

// class is "" for STANDARD, which most servers do not name and some do.
func class(s string) string {
	if s == string(types.StorageClassStandard) {
		return ""
	}
	return s
}

func metadata(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

// wrongChecksum: the server may give right bytes, which were uploaded in parts, a wrong checksum. VersityGW (up to 1.8 at least)
// takes the checksum of a whole object for that of a part which was copied from a range of it, so that of the object that is made of
// such parts is wrong (backend/posix, UploadPartCopy: "Should the checksum be recalculated or just copied ?").
func wrongChecksum(answer middleware.Metadata, etag *string) bool {
	res, ok := awsmiddleware.GetRawResponse(answer).(*smithyhttp.Response)
	return ok && res.Header.Get("Server") == "VERSITYGW" && strings.Contains(aws.ToString(etag), "-")
}
