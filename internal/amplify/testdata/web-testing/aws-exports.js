const awsmobile = {
    "aws_project_region": "us-fake-1",
    "aws_user_files_s3_bucket": "mock-bucket",
    "aws_user_files_s3_bucket_region": "us-fake-1",
    "aws_user_files_s3_dangerously_connect_to_http_endpoint_for_testing": true,
};
export default awsmobile;
