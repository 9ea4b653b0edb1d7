package s3store

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// Delete implements [store.Writer].
func (s *Store) Delete(ctx context.Context, key string, c store.Cond) error {
	if err := writable(op.Delete, key, c); err != nil {
		return err
	}
	if c.IfNoneMatch {
		return refuse(op.Delete, key, "deleting has no If-None-Match")
	}
	ctx, call := s.change(ctx, op.Delete, key, s.timeouts.WriteHeader)
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{
		Bucket: &s.bucket, Key: &key, IfMatch: ptr(c.IfMatch),
	}, call.options()...)
	err = call.end(0, err)
	if se, ok := errors.AsType[*store.Error](err); ok && errors.Is(se.Kind, store.ErrNotExist) {
		return nil // some servers answer 404
	}
	return err
}

// DeleteMany implements [store.Writer]. Keys that the request's XML can not carry are removed one by one: in its stead the SDK would
// send, and the server remove, another key, that has U+FFFD where the character was.
func (s *Store) DeleteMany(ctx context.Context, keys []string) ([]store.KeyError, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	if most := s.Limits().MaxDelete; len(keys) > most {
		return nil, refuse(op.DeleteMany, keys[0], "too many keys for one request")
	}
	var ids []types.ObjectIdentifier
	var failed []store.KeyError
	for i := range keys {
		if inXML(keys[i]) {
			ids = append(ids, types.ObjectIdentifier{Key: &keys[i]})
			continue
		}
		err := s.Delete(ctx, keys[i], store.Cond{})
		if e, ok := errors.AsType[*store.Error](err); ok {
			failed = append(failed, store.KeyError{Key: keys[i], Err: e})
		} else if err != nil {
			return failed, err
		}
	}
	if len(ids) == 0 {
		return failed, nil
	}
	more, err := s.deleteObjects(ctx, ids)
	return append(failed, more...), err
}

// inXML reports whether XML 1.0 has all characters of a key, and a key is nothing but characters: for bytes that are no UTF-8 U+FFFD would
// be sent as well. Source: Extensible Markup Language 1.0, production 2.
func inXML(key string) bool {
	return utf8.ValidString(key) && !strings.ContainsFunc(key, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\ufffe' || r == '\uffff'
	})
}

// deleteObjects is one request.
func (s *Store) deleteObjects(ctx context.Context, ids []types.ObjectIdentifier) ([]store.KeyError, error) {
	ctx, call := s.change(ctx, op.DeleteMany, *ids[0].Key, s.timeouts.WriteHeader)
	var more []func(*s3.Options)
	if !s.checksum {
		// Servers without the newer checksums want the older one here.
		more = append(more, s3.WithAPIOptions(smithyhttp.AddContentChecksumMiddleware))
	}
	out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &s.bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)},
	}, call.options(more...)...)
	if err = call.end(0, err); err != nil {
		return nil, err
	}
	return keyErrors(out.Errors), nil
}

func keyErrors(errs []types.Error) []store.KeyError {
	var failed []store.KeyError
	for _, e := range errs {
		code := aws.ToString(e.Code)
		kind := kindOfCode(code)
		if errors.Is(kind, store.ErrNotExist) {
			continue
		}
		if kind == nil {
			kind = store.ErrInvalid
		}
		key := aws.ToString(e.Key)
		failed = append(failed, store.KeyError{Key: key, Err: &store.Error{
			Op: op.Delete, Key: key, Code: code, Status: 200, Kind: kind, Err: errors.New(aws.ToString(e.Message)),
			Unanswered: code == "InternalError",
		}})
	}
	return failed
}
