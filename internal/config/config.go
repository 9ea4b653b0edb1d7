package config

import (
	"slices"
	"time"
)

// Config is the effective settings. Sizes are bytes.
type Config struct {
	// Where the bucket is and who we are.
	Bucket          string
	StorageBucket   string // the app's name of one of its buckets
	DefaultLevel    string // of commands without a mount
	Endpoint        string
	Region          string
	PathStyle       bool
	Profile         string
	IdentityID      string
	Guest           bool
	Grants          string // as levels.ParseGrants reads it
	Cognito         Cognito
	Local           string
	Provider        string
	ProviderPlace   string // which of a provider's places is meant, where that is neither S3 nor the embedded one; see Owner
	MaxAttempts     int
	CustomerKeyFile string // of SSE-C
	RequestPayer    bool
	BucketOwner     string
	Checksums       string
	PublicPrefix    OptString
	ProtectedPrefix OptString
	PrivatePrefix   OptString

	// What the mount shows.
	Level      string
	Vault      bool
	ReadOnly   bool
	AllowOther bool
	Uploads    bool
	UID        int
	GID        int
	Umask      Mode
	Attrs      string

	// Whose mount it is.
	PerUser     bool
	PerUserMax  int           // mounts at a time
	PerUserIdle time.Duration // 0 = they never end
	PerUserDir  string

	// How it caches.
	CacheDir      string
	CacheSize     int64 // AutoSize = by the room on the disk; 0 = none
	CacheKeepFree KeepFree
	Memory        int64
	MetadataTTL   time.Duration
	AttrTTL       time.Duration
	StaleIfDown   time.Duration
	URLExpires    time.Duration

	// How it writes.
	StateDir    string
	SpoolSize   int64
	KeepFree    KeepFree
	Settle      time.Duration
	PinBase     int64
	Checkpoint  time.Duration
	UploadLimit int64
	StopTimeout time.Duration
	Close       string
	Fsync       string
	OnConflict  string

	// What objects that are created get, as package objectopts reads it, by the names of its options.
	Object  map[string]string
	Objects []ObjectRule // [[objects]] of the file, in its order

	Providers        map[string]ProviderTable // [provider.NAME] of the file
	ProviderSettings ProviderSettings         // of the provider in use

	// What happens besides.
	Tracking Tracking
	Triggers Triggers

	// How it reports.
	Notify    string
	Metrics   string
	LogLevel  string
	LogFile   string
	LogFormat string
}

// Cognito says where an Amplify app's people sign in.
type Cognito struct {
	IdentityPoolID       string
	UserPoolID           string
	ClientID             string // of the user pool's app client
	RoleARN              string // of the identity pool's roles, where the user may choose
	UserPoolEndpoint     string // URL; "" = AWS
	IdentityPoolEndpoint string
}

// ObjectRule is one table [[objects]] of the file: options by name for the keys that match.
type ObjectRule struct {
	Match    string
	Settings map[string]string
	Origin   string // FILE:LINE
}

// OptString is a string that may be unset: a custom prefix that is set to ""
// differs from one that is not set (Amplify's customPrefix).
type OptString struct {
	Value string
	Set   bool
}

// Ptr gives nil when unset.
func (s OptString) Ptr() *string {
	if !s.Set {
		return nil
	}
	return &s.Value
}

// KeepFree is a part of a disk: so many bytes or so much of it, the less of both where both are set.
type KeepFree struct {
	Bytes   int64
	Percent int
}

// AutoSize is a size that is found by the room there is.
const AutoSize int64 = -1

// Mode is a permission mask, written in octal.
type Mode uint32

// Group tells which commands an option belongs to.
type Group int

// The groups of options.
const (
	GroupStore  Group = iota // every command that talks to a bucket
	GroupMount               // mount alone
	GroupLog                 // every command
	GroupObject              // commands that create objects
	GroupTrack               // commands that work on objects
)

// Option is one row of the table.
type Option struct {
	Name    string // long flag and TOML key, kebab-case
	Group   Group
	Usage   string
	Aliases []string
	value   value
}

// Env is the option's environment variable.
func (o Option) Env() string { return "S3LEVELFS_" + envName(o.Name) }

