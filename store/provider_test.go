package store_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
)

func TestProviders(t *testing.T) {
	var got store.Options
	broken := errors.New("no such bucket")
	name := "test-" + rand.Text() // the registry outlives the test
	store.Register(name, func(_ context.Context, o store.Options) (store.Store, error) {
		got = o
		return nil, broken
	})
	if _, err := store.Open(t.Context(), name, store.Options{Bucket: "b", MaxAttempts: 2}); !errors.Is(err, broken) {
		t.Errorf("open: %v, want the opener's error", err)
	}
	if got.Bucket != "b" || got.MaxAttempts != 2 {
		t.Errorf("the opener got %+v", got)
	}
	if names := store.Providers(); !slices.Contains(names, name) || !slices.Contains(names, memstore.ProviderName) || !slices.IsSorted(names) {
		t.Errorf("providers are %v", names)
	}
	_, err := store.Open(t.Context(), "nowhere", store.Options{})
	if err == nil || !strings.Contains(err.Error(), "nowhere") || !strings.Contains(err.Error(), name) {
		t.Errorf("an unknown provider: %v, want its name and the known ones", err)
	}
}

func TestRegisterTwicePanics(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), memstore.ProviderName) {
			t.Errorf("panic is %v", r)
		}
	}()
	store.Register(memstore.ProviderName, nil)
}

func TestRegistryIsConcurrent(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := store.Open(t.Context(), memstore.ProviderName, store.Options{})
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			store.Providers()
		})
	}
	wg.Wait()
}
