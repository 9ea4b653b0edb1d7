// Generated. Do not edit.
const amplifyConfig = r'''{
  "version": "1.1",
  "storage": {
    "aws_region": "us-west-2",
    "bucket_name": "flutter-gen2",
    "buckets": [
      {"name": "files", "bucket_name": "flutter-gen2", "aws_region": "us-west-2",
       "paths": {"private/${cognito-identity.amazonaws.com:sub}/*": {"entityidentity": ["get", "write"]}}}
    ]
  }
}''';
