// Gets tokens with a library that nobody here wrote, verifies them with another one, and calls an API with them.
import { webcrypto } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { createRemoteJWKSet, decodeProtectedHeader, importPKCS8, jwtVerify } from 'jose';

globalThis.crypto ??= webcrypto; // node 18

const { issuer, audience, clientId, secret, pkcs8, api, rotation, admin } = JSON.parse(process.env.CASE);
const insecure = { [oauth.allowInsecureRequests]: true }; // the test has no TLS
const result = {};

const url = new URL(issuer);
const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...insecure }));
result.discovered = server.token_endpoint;

const client = { client_id: clientId };
const key = await importPKCS8(pkcs8, 'ES256');
const ways = {
  client_secret_basic: oauth.ClientSecretBasic(secret),
  client_secret_post: oauth.ClientSecretPost(secret),
  private_key_jwt: oauth.PrivateKeyJwt({ key }),
};

const call = async token => (await fetch(api, { headers: { authorization: `Bearer ${token}` } })).status;
const active = async token =>
  (await oauth.processIntrospectionResponse(server, client,
    await oauth.introspectionRequest(server, client, ways.client_secret_basic, token, insecure))).active;

const get = async way => await oauth.processClientCredentialsResponse(server, client,
  await oauth.clientCredentialsGrantRequest(server, client, way, new URLSearchParams({ scope: 'orders:read' }), insecure));
const verify = (token, keys) => jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'] });
// The keys as they are now; it remembers them, and fetches them again when a token names one that it does not know.
const keySet = () => createRemoteJWKSet(new URL(server.jwks_uri), { cooldownDuration: 0 });
const until = async (what, condition) => {
  for (let i = 0; i < 300; i++) {
    if (await condition()) return true;
    await new Promise(next => setTimeout(next, 100));
  }
  throw new Error(`not within 30 s: ${what}`);
};

const jwks = keySet();
for (const [name, way] of Object.entries(ways)) {
  const answer = await get(way);
  const { payload } = await verify(answer.access_token, jwks);

  // What a resource server that is written with the library says to it (RFC 9068).
  const claims = await oauth.validateJwtAccessToken(server, new Request(api, { headers: { authorization: `Bearer ${answer.access_token}` } }), audience, insecure);
  result[name] = { scope: payload.scope, subject: claims.sub, active: await active(answer.access_token), status: await call(answer.access_token) };
  result.last = answer.access_token;
}

await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, ways.private_key_jwt, result.last, insecure));
result.afterRevocation = await active(result.last);
await until('a revoked token is refused', async () => (result.refused = await call(result.last)) === 401);
delete result.last;

// The keys of the issuer are changed: first as it is done every month, then as when one leaked.
const rotate = async body => {
  const answer = await fetch(rotation, { method: 'POST', headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`rotation: ${answer.status} ${await answer.text()}`);
};
const published = async () => (await (await fetch(server.jwks_uri)).json()).keys.map(key => key.kid);
const kid = token => decodeProtectedHeader(token).kid;
const fresh = async () => (await get(ways.client_secret_basic)).access_token;

const first = await fresh();
await verify(first, jwks);
await rotate({});
const both = await published();
let second;
await until('the next key signs', async () => kid(second = await fresh()) !== kid(first));
await verify(second, jwks);
await verify(first, jwks);
await verify(first, keySet());
await until('a token of the next key counts', async () => await call(second) === 200);
result.next = {
  publishedBefore: both.length === 2 && both.includes(kid(first)) && both.includes(kid(second)),
  statuses: [await call(first), await call(second)],
};

await rotate({ atOnce: true });
const third = await fresh();
await verify(third, jwks);
await until('a token of the key after it counts', async () => await call(third) === 200);
await until('a token of a key that leaked is refused', async () => await call(first) === 401 && await call(second) === 401);
const refusal = async token => await verify(token, keySet()).then(() => null, error => error.code);
result.atOnce = { published: (await published()).length, differs: kid(third) !== kid(second), refusals: [await refusal(first), await refusal(second), await refusal(third)] };

console.log(JSON.stringify(result));
