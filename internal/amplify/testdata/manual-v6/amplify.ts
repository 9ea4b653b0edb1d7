const config: ResourcesConfig = {
  Auth: {
    Cognito: {
      userPoolId: 'us-east-1_Version06',
      userPoolClientId: 'v6client',
      identityPoolId: 'us-east-1:66666666-1234-1234-1234-123456789abc',
      allowGuestAccess: true,
      userPoolEndpoint: 'http://127.0.0.1:9229',
      identityPoolEndpoint: 'http://127.0.0.1:9230',
      loginWith: { email: true, phone: false },
      mfa: { status: 'on', totpEnabled: true },
      groups: [{ staff: { precedence: 3 } }],
    },
  },
  Storage: {
    S3: {
      bucket: 'v6-media',
      region: 'us-east-1',
      buckets: {
        backup: { bucketName: 'v6-backup', region: 'us-west-2' },
        media: { bucketName: 'v6-media', region: 'us-east-1', paths: { 'media/*': { guest: ['get'] } } },
      },
    },
  },
};
export { config as default };