// Bool reports whether the option is a switch.
func (o Option) Bool() bool {
	_, ok := o.value.(boolValue)
	return ok
}

// Choices are the values that an option has, of one that has only so many; else nil.
func (o Option) Choices() []string {
	v, ok := o.value.(enumValue)
	if !ok {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(v.values), func(s string) bool { return s == "" })
}

// Set parses text into the configuration that the table belongs to.
func (o Option) Set(text string) error { return o.value.set(text) }

// String is the current value as text; the default before anything was set.
func (o Option) String() string { return o.value.text() }

// Default returns the settings before any source was read.
func Default() *Config {
	return &Config{
		Object: map[string]string{}, Providers: map[string]ProviderTable{},
		DefaultLevel: "public", MaxAttempts: 4, Checksums: "supported",
		UID: -1, GID: -1, Umask: 0o022, Attrs: "auto",
		PerUserMax: 16, PerUserIdle: 15 * time.Minute, PerUserDir: "/run/s3levelfs",
		CacheSize: AutoSize, CacheKeepFree: autoCacheFree(), Memory: 256 << 20, MetadataTTL: 5 * time.Second, AttrTTL: time.Minute, URLExpires: 15 * time.Minute, StaleIfDown: 10 * time.Minute,
		SpoolSize: 0, KeepFree: autoFree(), Settle: 20 * time.Millisecond, PinBase: 16 << 20, Close: "spool", Fsync: "local", OnConflict: "keep-both",
		Triggers: Triggers{Timeout: time.Minute},
		LogLevel: "info", LogFormat: "text",
	}
}

// Table lists the options in the order of the manual; setting one changes c.
func (c *Config) Table() []Option {
	return slices.Concat(c.storeOptions(), c.mountOptions(), c.triggerOptions(), c.objectOptions(), c.trackOptions(), c.logOptions())
}

func (c *Config) storeOptions() []Option {
	store := func(name string, v value, usage string) Option {
		return Option{Name: name, Group: GroupStore, Usage: usage, value: v}
	}
	return []Option{
		store("local", stringValue{&c.Local}, "use the embedded S3 with its data in `DIR`; makes bucket and identity on first use"),
		store("bucket", stringValue{&c.Bucket}, "bucket `NAME`"),
		store("storage-bucket", stringValue{&c.StorageBucket}, "`NAME` of one of the buckets in the Amplify app's file; default: the one that the app uses by default"),
		store("endpoint", stringValue{&c.Endpoint}, "S3 endpoint `URL`; default: AWS"),
		store("region", stringValue{&c.Region}, "bucket's region `NAME`; default: the AWS chain's, us-east-1 with an endpoint of your own"),
		store("path-style", boolValue{&c.PathStyle}, "address the bucket in the path, not in the host name; implied by an endpoint that is an IP address or localhost"),
		store("profile", stringValue{&c.Profile}, "AWS shared configuration profile `NAME`"),
		store("identity-id", stringValue{&c.IdentityID}, "Cognito identity `ID` (who I am), such as us-east-1:11111111-2222-3333-4444-555555555555"),
		store("guest", boolValue{&c.Guest}, "not signed in: no private/, no own protected/"),
		store("grants", stringValue{&c.Grants}, "`PLACE=RIGHTS,...` where the app's roles are not Amplify's own: public, protected (the own), others, private, uploads; list, get, put, delete, read, write, all or none, joined by +"),
		store("identity-pool-id", stringValue{&c.Cognito.IdentityPoolID}, "Cognito identity pool `ID` of the app, such as us-east-1:11111111-2222-3333-4444-555555555555"),
		store("user-pool-id", stringValue{&c.Cognito.UserPoolID}, "Cognito user pool `ID` of the app, such as us-east-1_AbCdEfGhI"),
		store("client-id", stringValue{&c.Cognito.ClientID}, "`ID` of the user pool's app client"),
		store("role-arn", stringValue{&c.Cognito.RoleARN}, "`ARN` of the role to take, for members of several groups"),
		store("user-pool-endpoint", stringValue{&c.Cognito.UserPoolEndpoint}, "`URL` of the user pools' service; default: AWS"),
		store("identity-pool-endpoint", stringValue{&c.Cognito.IdentityPoolEndpoint}, "`URL` of the identity pools' service; default: AWS"),
		store("public-prefix", optValue{&c.PublicPrefix}, "key prefix `P` of the public level, verbatim (default \"public/\")"),
		store("protected-prefix", optValue{&c.ProtectedPrefix}, "key prefix `P` of the protected level, verbatim, the identity id follows (default \"protected/\")"),
		store("private-prefix", optValue{&c.PrivatePrefix}, "key prefix `P` of the private level, verbatim, the identity id follows (default \"private/\")"),
		store("default-level", enumValue{&c.DefaultLevel, []string{"public", "protected", "private"}}, "`LEVEL` of commands without a mount where they are given none: public, protected or private"),
		store("provider", stringValue{&c.Provider}, "storage provider `NAME`, such as s3, local or mem (s3levelfs providers lists them); default: local with --local, else s3"),
		store("max-attempts", intValue{&c.MaxAttempts, 1, 20}, "attempts of one request, the first included (`N` from 1 to 20)"),
		store("checksums", enumValue{&c.Checksums, []string{"supported", "required"}}, "`WHEN` checksums are sent: supported, or required for servers that refuse them"),
		store("sse-c-key-file", stringValue{&c.CustomerKeyFile}, "`FILE` with the key that objects are encrypted with (SSE-C): 32 bytes, as they are or in base64 or hex; also to read, copy and change them"),
		store("request-payer", boolValue{&c.RequestPayer}, "pay for the requests oneself, as buckets want it whose requester pays"),
		store("expected-bucket-owner", stringValue{&c.BucketOwner}, "account `ID` that the bucket must belong to; else all requests are refused"),
	}
}

