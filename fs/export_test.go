package fs

// Patient is patient, for tests.
var Patient = patient //nolint:gochecknoglobals // the usual bridge to external tests
