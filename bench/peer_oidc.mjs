// SPDX-License-Identifier: Apache-2.0
// The peer of the token bench: a stock OpenID provider (npm oidc-provider) with its in-memory store, TLS like ours.
// peer_oidc.mjs PORT KEY.pem CERT.pem CLIENT_JWK
import { readFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import Provider from 'oidc-provider';

const [port, key, cert, jwk] = process.argv.slice(2);
const provider = new Provider(`https://127.0.0.1:${port}`, {
  clients: [{ client_id: 'bench', token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', jwks: { keys: [JSON.parse(jwk)] },
    grant_types: ['client_credentials'], response_types: [], redirect_uris: [] },
  { client_id: 'reader', client_secret: 'a-secret-of-the-bench-alone', grant_types: ['client_credentials'], response_types: [], redirect_uris: [] }],
  features: { clientCredentials: { enabled: true }, introspection: { enabled: true, allowedPolicy: () => true }, devInteractions: { enabled: false } },
  enabledJWA: { clientAuthSigningAlgValues: ['ES256'] },
});
https.createServer({ key: readFileSync(key), passphrase: readFileSync(path.join(path.dirname(key), '../keys/passphrase'), 'utf8').trim(), cert: readFileSync(cert) }, provider.callback()).listen(Number(port), '127.0.0.1');
