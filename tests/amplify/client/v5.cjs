// Drives Amplify Storage v5 by lines of JSON: {op, args} on standard input, {result} or {error} on standard output, one for each.
'use strict';
const readline = require('node:readline');
const { Credentials } = require('@aws-amplify/core');
const { Storage } = require('@aws-amplify/storage');

const { bucket, region, identityId, accessKeyId, secretAccessKey } = JSON.parse(process.env.AMPLIFY_CLIENT);

// As a signed-in user of an identity pool: Cognito itself is not asked.
Credentials.get = async () => ({
  accessKeyId, secretAccessKey, identityId, authenticated: true, expiration: new Date(Date.now() + 3600_000),
});
const configure = (more) => Storage.configure({
  AWSS3: { bucket, region, dangerouslyConnectToHttpEndpointForTesting: true, ...more },
});
configure({});

const text = async (body) => Buffer.from(await new Response(body).arrayBuffer()).toString('base64');
const bytes = (base64) => Buffer.from(base64, 'base64');

const operations = {
  put: ({ key, body, options }) => Storage.put(key, bytes(body), options),
  // A body of a size instead of the bytes themselves: byte i is (i * 7) mod 251.
  putPattern: ({ key, size, options }) => Storage.put(key, Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 7) % 251)), options),
  get: async ({ key, options }) => text((await Storage.get(key, { ...options, download: true })).Body),
  list: ({ path, options }) => Storage.list(path, options),
  properties: ({ key, options }) => Storage.getProperties(key, options),
  remove: ({ key, options }) => Storage.remove(key, options),
  copy: ({ from, to }) => Storage.copy(from, to),
  vaultPut: ({ key, body, options }) => Storage.vault.put(key, bytes(body), options),
  vaultGet: async ({ key }) => text((await Storage.vault.get(key, { download: true })).Body),
  vaultList: ({ path }) => Storage.vault.list(path, { pageSize: 1000 }),
  configure: (more) => configure(more),
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { op, args } = JSON.parse(line);
    let answer;
    try {
      answer = { result: (await operations[op](args)) ?? null };
    } catch (e) {
      answer = { error: `${e.name}: ${e.message}` };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
})();
