// SPDX-License-Identifier: Apache-2.0
// CAs, client certificates and revocation lists of the openssl command's making.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const openssl = (...args) => execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const stamp = (days) => `${new Date(Date.now() + days * 86400e3).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;

export const CURVE = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];

// A fresh pair: {file, pem, publicPem}.
export function keyPair(dir, name, how = CURVE) {
  mkdirSync(dir, { recursive: true });
  const file = path.join(dir, `${name}.key`);
  openssl('genpkey', ...how, '-out', file);
  return { file, pem: readFileSync(file, 'utf8'), publicPem: openssl('pkey', '-in', file, '-pubout') };
}

export class Authority {
  constructor(dir, name) {
    this.dir = path.join(dir, name.replace(/\W/g, '-'));
    this.key = keyPair(this.dir, 'ca');
    this.file = path.join(this.dir, 'ca.crt');
    this.config = path.join(this.dir, 'ca.cnf');
    writeFileSync(path.join(this.dir, 'index.txt'), '');
    writeFileSync(path.join(this.dir, 'serial'), '1000\n');
    writeFileSync(path.join(this.dir, 'crlnumber'), '01\n');
    writeFileSync(this.config, `[ca]\ndefault_ca=us\n[us]\ndatabase=${this.dir}/index.txt\nserial=${this.dir}/serial\ncrlnumber=${this.dir}/crlnumber\n`
      + `new_certs_dir=${this.dir}\ndefault_md=sha256\npolicy=any\nunique_subject=no\ndefault_crl_days=30\n[any]\ncommonName=supplied\norganizationName=optional\n`
      + '[client]\nbasicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n[req]\ndistinguished_name=dn\n[dn]\n');
    openssl('req', '-x509', '-new', '-key', this.key.file, '-out', this.file, '-days', '3650', '-subj', `/O=${name}/CN=${name} root`,
      '-addext', 'basicConstraints=critical,CA:true', '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-config', this.config);
    this.n = 0;
  }

  get pem() { return readFileSync(this.file, 'utf8'); }

  // A client's: {key, file, cert (PEM), pem and publicPem of the key}. from, to: days from now. host: a server's of that name.
  issue(name, { from = -1, to = 365, key, host } = {}) {
    const id = `${name.replace(/\W/g, '-')}-${this.n += 1}`;
    const pair = key ?? keyPair(this.dir, id);
    const request = path.join(this.dir, `${id}.csr`);
    const crt = path.join(this.dir, `${id}.crt`);
    openssl('req', '-new', '-key', pair.file, '-out', request, '-subj', `/O=Software house/CN=${name}`, '-config', this.config);
    const extensions = ['-extensions', host ? 'server' : 'client'];
    if (host) {
      const file = path.join(this.dir, `${id}.cnf`);
      writeFileSync(file, `[server]\nbasicConstraints=critical,CA:false\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:${host}\n`);
      extensions.push('-extfile', file);
    }
    openssl('ca', '-batch', '-notext', '-config', this.config, '-cert', this.file, '-keyfile', this.key.file, ...extensions,
      '-startdate', stamp(from), '-enddate', stamp(to), '-in', request, '-out', crt);
    return { ...pair, crt, cert: readFileSync(crt, 'utf8') };
  }

  revoke(client) {
    openssl('ca', '-config', this.config, '-cert', this.file, '-keyfile', this.key.file, '-revoke', client.crt);
  }

  // PEM
  crl() {
    const file = path.join(this.dir, 'crl.pem');
    openssl('ca', '-gencrl', '-config', this.config, '-cert', this.file, '-keyfile', this.key.file, '-out', file);
    return readFileSync(file, 'utf8');
  }
}
