// Issues access tokens with a library that nobody here wrote; the test serves its keys.
import { webcrypto } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

globalThis.crypto ??= webcrypto; // node 18

const { issuer, audience, client, now } = JSON.parse(process.env.CASE);
const keys = [];
const tokens = [];
for (const alg of ['ES256', 'RS256', 'PS256']) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  keys.push({ ...(await exportJWK(publicKey)), kid: alg, alg, use: 'sig' });
  tokens.push(await new SignJWT({ client_id: client, scope: 'orders' })
    .setProtectedHeader({ alg, typ: 'at+jwt', kid: alg })
    .setIssuer(issuer).setAudience(audience).setSubject(client).setIssuedAt(now).setExpirationTime(now + 60).setJti(alg)
    .sign(privateKey));
}

console.log(JSON.stringify({ jwks: JSON.stringify({ keys }), tokens }));
