// Package amplify reads the configuration that an AWS Amplify app already has, in every shape in which
// Amplify's tools and guides write it:
//
//   - amplify_outputs.json (Gen 2, version 1 and 1.x) and its Dart form
//   - aws-exports.js and .ts, and the amplifyconfiguration.json of the same flat aws_* keys
//   - amplifyconfiguration.json of the mobile libraries, amplifyconfiguration.dart, awsconfiguration.json
//   - the object of Amplify.configure that is written by hand (Auth, Storage), in JavaScript, TypeScript, JSON or TOML
//
// Text becomes a tree of values that know their lines (scan.go, expression.go, module.go, dart.go, toml.go), and the tree
// an [App] (shape.go and a file for each shape). There is no JavaScript engine: what would have to be computed is refused
// by its line where it is wanted, and does no harm where it is not. Keys that a file system does not need are ignored.
//
// Sources of the shapes: AWS Amplify's documentation and the client-config and cli packages that write the files.
package amplify
