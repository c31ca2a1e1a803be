// SPDX-License-Identifier: Apache-2.0
// What the platform says of a refusal is English; what is said most is put into Chinese here. Whatever is not in the table stays as it
// came: the title, the pointer and what to do next are in the reader's language in every case.
const SAID: [RegExp, string][] = [
  [/^(.+): this member is required$/, '必须填写“$1”'],
  [/^this attribute is required$/, '必须填写'],
  [/^a text is needed$/, '应为文本'],
  [/^(\d+) to (\d+) bytes are allowed, this has (\d+)$/, '长度应为 $1 至 $2 字节，现为 $3 字节'],
  [/^at most (\d+) bytes$/, '最多 $1 字节'],
  [/^control characters are not allowed$/, '不能含控制字符'],
  [/^one of (.+) is needed$/, '应为以下之一：$1'],
  [/^a whole number from (-?\d+) to (\d+) is needed$/, '应为 $1 至 $2 的整数'],
  [/^a time like (.+) is needed$/, '应为时间，如 $1'],
  [/^the id of one of the (\S+) is needed$/, '应为一条已有记录的标识（$1）'],
  [/^there is no such one among the (\S+)$/, '没有这条记录（$1）'],
  [/^true or false is needed$/, '应为“是”或“否”'],
  [/^the platform sets this attribute$/, '此项由平台填写'],
  [/^this attribute cannot be changed$/, '此项不能修改'],
  [/^there is no such member$/, '没有此项'],
  [/^the state is (\S+); it allows (.+)$/, '当前状态为 $1，此时可以：$2'],
  [/^the state is (\S+)$/, '当前状态为 $1'],
  [/^the (application|version|agreement|app) is (\S+)(;.*)?$/, '当前状态为 $2，不能这样做'],
  [/^an array of at most (\d+) is needed$/, '最多 $1 项'],
  [/^an array of 1 to (\d+) is needed$/, '应有 1 至 $1 项'],
  [/^each of the (\d+) has to be accepted$/, '须逐项接受全部 $1 项'],
  [/^a document of kind (\S+) is required$/, '缺少材料：$1'],
  [/^the app it is about is needed$/, '须指明所涉及的应用'],
  [/^nobody has judged (\S+) yet$/, '还没有对“$1”作出判断'],
  [/^the finding on (\S+) is negative: return or refuse$/, '“$1”的判断为不通过：请退回或拒绝'],
  [/^the applicant's identity is not verified$/, '还没有核验申请方的身份'],
  [/^the applicant is owed a reason$/, '须向申请方写明理由'],
  [/^the applicant has no assessment that counts.*$/, '申请方没有有效的评估'],
  [/^a unified social credit code is needed$/, '应为有效的统一社会信用代码'],
  [/^an address or a network like (.+) is needed$/, '应为 IP 地址或网段，如 $1'],
  [/^a domain name is needed$/, '应为域名'],
  [/^a number of an identity card, with the right check character, is needed$/, '应为校验位正确的身份证号'],
  [/^a password has at least (\d+) characters$/, '密码至少 $1 个字符'],
  [/^lower case, upper case, digits, others: (\d+) of these kinds, or (\d+) characters$/, '大写、小写、数字、其他字符中至少 $1 类，或不少于 $2 个字符'],
  [/^it is one of the passwords that are tried first$/, '这是最常被猜测的密码之一'],
  [/^an address like https.*$/, '应为 https://名称:端口/路径 或 http://主机:端口/路径'],
  [/^an url like https.*$/, '目标应为 https://名称:端口/路径 或 http://主机:端口/路径'],
  [/^this url is there twice$/, '同一目标出现两次'],
  [/^the app has no active secret.*$/, '应用没有有效的密码（hmac-sm3），平台无法代签'],
  [/^the app is not in its test stage: .*$/, '应用不在测试阶段：这次调用会真实写入，须确认'],
  [/^there is no such app of yours$/, '您没有这个应用'],
  [/^others are trying calls; try again$/, '其他人正在试用，请稍后再试'],
  [/^missing: (.+)$/, '还缺少：$1'],
  [/^the calling app is not in its test stage.*$/, '应用不在测试阶段'],
];

export function inChinese(detail: string): string {
  for (const [pattern, zh] of SAID) if (pattern.test(detail)) return detail.replace(pattern, zh);
  return detail;
}
