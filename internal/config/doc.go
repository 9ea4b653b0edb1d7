// Package config holds every setting of s3levelfs in one table: name, type,
// default, bounds and usage text. Command line flags, S3LEVELFS_* environment
// variables, TOML keys, `config show` and the manual all come from it, so that
// they can not drift apart.
//
// Precedence: flag, then environment variable, then configuration file, then
// the Amplify app's own file (package amplify), then default. The package knows
// neither flags' library nor AWS.
package config