func (c *Config) mountOptions() []Option {
	mount := func(name string, v value, usage string) Option {
		return Option{Name: name, Group: GroupMount, Usage: usage, value: v}
	}
	return []Option{
		mount("level", enumValue{&c.Level, []string{"", "public", "protected", "private"}}, "show this `LEVEL` alone, at the root: public, protected or private"),
		mount("vault", boolValue{&c.Vault}, "same as --level private"),
		mount("read-only", boolValue{&c.ReadOnly}, "refuse every change"),
		mount("allow-other", boolValue{&c.AllowOther}, "let other users of this machine in (needs user_allow_other in /etc/fuse.conf unless root)"),
		mount("per-user", boolValue{&c.PerUser}, "system-wide, by root: each user who comes gets a mount of the own login, or as a guest; MOUNTPOINT leads there"),
		mount("per-user-max", intValue{&c.PerUserMax, 1, 4096}, "`N` users' mounts at a time at most, which share --memory; one more is EUSERS"),
		mount("per-user-idle", durationValue{&c.PerUserIdle, 0, 1000 * time.Hour}, "`TIME` after which a user's mount ends that nobody uses and that has nothing open or unsent; 0: never"),
		mount("per-user-dir", stringValue{&c.PerUserDir}, "`DIR` of root's for the users' mountpoints"),
		mount("uploads", boolValue{&c.Uploads}, "show uploads/, the put-only drop box"),
		mount("uid", intValue{&c.UID, -1, 1<<31 - 1}, "owner `UID` of files that do not say; -1: who mounts"),
		mount("gid", intValue{&c.GID, -1, 1<<31 - 1}, "group `GID` of files that do not say; -1: who mounts"),
		mount("umask", modeValue{&c.Umask}, "`MASK` of permission bits that files without a mode of their own do not get, octal"),
		mount("attrs", enumValue{&c.Attrs, []string{"auto", "exact", "listing"}}, "`HOW` mode, owner and mtime are found: exact (a HEAD a file, once), listing (none), auto = exact in the own prefixes"),
		mount("cache-dir", stringValue{&c.CacheDir}, "`DIR` for what can be fetched again; default: the user's cache directory"),
		mount("cache-size", autoSizeValue{&c.CacheSize, 16 << 20, 1 << 50}, "`SIZE` of the read cache on disk, at least 16MiB; auto: a tenth of what is free there, at most 10GiB; 0: none"),
		mount("cache-keep-free", freeValue{&c.CacheKeepFree, autoCacheFree()}, "what the read cache leaves free on its disk: `SIZE`, a share such as 10%, auto (10% or 5GiB, whichever is less), 0: nothing"),
		mount("memory", sizeValue{&c.Memory, 16 << 20, 1 << 50}, "`SIZE` of the memory to work with, at least 16MiB: half of it is the read cache"),
		mount("metadata-ttl", durationValue{&c.MetadataTTL, 0, 24 * time.Hour}, "`TIME` after which another's change of content is seen at the next open"),
		mount("attr-ttl", durationValue{&c.AttrTTL, 0, 24 * time.Hour}, "`TIME` after which another's change of attributes is seen"),
		mount("stale-if-down", durationValue{&c.StaleIfDown, 0, 24 * time.Hour}, "`TIME` that known listings are served while the store is unreachable"),
		mount("url-expires", durationValue{&c.URLExpires, time.Second, 7 * 24 * time.Hour}, "`TIME` that the URLs of the attribute user.s3levelfs.url hold, at most to the end of the credentials"),
		mount("state-dir", stringValue{&c.StateDir}, "`DIR` for what must not be lost (spool, log, control socket); default: the user's state directory"),
		mount("spool-size", sizeValue{&c.SpoolSize, 0, 1 << 60}, "`SIZE` that unsent bytes may take on disk; then writers wait for uploads, and get ENOSPC when those make no room; 0: see spool-keep-free"),
		mount("spool-keep-free", freeValue{&c.KeepFree, autoFree()}, "what the spool leaves free on its disk: `SIZE`, a share such as 10%, auto (5% or 1GiB, whichever is less), 0: nothing"),
		mount("settle", durationValue{&c.Settle, 0, time.Minute}, "`TIME` after close before an upload starts, so that chmod and rename after close cost nothing"),
		mount("pin-base", sizeValue{&c.PinBase, 5 << 20, 1 << 50}, "`SIZE` of a stored file up to which a change fetches all of it before close; of larger ones the store copies what is unchanged"),
		mount("checkpoint", durationValue{&c.Checkpoint, 0, 1000 * time.Hour}, "upload files that stay open every `TIME` also where they are not fsynced; 0: only at an fsync, 2s after it and at most every 30s"),
		mount("upload-limit", sizeValue{&c.UploadLimit, 0, 1 << 50}, "upload at most `SIZE` a second, at least 64KiB; 0: as fast as it goes"),
		mount("stop-timeout", durationValue{&c.StopTimeout, 0, 24 * time.Hour}, "`TIME` that uploads get after SIGTERM or Ctrl-C; what is left stays in the spool; 0: until all is uploaded or has failed"),
		mount("close", enumValue{&c.Close, []string{"spool", "upload"}}, "`WHEN` close returns: spool (kept on this machine) or upload (in the bucket, its error returned)"),
		mount("fsync", enumValue{&c.Fsync, []string{"local", "upload"}}, "`WHEN` fsync returns: local (on stable storage here) or upload (in the bucket)"),
		mount("notify", stringValue{&c.Notify}, "`HOW` you are told of conflicts, failed uploads and lost bases: desktop (by notify-send), or a shell command that finds them in S3LEVELFS_EVENT, _PATH, _OTHER, _ERROR, _MORE and _TEXT"),
		mount("metrics", stringValue{&c.Metrics}, "answer Prometheus at http://`ADDR`/metrics; without a host in it (:9317) on this machine alone"),
		mount("on-conflict", enumValue{&c.OnConflict, []string{"keep-both", "overwrite", "fail"}}, "`WHAT` happens when somebody else changed the object meanwhile"),
	}
}

func (c *Config) logOptions() []Option {
	log := func(name string, v value, usage string) Option {
		return Option{Name: name, Group: GroupLog, Usage: usage, value: v}
	}
	return []Option{
		log("log-level", enumValue{&c.LogLevel, []string{"debug", "info", "warn", "error"}}, "`LEVEL`: debug, info, warn or error"),
		log("log-file", stringValue{&c.LogFile}, "log to `FILE`; default: standard error, and mount.log in the state directory for a daemon"),
		log("log-format", enumValue{&c.LogFormat, []string{"text", "json"}}, "`FORMAT` of the log: text or json"),
	}
}
