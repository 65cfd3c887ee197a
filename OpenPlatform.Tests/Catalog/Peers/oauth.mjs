// Gets tokens with a library that nobody here wrote, verifies them with another one, and calls an API with them.
import { webcrypto } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { createRemoteJWKSet, importPKCS8, jwtVerify } from 'jose';

globalThis.crypto ??= webcrypto; // node 18

const { issuer, audience, clientId, secret, pkcs8, api } = JSON.parse(process.env.CASE);
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

const jwks = createRemoteJWKSet(new URL(server.jwks_uri));
for (const [name, way] of Object.entries(ways)) {
  const answer = await oauth.processClientCredentialsResponse(server, client,
    await oauth.clientCredentialsGrantRequest(server, client, way, new URLSearchParams({ scope: 'orders:read' }), insecure));
  const { payload } = await jwtVerify(answer.access_token, jwks, { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'] });

  // What a resource server that is written with the library says to it (RFC 9068).
  const claims = await oauth.validateJwtAccessToken(server, new Request(api, { headers: { authorization: `Bearer ${answer.access_token}` } }), audience, insecure);
  result[name] = { scope: payload.scope, subject: claims.sub, active: await active(answer.access_token), status: await call(answer.access_token) };
  result.last = answer.access_token;
}

await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, ways.private_key_jwt, result.last, insecure));
result.afterRevocation = await active(result.last);
for (let i = 0; i < 100 && (result.refused = await call(result.last)) !== 401; i++) {
  await new Promise(next => setTimeout(next, 100));
}

delete result.last;
console.log(JSON.stringify(result));
