// Package hostile holds mounts and commands against buckets of keys that no program of ours would make: each operation on each of 200
// random ones is compared with a model of the bucket.
package hostile
