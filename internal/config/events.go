package config

import (
	"errors"
	"time"
)

// Tracking says whether calls are tracked, as Amplify's `track: true` does, and where the events go.
type Tracking struct {
	On bool
	To string // as package tracking reads it
}

// Triggers are the commands that run when objects come and go, as package trigger reads them; "" = none.
type Triggers struct {
	OnUpload, OnDelete string
	Timeout            time.Duration
}

// trackOptions are those of all commands that work on objects.
func (c *Config) trackOptions() []Option {
	track := func(name string, v value, usage string) Option {
		return Option{Name: name, Group: GroupTrack, Usage: usage, value: v}
	}
	return []Option{
		track("track", boolValue{&c.Tracking.On}, "record each put, get, list, copy, remove and getProperties as Amplify's `track: true` does: method, result and the size of downloads"),
		track("track-to", stringValue{&c.Tracking.To}, "record them to `SINK`: log (the default), stdout, jsonl:/FILE, https://HOST/PATH (POST; bearer token in S3LEVELFS_TRACK_TOKEN), kinesis:STREAM; implies --track"),
	}
}

// triggerOptions are the mount's alone.
func (c *Config) triggerOptions() []Option {
	mount := func(name string, v value, usage string) Option {
		return Option{Name: name, Group: GroupMount, Usage: usage, value: v}
	}
	return []Option{
		mount("on-upload", stringValue{&c.Triggers.OnUpload}, "run `COMMAND` for each object that this mount stores, with S3's event record on its standard input, as a Lambda function gets it; words are split as by a shell, which runs only where it is named: sh -c '…'"),
		mount("on-delete", stringValue{&c.Triggers.OnDelete}, "run `COMMAND` for each object that this mount removes, likewise"),
		mount("trigger-timeout", durationValue{&c.Triggers.Timeout, time.Second, 15 * time.Minute}, "`TIME` after which such a command is ended, with all that it has begun"),
	}
}

// TracksTo tells whether calls are tracked, and to which sink. --track=false silences a sink that a weaker source names; without one
// it is the log.
func (l *Loaded) TracksTo() (to string, on bool) {
	if _, said := l.Origin["track"]; said && !l.Tracking.On || !l.Tracking.On && l.Tracking.To == "" {
		return "", false
	}
	if l.Tracking.To == "" {
		return "log", true
	}
	return l.Tracking.To, true
}

// trackingSetting reads `tracking` of the file: true and false are track, a text is track-to.
func trackingSetting(v any, origin string, own layer) error {
	switch v := v.(type) {
	case bool:
		own["track"] = setting{map[bool]string{true: "true", false: "false"}[v], origin}
	case string:
		own["track-to"] = setting{v, origin}
	default:
		return &Error{Name: "tracking", Origin: origin, Err: errors.New(`must be true, false, or a sink such as "jsonl:/var/log/storage.jsonl"`)}
	}
	return nil
}
