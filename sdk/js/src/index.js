// SPDX-License-Identifier: Apache-2.0
// The public contract of @sluice/sdk. What is not exported here is nobody's to use.

export { Sluice } from './client.js';
export { SluiceError, NetworkError, GatewayError, BusinessError, IntegrityError, LocalError } from './errors.js';
export { ALGORITHMS, signer } from './keys.js';
export { KeyStore, passphraseFrom } from './keystore.js';
export { loadSettings } from './settings.js';
export { Vault, derived } from './vault.js';
export { Tokens } from './tokens.js';
export { CallLog, RETENTION_DAYS, verifyLog } from './calllog.js';
export { personalNames, scanLog } from './scan.js';
export { described } from './personal.js';
export { OwnConsents, renderConsent } from './consent.js';
export { download, upload } from './transfer.js';
export { selfCheck } from './self.js';
