package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
)

// TestValidateHeaders: what S3 would refuse each time is refused before it is sent.
func TestValidateHeaders(t *testing.T) {
	good := store.Headers{ContentType: "text/plain", CacheControl: "max-age=1,\tpublic", Expires: "0", StorageClass: "GLACIER_IR", SSEKMSKeyID: "arn:k", ACL: "public-read", Tags: "a=1"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, h := range []store.Headers{
		{ContentType: "é"},
		{CacheControl: "a\nb"},
		{Expires: " 0"},
		{ContentLanguage: "de "},
		{StorageClass: "standard"},
		{ACL: "public"},
		{Tags: "a" + strings.Repeat("b", 200)},
		{Tags: "a=1&a=2"},
		{Tags: "a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1"},
	} {
		if err := h.Validate(); err == nil || errors.Is(err, store.ErrHeadersTooLarge) {
			t.Errorf("%+v: %v", h, err)
		}
	}
	long := store.Headers{CacheControl: strings.Repeat("a", store.MaxSystemHeaders), ContentType: "é"}
	if err := long.Validate(); !errors.Is(err, store.ErrHeadersTooLarge) {
		t.Error(err)
	}
}
