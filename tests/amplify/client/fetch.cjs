// What a plain HTTP client is answered, by a URL alone: {status, body (base64), type}.
'use strict';

module.exports = async ({ url, method, headers, body }) => {
  const answer = await fetch(url, { method, headers, body: body && Buffer.from(body, 'base64') });
  return {
    status: answer.status,
    body: Buffer.from(await answer.arrayBuffer()).toString('base64'),
    type: answer.headers.get('content-type') ?? '',
  };
};
