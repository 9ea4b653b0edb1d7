package main

// chapters are those of the guide, with what is here.
func chapters() []chapter {
	return []chapter{
		{"Getting started", []row{
			{"amplify add storage, amplify push", "`s3levelfs init` tells what a bucket lacks, and with `--apply` sets it up", []string{"init.txtar", "TestStepsAreDoneOnce", "TestSetUp"}},
			{"aws-exports.js, Amplify.configure", "the app's file is found in the directory, or named by `--config`, in each of its forms; `s3levelfs config show` tells what it says", []string{"storage_configure.txtar", "config.txtar", "TestFilesOfAmplify"}},
			{"manual setup of Auth and Storage", "options (`--bucket`, `--region`, `--endpoint`, `--identity-pool-id`, `--user-pool-id`, `--client-id`), variables, the TOML file", []string{"storage_manual_setup.txtar", "TestPrecedence"}},
			{"policies of Auth_Role and Unauth_Role", "`s3levelfs policy auth|unauth|group` prints them; `s3levelfs access` tells what is really allowed", []string{"policy.txtar", "access.txtar", "TestPolicyIsLevelsGrants"}},
			{"the template of the policies", "the same statements, by the same names (S3AuthPublicPolicy …)", []string{"TestGolden"}},
			{"CORS policy of the bucket", "`s3levelfs cors print|apply|check`", []string{"cors.txtar", "TestMergeCORS"}},
			{"mock storage, an endpoint for tests", "`s3levelfs local`, which listens where Amplify looks for it", []string{"storage_local.txtar", "TestV5WritesMountReads"}},
		}},
		{"Access levels", []row{
			{"public, protected, private", "the directories `public/`, `protected/<identity id>/` and `private/`; `protected/me` is the own one", []string{"storage_levels.txtar", "daily.txtar", "TestProtected"}},
			{"protected files are read by all, written by their owner", "`--owner ID`, `protected/<identity id>/`; a change is EACCES", []string{"storage_protected.txtar", "TestPermissionMatrix"}},
			{"create, read, update and delete by role", "`--grants`; what a role may not is refused before a byte is sent", []string{"storage_rights.txtar", "TestPermissionTable", "TestGrants"}},
			{"unauthenticated access", "`--guest`; the guest stays the same one; `s3levelfs whoami`", []string{"storage_guest.txtar", "TestGuestStaysTheSame"}},
			{"authenticated access", "`s3levelfs login` and `logout`; credentials stay fresh", []string{"TestLoginScripts", "TestLoginUnderAMount", "TestJSClientSignsIn"}},
			{"Storage.configure({level})", "`--default-level`; `mount --level` puts one level at the root", []string{"storage_default_level.txtar", "storage_vaultfs.txtar"}},
			{"the level of a call; public where there is none", "`--level`", []string{"storage_levels.txtar"}},
			{"Storage.vault", "`s3levelfs vault …`, `mount --vault`", []string{"storage_vault.txtar", "storage_vaultfs.txtar"}},
			{"customPrefix", "`--public-prefix`, `--protected-prefix`, `--private-prefix`, verbatim; the directories keep the levels' names", []string{"storage_custom_prefix.txtar", "TestV5CustomPrefixes"}},
			{"policies of custom prefixes", "`s3levelfs policy` with the same options, and with what listing needs", []string{"policy.txtar", "TestPolicyIsLevelsGrants"}},
			{"paths with rules of their own (Gen 2)", "a directory for each path in which one may do anything", []string{"TestPathsOfAnApp", "access.txtar"}},
		}},
		{"Upload", []row{
			{"put, which returns {key}", "`s3levelfs put` prints it; in the mount: write a file", []string{"storage_put.txtar", "storage_put_mount.txtar", "TestV5ReadsWhatTheMountWrote"}},
			{"contentType", "by the key's extension, then by the first bytes; `--content-type`; the attribute `user.s3.content-type`", []string{"storage_content_type.txtar", "TestPutContentType"}},
			{"progressCallback", "a bar on a terminal, `--progress json` for scripts; of the mount `s3levelfs status`", []string{"storage_progress.txtar", "TestProgress"}},
			{"serverSideEncryption, SSEKMSKeyId", "`--sse`, `--sse-kms-key-id`, `--bucket-key`", []string{"TestPutEncrypts", "storage_put_headers.txtar"}},
			{"SSECustomerAlgorithm, SSECustomerKey", "`--sse-c-key-file`, for whatever reads and writes", []string{"TestCustomerKey", "TestCustomerKeyOnEachRequest"}},
			{"cacheControl, contentDisposition, contentEncoding, expires", "options of the same names, of `put` and of the mount; attributes `user.s3.…`; by pattern in the TOML file", []string{"storage_put_headers.txtar", "TestCreatedObjectsGetOptions"}},
			{"metadata", "`--metadata`; attributes `user.meta.…`", []string{"storage_put_headers.txtar", "TestMetaXattrs"}},
			{"tagging, acl", "`--tags`, `--acl`, where the role may; Amplify's own roles may not", []string{"storage_put_headers.txtar", "TestTagsOfAHead"}},
			{"useAccelerateEndpoint", "`--endpoint https://s3-accelerate.amazonaws.com`", []string{"storage_accelerate.txtar"}},
			{"preventOverwrite", "`--prevent-overwrite` (exit code 73)", []string{"storage_prevent_overwrite.txtar"}},
			{"resumable uploads; pause, resume, cancel", "the same `put` goes on after Ctrl-C or `kill -9`; so does the mount", []string{"TestPutKilled", "TestPutResume", "TestKillNine"}},
			{"four attempts of a request, then an error", "`--max-attempts`; in the mount the file stays in the spool, is named by `s3levelfs status`, and is tried again", []string{"TestFourAttemptsOfReads", "TestFourAttemptsOfWrites", "TestFourAttemptsOfParts", "TestFourAttemptsOfLists", "TestTroubleIsToldEverywhere"}},
			{"upload of a picked image, in a browser or React Native", "drag it into the mount", []string{"storage_put_mount.txtar"}},
			{"fileToKey, the path of a picker", "`put --file-to-key`, KEY", []string{"storage_file_to_key.txtar"}},
			{"white space in names becomes _", "`put --escape-spaces`; else names stay exact", []string{"storage_file_to_key.txtar"}},
			{"upload of a folder", "`put -r`, which sends only what is not there yet", []string{"storage_recursive.txtar", "TestTreesGoOn"}},
		}},
		{"Download", []row{
			{"get: a URL", "`s3levelfs url`; the attribute `user.s3levelfs.url`", []string{"storage_geturl.txtar", "TestURL"}},
			{"expires", "`url --expires`, 15 minutes by default, never longer than the credentials", []string{"storage_geturl.txtar", "TestPresignEndsWithTheCredentials"}},
			{"validateObjectExistence", "`url --validate`", []string{"storage_geturl.txtar"}},
			{"get with download: true", "read the file; `s3levelfs get`, `cat`, `--range`", []string{"storage_get_download.txtar", "TestV5WritesMountReads"}},
			{"identityId: files of other users", "`--owner ID`", []string{"storage_protected.txtar"}},
			{"getProperties", "`s3levelfs stat`", []string{"storage_properties.txtar"}},
			{"download of a folder", "`get -r`, which fetches only what is not there yet", []string{"storage_recursive.txtar", "TestTreesGoOn"}},
		}},
		{"List, copy, remove", []row{
			{"list, also of other users", "`ls`, `s3levelfs ls` with `--page-size`, `--next-token`, `--delimiter`, `--owner`", []string{"storage_list.txtar", "storage_protected.txtar", "TestLsJSON"}},
			{"filter of an album", "`ls --filter REGEX`", []string{"storage_list.txtar"}},
			{"copy", "`s3levelfs cp`, `mv`, on the server, with all headers", []string{"storage_copy.txtar", "TestHeadersAndOperations"}},
			{"remove", "`rm`; `s3levelfs rm`, `rm -r`", []string{"storage_remove.txtar", "TestV5Removes"}},
			{"keys that are no file names", "exact in commands, escaped in the mount", []string{"TestTreeOfHostileKeys", "TestNames"}},
		}},
		{"Custom plugins", []row{
			{"a bucket on another server than Amazon's", "`--endpoint`, `--path-style`, `--local`", []string{"storage_manual_setup.txtar", "storage_put.txtar"}},
		}},
		{"Tracking events", []row{
			{"what was asked for, and what became of it", "`s3levelfs status`, `--metrics`, the log", []string{"TestTroubleIsToldEverywhere"}},
		}},
		{"Reference", []row{
			{"API reference", "the help of each command, the manual page, the documentation of the Go packages", []string{"TestHelpOfEveryCommand", "TestManPageRenders", "TestExamplesAreRight"}},
			{"modular imports", "the Go packages `levels`, `store`, `cache`, `uploader` and `identity`, without FUSE; commands need no mount", []string{"TestPackagesWithoutFUSE"}},
		}},
	}
}
