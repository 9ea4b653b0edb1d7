import type { ResourcesConfig } from 'aws-amplify';

interface Exports { region: string; nested: { a: number } }
type Flow = 'USER_SRP_AUTH' | 'USER_PASSWORD_AUTH'

export const awsExports: Record<string, unknown> = {
  aws_project_region: 'eu-west-1' as const, // single quotes, keys without
  aws_user_pools_id: 'eu-west-1_TsTsTsTs1',
  aws_user_pools_web_client_id: 'tsclient',
  /* the bucket
     of production */
  aws_user_files_s3_bucket: 'typescript-app',
  oauth: {
    domain: `login.${process.env.STAGE}.example.com`,
    redirectSignIn: window.location.origin + '/in',
  },
} as const satisfies Record<string, unknown>

export default awsExports
