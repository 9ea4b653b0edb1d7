package cache_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/cache"
)

// TestFetchesShareGoroutines: one fetch after another runs on the same goroutine, several at a time on several, and none waits for ever.
func TestFetchesShareGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		on := map[string]bool{} // by the number of the goroutine; guarded by s.mu's order: one fetch at a time
		s.fail = func(context.Context, int) error {
			buf := make([]byte, 64)
			id, _, _ := bytes.Cut(buf[:runtime.Stack(buf, false)], []byte(" ["))
			on[string(id)] = true
			return nil
		}
		c := cache.New(s, cache.Config{})
		defer c.Close()
		before := runtime.NumGoroutine()
		for i := range 50 {
			_, obj := s.put(fmt.Sprint("k", i), 1000)
			readAll(t, c, obj, 1000)
			synctest.Wait()
		}
		if len(on) != 1 {
			t.Errorf("50 fetches ran on %d goroutines", len(on))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > before {
			t.Errorf("%d goroutines, %d before", n, before)
		}
	})
}
