// Signs by RFC 9421 with a library that nobody here wrote, and calls a gateway.
import { constants, createHash, sign } from 'node:crypto';
import { createSigner, httpbis } from 'http-message-signatures';

// The library's own RSA-PSS signer takes the longest salt; RFC 9421, 3.3.1 asks for 64 bytes.
const signer = (id, algorithm, key) => algorithm === 'rsa-pss-sha512'
  ? { id, alg: algorithm, sign: async (data) => sign('sha512', data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }) }
  : createSigner(algorithm === 'hmac-sha256' ? Buffer.from(key) : key, algorithm, id);

const { address, path, created, keys } = JSON.parse(process.env.CASE);
const answers = [];
for (const { id, algorithm, key } of keys) {
  for (const body of [undefined, '{"sku":"a-1"}']) {
    const method = body === undefined ? 'GET' : 'POST';
    const headers = { host: new URL(address).host, 'x-tenant': 'blue' };
    const fields = ['@method', '@authority', '@path', '@query', 'x-tenant'];
    if (body !== undefined) {
      headers['content-digest'] = `sha-512=:${createHash('sha512').update(body).digest('base64')}:`;
      fields.push('content-digest');
    }

    const request = await httpbis.signMessage(
      {
        key: signer(id, algorithm, key),
        fields,
        params: ['created', 'keyid', 'alg', 'nonce'],
        paramValues: { created: new Date(created * 1000), nonce: `${id}-${method}` },
      },
      { method, url: address + path, headers });
    delete request.headers.host;
    answers.push((await fetch(address + path, { method, headers: request.headers, body })).status);
  }
}

console.log(JSON.stringify(answers));
