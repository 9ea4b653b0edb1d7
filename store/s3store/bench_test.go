package s3store_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// The benchmarks tell what one request costs this program: /call without a network (the SDK and this package), /wire with net/http over
// loopback, to a server that reads and answers and does nothing else. "cpu-ns/op" is the processor's time of the process, that server's part
// included.

const benchSize = 4 << 10

func benchPut(b *testing.B, s *s3store.Store) {
	data := bytes.NewReader(make([]byte, benchSize))
	headers := store.Headers{ContentType: "text/plain; charset=utf-8", Metadata: map[string]string{
		"mode": "33188", "uid": "1000", "gid": "1000", "mtime": "1790000000.123456789", "s3levelfs-w": "0123456789abcdef",
	}}
	ctx := store.WithCRC32(b.Context(), 0x01020304)
	for b.Loop() {
		if _, err := s.Put(ctx, "public/dir/file-0001.txt", io.NewSectionReader(data, 0, benchSize), headers, store.Cond{IfNoneMatch: true}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchGet(b *testing.B, s *s3store.Store) {
	buf := make([]byte, benchSize)
	for b.Loop() {
		body, _, err := s.Get(b.Context(), "public/dir/file-0001.txt", store.Range{Len: benchSize}, store.Cond{IfMatch: `"e"`})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(body, buf); err != nil {
			b.Fatal(err)
		}
		if err := body.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchHead(b *testing.B, s *s3store.Store) {
	for b.Loop() {
		if _, err := s.Head(b.Context(), "public/dir/file-0001.txt", store.Cond{}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchList(b *testing.B, s *s3store.Store) {
	for b.Loop() {
		n := 0
		for page, err := range s.List(b.Context(), "public/dir/", store.ListOptions{Delimiter: "/"}) {
			if err != nil {
				b.Fatal(err)
			}
			n += len(page.Objects)
		}
		if n != 1000 {
			b.Fatalf("%d objects", n)
		}
	}
}

func BenchmarkPut4KiB(b *testing.B)  { bench(b, benchPut) }
func BenchmarkGet4KiB(b *testing.B)  { bench(b, benchGet) }
func BenchmarkHead(b *testing.B)     { bench(b, benchHead) }
func BenchmarkList1000(b *testing.B) { bench(b, benchList) }

func bench(b *testing.B, run func(*testing.B, *s3store.Store)) {
	open := func(b *testing.B, cfg s3store.Config) *s3store.Store {
		cfg.Bucket, cfg.Region, cfg.PathStyle, cfg.Credentials = "bucket", "us-east-1", true, s3store.Static("AKIDEXAMPLE", secret, "")
		s, err := s3store.New(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		return s
	}
	measure := func(b *testing.B, s *s3store.Store) {
		b.ReportAllocs()
		before := processorTime(b)
		run(b, s)
		b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
	}
	b.Run("call", func(b *testing.B) {
		measure(b, open(b, s3store.Config{Endpoint: "http://127.0.0.1:9", Transport: answers()}))
	})
	b.Run("wire", func(b *testing.B) {
		measure(b, open(b, s3store.Config{Endpoint: "http://" + plainServer(b)}))
	})
}

func processorTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// canned answers each request at once.
type canned map[byte]benchAnswer

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	kind := kindOf(r.Method, r.Header.Get("Range") != "")
	a := c[kind]
	resp := &http.Response{
		StatusCode: a.status, ProtoMajor: 1, ProtoMinor: 1, Header: a.head.Clone(), Request: r,
		Body: http.NoBody, ContentLength: int64(len(a.body)),
	}
	if a.body != "" {
		resp.Body = io.NopCloser(strings.NewReader(a.body))
	}
	return resp, nil
}

type benchAnswer struct {
	status int
	head   http.Header
	body   string
}

// Kinds of requests. A GET without a range is of a listing here.
const (
	kindPut  = 'P'
	kindGet  = 'G'
	kindHead = 'H'
	kindList = 'L'
)

func kindOf(method string, ranged bool) byte {
	if method == http.MethodGet && !ranged {
		return kindList
	}
	return method[0]
}

// answers are what S3 says to each kind.
func answers() canned {
	all := canned{}
	for _, kind := range []byte{kindPut, kindGet, kindHead, kindList} {
		all[kind] = answerTo(kind)
	}
	return all
}

func answerTo(kind byte) benchAnswer {
	status, body := http.StatusOK, ""
	head := http.Header{}
	for name, value := range map[string]string{
		"ETag": `"0123456789abcdef0123456789abcdef"`, "X-Amz-Request-Id": "0123456789ABCDEF", "X-Amz-Id-2": strings.Repeat("x", 76),
		"Date": "Wed, 25 Nov 2026 10:00:00 GMT", "Server": "AmazonS3", "Last-Modified": "Wed, 25 Nov 2026 10:00:00 GMT",
	} {
		head.Set(name, value)
	}
	switch kind {
	case kindGet:
		status, body = http.StatusPartialContent, strings.Repeat("x", benchSize)
		head.Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", benchSize-1, benchSize))
	case kindList:
		body = benchPage()
	}
	head.Set("Content-Length", strconv.Itoa(len(body)))
	if kind == kindHead {
		head.Set("Content-Length", strconv.Itoa(benchSize))
	}
	return benchAnswer{status, head, body}
}

var benchPage = sync.OnceValue(func() string {
	var text strings.Builder
	text.WriteString(`<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>`)
	for i := range 1000 {
		fmt.Fprintf(&text, `<Contents><Key>public/dir/file-%04d.txt</Key><LastModified>2026-11-25T10:00:00.000Z</LastModified><ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>4096</Size><StorageClass>STANDARD</StorageClass></Contents>`, i)
	}
	text.WriteString(`</ListBucketResult>`)
	return text.String()
})

// plainServer reads requests and writes answers that were made before.
func plainServer(b *testing.B) string {
	b.Helper()
	ln, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	texts := map[byte][]byte{}
	for kind, a := range answers() {
		var text bytes.Buffer
		fmt.Fprintf(&text, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
		_ = a.head.Write(&text)
		text.WriteString("\r\n" + a.body)
		texts[kind] = text.Bytes()
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(conn, texts) })
		}
	})
	b.Cleanup(func() { _ = ln.Close(); all.Wait() })
	return ln.Addr().String()
}

func serve(conn net.Conn, texts map[byte][]byte) {
	defer func() { _ = conn.Close() }()
	in := textproto.NewReader(bufio.NewReaderSize(conn, 64<<10))
	for {
		line, err := in.ReadLineBytes()
		if err != nil {
			return
		}
		kind, length := line[0], 0
		if bytes.Contains(line, []byte("list-type")) {
			kind = kindList
		}
		for len(line) > 0 {
			if line, err = in.ReadLineBytes(); err != nil {
				return
			}
			if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				length, _ = strconv.Atoi(string(value))
			}
		}
		if _, err := in.R.Discard(length); err != nil {
			return
		}
		if _, err := conn.Write(texts[kind]); err != nil {
			return
		}
	}
}
