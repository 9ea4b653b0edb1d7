const amplifyconfig = ''' {
    "UserAgent": "aws-amplify-cli/2.0",
    "Version": "1.0",
    "auth": {"plugins": {"awsCognitoAuthPlugin": {
        "CognitoUserPool": {"Default": {"PoolId": "eu-west-2_Flutter01", "AppClientId": "fl", "Region": "eu-west-2"}}
    }}},
    "storage": {
        "plugins": {
            "awsS3StoragePlugin": {
                "bucket": "flutter-files",
                "region": "eu-west-2",
                "defaultAccessLevel": "private"
            }
        }
    }
}''';
