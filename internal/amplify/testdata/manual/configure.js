import { Amplify } from 'aws-amplify';
import '@aws-amplify/ui-react/styles.css';

Amplify.configure({
    Auth: {
        identityPoolId: 'XX-XXXX-X:12345678-1234-1234-1234-123456789abc', // Amazon Cognito Identity Pool ID
        region: 'XX-XXXX-X',
        userPoolId: 'XX-XXXX-X_abcd1234',
        userPoolWebClientId: 'a1b2c3d4e5f6g7h8i9j0k1l2m3',
        mandatorySignIn: true,
        authenticationFlowType: 'USER_PASSWORD_AUTH',
        cookieStorage: new Cookies({ secure: true }),
    },
    Storage: {
        AWSS3: {
            bucket: 'manual-bucket', // (required)
            region: 'eu-west-3',
            level: 'protected',
            customPrefix: {
                public: '',
                private: 'myPrivatePrefix',
            },
        },
    },
}, { ssr: true });
