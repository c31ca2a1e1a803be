// SPDX-License-Identifier: Apache-2.0
// What the SDK itself says, in the two languages. Codes of the platform bring their own title.

const WORDS = {
  'settings-invalid': ['A setting is missing or wrong', '配置缺失或不正确'],
  'secret-in-settings': ['A private key or secret lies in clear where settings are read: seal it (sluice-sdk keys)', '配置中存在明文私钥或密钥，请使用 sluice-sdk keys 加密保存'],
  'key-store-locked': ['The key store cannot be opened: another passphrase, or it was altered', '密钥库无法打开：口令不符或文件被篡改'],
  'key-unusable': ['The key cannot be used for this', '密钥不可用于该用途'],
  'sdk-altered': ['A file of the SDK is not the one that was released', 'SDK 文件与发布版本不一致'],
  'tls-refused': ['The TLS connection was refused: its certificate or version is not acceptable', 'TLS 连接被拒绝：证书或协议版本不可接受'],
  unreachable: ['The platform cannot be reached', '无法连接平台'],
  'broken-off': ['The connection broke off before the answer was whole', '连接中断，应答不完整'],
  'too-slow': ['No answer within the time allowed', '等待应答超时'],
  'answer-too-long': ['The answer is longer than allowed', '应答超出允许的长度'],
  'answer-unsigned': ['The answer is not signed and it has to be', '应答缺少必需的签名'],
  'answer-altered': ['The answer is not what the platform signed for this call', '应答与平台为本次调用签名的内容不一致'],
  'answer-unreadable': ['The answer cannot be read', '应答无法识别'],
  'seal-unopened': ['The sealed answer cannot be opened, or its digest differs', '加密应答无法解密或摘要不一致'],
  'seal-suite-unsupported': ['This Node has no SM4-GCM: register an encryption key for ECDH-ES', '当前 Node 不支持 SM4-GCM，请登记 ECDH-ES 加密公钥'],
  'breaker-open': ['Calls of this API are suspended after too many failures', '该接口失败过多，调用已熔断'],
  'user-limited': ['More calls of this user than the app allows', '该用户的调用次数超出应用限制'],
  'not-this-users': ['This belongs to another user', '该数据属于其他用户'],
  'store-forbidden': ['Results of this API may not be kept on disk', '该接口的查询结果不得落盘保存'],
  'store-altered': ['A stored value was altered or belongs elsewhere', '存储的数据被篡改或位置不符'],
  'log-altered': ['The call log was altered', '调用日志被篡改'],
  'file-altered': ['The file is not what its manifest says, after every chunk was fetched again', '重新获取分片后文件仍与清单不一致'],
  'upload-failed': ['The file could not be handed in', '文件上传失败'],
  'consent-incomplete': ['A consent needs the statement as shown, a purpose, items and an act of the user', '同意记录缺少已展示的声明、目的、信息项或用户的主动行为'],
};

/** @returns {{en: string, zh: string}} */
export const words = (code) => { const [en, zh] = WORDS[code] ?? [code, code]; return { en, zh }; };
export const CODES = Object.keys(WORDS);
