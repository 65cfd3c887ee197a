// The signer of docs/signing.md (written beside this file as sign.mjs) against its vectors and against a gateway.
import { randomUUID } from 'node:crypto';
import { sign } from './sign.mjs';

const { address, vectors } = JSON.parse(process.env.CASE);
for (const vector of vectors) {
  const headers = sign(vector);
  if (headers['X-App-Signature'] !== vector.signature) throw new Error(`${vector.name}: ${headers['X-App-Signature']}`);
}

const answers = [];
for (const { method, target, keyId, secret, timestamp, headers, body } of vectors) {
  for (const key of [secret, secret + '!']) {
    const signed = sign({ method, target, keyId, secret: key, timestamp, nonce: randomUUID(), headers, body });
    answers.push((await fetch(address + target, { method, headers: signed, body })).status);
  }
}

console.log(JSON.stringify(answers));
