package amplify

import (
	"fmt"
	"slices"
	"strings"
)

// named is a bucket as a file lists it.
type named struct {
	name                          string
	nameAt, bucket, region, paths cursor
}

// buckets reads several buckets. The one that is the app's bucket already becomes the first: it is used where none is named.
func (r *reader) buckets(all []named) {
	seen := map[string]int{}
	for _, n := range all {
		if line, twice := seen[n.name]; twice {
			n.nameAt.fail("give each bucket a name of its own", "is %q, as on line %d", n.name, line)
		}
		seen[n.name] = n.nameAt.line
		if !n.bucket.there() {
			n.nameAt.fail("generate the file again", "is a bucket without its name in S3 (bucket_name)")
		}
	}
	if len(r.app.Buckets) > 0 {
		is := r.app.Buckets[0].BucketName
		first := slices.IndexFunc(all, func(n named) bool { return n.bucket.n != nil && n.bucket.n.text == is })
		if first < 0 && r.err == nil {
			r.err = &Error{
				File: r.app.File, Line: r.app.Line("Buckets[0].BucketName"), Key: "storage",
				Problem: fmt.Sprintf("has the bucket %q, which is none of its buckets", is), Mend: "name one of them: " + strings.Join(names(all), ", "),
			}
		}
		if first > 0 {
			chosen := all[first]
			all = slices.Insert(slices.Delete(all, first, first+1), 0, chosen)
		}
	}
	var common Bucket // what holds for all where it does not say otherwise
	if len(r.app.Buckets) > 0 {
		common = r.app.Buckets[0]
	}
	from := map[string]int{}
	for _, f := range []string{"Region", "Endpoint", "PathStyle"} {
		from[f] = r.app.Line("Buckets[0]." + f)
	}
	r.app.Buckets = nil
	for i, n := range all {
		field := fmt.Sprintf("Buckets[%d]", i)
		b := common
		b.Name, b.BucketName = n.name, ""
		for f, line := range from {
			r.app.lines[field+"."+f] = line
		}
		n.nameAt.set(field + ".Name")
		n.bucket.str(field+".BucketName", &b.BucketName)
		n.region.str(field+".Region", &b.Region)
		b.Paths = r.paths(n.paths, field)
		r.app.Buckets = append(r.app.Buckets, b)
	}
}

func names(all []named) (text []string) {
	for _, n := range all {
		if n.bucket.n != nil {
			text = append(text, n.bucket.n.text)
		}
	}
	return text
}
