// Drives Amplify Storage v6; see driver.cjs. It is the code path of Amplify's StorageBrowser, with paths, credentials and an endpoint of one's own:
// requests are signed for the server that they reach.
'use strict';
const drive = require('./driver.cjs');
const fetched = require('./fetch.cjs');
const { Amplify } = require('@aws-amplify/core');
const storage = require('@aws-amplify/storage/internals');

const { bucket, region, endpoint, accessKeyId, secretAccessKey } = JSON.parse(process.env.AMPLIFY_CLIENT);

Amplify.configure({ Storage: { S3: { bucket, region } } });

// Uploads in parts read blobs by it; Node has none.
globalThis.FileReader = class {
  readAsArrayBuffer(blob) { this.#read(blob.arrayBuffer()); }

  async #read(bytes) {
    try {
      this.result = await bytes;
      this.onload?.({ target: this });
    } catch (e) {
      this.error = e;
      this.onerror?.(e);
    }
  }
};

const common = {
  bucket: { bucketName: bucket, region },
  customEndpoint: endpoint,
  locationCredentialsProvider: async () => ({
    credentials: { accessKeyId, secretAccessKey, sessionToken: '', expiration: new Date(Date.now() + 3600_000) },
  }),
};
const base64 = async (blob) => Buffer.from(await blob.arrayBuffer()).toString('base64');
const upload = (path, data, options) => storage.uploadData({ path, data: new Blob([data]), options: { ...common, ...options } }).result;

drive({
  put: ({ path, body, options }) => upload(path, Buffer.from(body, 'base64'), options),
  // A body of a size instead of the bytes themselves: byte i is (i * 7) mod 251.
  putPattern: ({ path, size, options }) => upload(path, Uint8Array.from({ length: size }, (_, i) => (i * 7) % 251), options),
  get: async ({ path }) => base64(await (await storage.downloadData({ path, options: common }).result).body.blob()),
  list: ({ path, options }) => storage.list({ path, options: { ...common, ...options } }),
  properties: ({ path }) => storage.getProperties({ path, options: common }),
  remove: ({ path }) => storage.remove({ path, options: common }),
  copy: ({ from, to }) => storage.copy({ source: { path: from, bucket: common.bucket }, destination: { path: to, bucket: common.bucket }, options: common }),
  url: async ({ path, options }) => (await storage.getUrl({ path, options: { ...common, ...options } })).url.toString(),
  fetch: fetched,
});
