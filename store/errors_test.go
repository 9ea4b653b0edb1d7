package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

func kinds() []error {
	return []error{
		store.ErrNotExist, store.ErrExist, store.ErrPermission, store.ErrChanged, store.ErrNoUpload, store.ErrNoBucket,
		store.ErrTransient, store.ErrExpired, store.ErrCredentials, store.ErrClockSkew, store.ErrArchived, store.ErrInvalid,
		store.ErrThrottled,
	}
}

func TestErrorIsItsKindAndCause(t *testing.T) {
	for i, kind := range kinds() {
		for _, cause := range []error{nil, context.DeadlineExceeded} {
			err := fmt.Errorf("upload: %w", &store.Error{Op: "put", Key: "k", Kind: kind, Err: cause})
			for j, other := range kinds() {
				want := i == j || errors.Is(kind, store.ErrThrottled) && errors.Is(other, store.ErrTransient)
				if got := errors.Is(err, other); got != want {
					t.Errorf("%v is %v: %v", err, other, got)
				}
			}
			if got := errors.Is(err, context.DeadlineExceeded); got != (cause != nil) {
				t.Errorf("%v is its cause: %v", err, got)
			}
			if e, ok := errors.AsType[*store.Error](err); !ok || e.Key != "k" {
				t.Errorf("%v is no *store.Error", err)
			}
		}
	}
	if !errors.Is(&store.Error{Kind: store.ErrNotExist}, fs.ErrNotExist) {
		t.Error("the kinds of io/fs are not its own")
	}
}

func TestErrorText(t *testing.T) {
	tests := []struct {
		err  store.Error
		want []string
	}{
		{store.Error{Op: "get", Key: "a b", Kind: store.ErrNotExist, Code: "NoSuchKey", Status: 404}, []string{`get "a b": `, "NoSuchKey", "404"}},
		{store.Error{Op: "put", Key: "k", Kind: store.ErrTransient, Err: errors.New("connection reset")}, []string{`put "k": connection reset`}},
		{store.Error{Op: "put", Key: "line\nbreak", Kind: store.ErrInvalid}, []string{`put "line\nbreak": store refused the request`}},
	}
	for _, tt := range tests {
		got := tt.err.Error()
		for _, w := range tt.want {
			if !strings.Contains(got, w) {
				t.Errorf("%q lacks %q", got, w)
			}
		}
		if strings.Contains(got, "\n") {
			t.Errorf("%q has more than one line", got)
		}
	}
}

func TestUnanswered(t *testing.T) {
	tests := []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("other"), false},
		{&store.Error{Kind: store.ErrTransient}, false},
		{&store.Error{Kind: store.ErrTransient, Unanswered: true}, true},
		{fmt.Errorf("outer: %w", &store.Error{Kind: store.ErrTransient, Unanswered: true}), true},
	}
	for _, tt := range tests {
		if got := store.Unanswered(tt.err); got != tt.want {
			t.Errorf("Unanswered(%v) = %v", tt.err, got)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	tests := []struct {
		err  error
		want time.Duration
	}{
		{nil, 0},
		{errors.New("other"), 0},
		{&store.Error{Kind: store.ErrThrottled}, 0},
		{fmt.Errorf("outer: %w", &store.Error{Kind: store.ErrThrottled, RetryAfter: time.Second}), time.Second},
		{&store.Error{Kind: store.ErrTransient, RetryAfter: -time.Second}, 0},
	}
	for _, tt := range tests {
		if got := store.RetryAfter(tt.err); got != tt.want {
			t.Errorf("RetryAfter(%v) = %v", tt.err, got)
		}
	}
}
