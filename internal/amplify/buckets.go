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
	region := ""
	regionLine := r.app.Line("Buckets[0].Region")
	if len(r.app.Buckets) > 0 {
		region = r.app.Buckets[0].Region
	}
	r.app.Buckets = slices.Grow(r.app.Buckets[:0:0], len(all))
	for i, n := range all {
		field := fmt.Sprintf("Buckets[%d]", i)
		b := Bucket{Name: n.name, Region: region}
		if region != "" {
			r.app.lines[field+".Region"] = regionLine
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
