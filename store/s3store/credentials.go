package s3store

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Static gives fixed credentials, for those who may not know AWS; token is the
// session token or "".
func Static(access, secret, token string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(access, secret, token)
}
