package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/s3levelfs/s3levelfs/internal/amplify"
)

// settings are the app's values as ours, and choose its bucket. Stronger sources say which: by the app's name for it, or
// by the bucket's own. Of a bucket that is none of the app's the file says nothing; who signs in where still holds.
func (l *Loaded) settings(stronger []layer) (layer, error) {
	name, bucket := strongest(stronger, "storage-bucket"), strongest(stronger, "bucket")
	switch {
	case name.text != "" && l.App == nil:
		return nil, misnamed(name, errors.New("there is no Amplify app's file: name it by --config FILE"))
	case name.text != "" && bucket.text != "":
		return nil, misnamed(name, fmt.Errorf("names a bucket of the app, and %s another: leave one of them out", bucket.origin))
	case l.App == nil:
		return layer{}, nil
	}
	app := l.App
	from := layer{}
	add := func(option, value, field string) {
		if value != "" {
			from[option] = setting{value, app.Origin(field)}
		}
	}
	add("default-level", app.DefaultLevel, "DefaultLevel")
	add("identity-pool-id", app.IdentityPool.ID, "IdentityPool.ID")
	add("user-pool-id", app.UserPool.ID, "UserPool.ID")
	add("client-id", app.UserPool.ClientID, "UserPool.ClientID")
	add("user-pool-endpoint", app.Endpoints.UserPool, "Endpoints.UserPool")
	add("identity-pool-endpoint", app.Endpoints.IdentityPool, "Endpoints.IdentityPool")
	for option, p := range map[string]struct {
		value *string
		field string
	}{
		"public-prefix":    {app.Prefixes.Public, "Prefixes.Public"},
		"protected-prefix": {app.Prefixes.Protected, "Prefixes.Protected"},
		"private-prefix":   {app.Prefixes.Private, "Prefixes.Private"},
	} {
		if p.value != nil { // "" is a prefix, too
			from[option] = setting{*p.value, app.Origin(p.field)}
		}
	}
	if given(stronger, "local") {
		return from, nil
	}
	i, err := l.chooseBucket(name, bucket)
	if i < 0 {
		return from, err
	}
	b := &app.Buckets[i]
	l.AppBucket = b
	field := fmt.Sprintf("Buckets[%d].", i)
	add("bucket", b.BucketName, field+"BucketName")
	add("region", b.Region, field+"Region")
	add("endpoint", b.Endpoint, field+"Endpoint")
	if b.PathStyle {
		add("path-style", strconv.FormatBool(b.PathStyle), field+"PathStyle")
	}
	return from, nil
}

// chooseBucket gives the index of the app's bucket that is meant, -1 for none.
func (l *Loaded) chooseBucket(name, bucket setting) (int, error) {
	switch {
	case name.text != "":
		i := l.App.Bucket(name.text)
		if i < 0 {
			return -1, misnamed(name, fmt.Errorf("%q is none of the buckets in %s: use %s", name.text, l.App.File, bucketNames(l.App)))
		}
		return i, nil
	case bucket.text != "":
		for i := range l.App.Buckets {
			if l.App.Buckets[i].BucketName == bucket.text {
				return i, nil
			}
		}
		return -1, nil
	}
	return l.App.Bucket(""), nil
}

func bucketNames(app *amplify.App) string {
	var names []string
	for i := range app.Buckets {
		if b := &app.Buckets[i]; b.Name != "" {
			names = append(names, b.Name)
		} else {
			names = append(names, b.BucketName)
		}
	}
	if len(names) == 0 {
		return "--bucket NAME, as it has none"
	}
	return strings.Join(names, ", ")
}

// strongest is what the strongest source says that says something.
func strongest(layers []layer, name string) (s setting) {
	for _, from := range layers {
		if v, ok := from[name]; ok {
			s = v
		}
	}
	return s
}

// misnamed is an error about the option that names one of the app's buckets.
func misnamed(s setting, err error) error {
	const option = "storage-bucket"
	if s.origin == "--"+option {
		return &Error{Name: option, Err: err}
	}
	return &Error{Name: option, Origin: s.origin, Err: err}
}
