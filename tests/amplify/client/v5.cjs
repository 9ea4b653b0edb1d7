// Drives Amplify Storage v5; see driver.cjs.
'use strict';
const drive = require('./driver.cjs');
const fetched = require('./fetch.cjs');
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

// JSON has no dates, which expires must be.
const dated = (options) => (options?.expires ? { ...options, expires: new Date(options.expires) } : options);

const operations = {
  put: ({ key, body, options }) => Storage.put(key, bytes(body), dated(options)),
  // A body of a size instead of the bytes themselves: byte i is (i * 7) mod 251.
  putPattern: ({ key, size, options }) => Storage.put(key, Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 7) % 251)), dated(options)),
  get: async ({ key, options }) => text((await Storage.get(key, { ...options, download: true })).Body),
  list: ({ path, options }) => Storage.list(path, options),
  properties: ({ key, options }) => Storage.getProperties(key, options),
  url: ({ key, options }) => Storage.get(key, options),
  // What a plain HTTP client gets of a URL, or what it is answered to a PUT.
  fetch: fetched,
  remove: ({ key, options }) => Storage.remove(key, options),
  copy: ({ from, to }) => Storage.copy(from, to),
  vaultPut: ({ key, body, options }) => Storage.vault.put(key, bytes(body), options),
  vaultGet: async ({ key }) => text((await Storage.vault.get(key, { download: true })).Body),
  vaultList: ({ path }) => Storage.vault.list(path, { pageSize: 1000 }),
  configure: (more) => configure(more),
};

drive(operations);
