package s3store

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
)

// Static gives fixed credentials, for those who may not know AWS; token is the
// session token or "".
func Static(access, secret, token string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(access, secret, token)
}

// handed asks who opened the bucket.
func handed(from store.CredentialSource) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		c, err := from(ctx)
		if err != nil {
			return aws.Credentials{}, err
		}
		return aws.Credentials{
			AccessKeyID: c.AccessKey, SecretAccessKey: c.SecretKey, SessionToken: c.SessionToken,
			CanExpire: !c.Expires.IsZero(), Expires: c.Expires, Source: "handed over",
		}, nil
	})
}

// FoundCredentials says what of the AWS default chain gives credentials, and nothing of them.
type FoundCredentials struct {
	Kind    string    // such as EnvConfigCredentials, SharedConfigCredentials: FILE, EC2RoleProvider
	Expires time.Time // zero = they do not
}

// FindCredentials walks the AWS default chain; the last links of it ask the network. profile may be "".
func FindCredentials(ctx context.Context, profile string) (FoundCredentials, error) {
	shared, err := sharedConfig(ctx, Config{Profile: profile, Log: zap.NewNop()})
	if err != nil {
		return FoundCredentials{}, err
	}
	c, err := shared.Credentials.Retrieve(ctx)
	if err != nil {
		return FoundCredentials{}, &credentialsError{err}
	}
	found := FoundCredentials{Kind: c.Source}
	if c.CanExpire {
		found.Expires = c.Expires
	}
	return found, nil
}
