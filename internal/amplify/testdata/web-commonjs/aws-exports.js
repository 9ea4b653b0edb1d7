'use strict';
const path = require('path')
const awsExports = {
  aws_project_region: "us-east-2",
  aws_cognito_identity_pool_id: "us-east-2:00000000-1111-2222-3333-444444444444",
  aws_mandatory_sign_in: 'disable',
  aws_user_files_s3_bucket: "common\u006as",
};
module.exports = awsExports;
