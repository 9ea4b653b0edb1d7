// Package history writes to one bucket from several mounts and from somebody who uses S3 directly, at random, and accounts
// for each write that was acknowledged: nobody's update is overwritten in silence (docs/SEMANTICS.md).
//
// Every write has bytes of its own, which name it, and tells which bytes it was built on. In the end each acknowledged one is
// an object or a conflict copy, or was replaced by an acknowledged write that was built on it, or by the direct writer's
// unconditional PUT while it was in the bucket, or is listed as base-lost. No object has bytes that nobody wrote.
package history
