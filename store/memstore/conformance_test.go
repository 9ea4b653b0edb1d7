package memstore_test

import (
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/storetest"
)

func TestConformance(t *testing.T) {
	tests := []struct {
		name string
		cfg  memstore.Config
		f    storetest.Features
	}{
		{"as S3", memstore.Config{}, storetest.Features{}},
		{"small parts, absence hidden", memstore.Config{MinPart: 100, HideAbsent: true}, storetest.Features{Prefix: "public/", HideAbsent: true}},
		{"copies without conditions, uploads forgotten", memstore.Config{MinPart: 1, IgnoreCopyCond: true, ForgetCompleted: true}, storetest.Features{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			storetest.Test(t, func(*testing.T) store.Store { return memstore.New(tt.cfg) }, tt.f)
		})
	}
}
