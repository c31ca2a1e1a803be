// SPDX-License-Identifier: Apache-2.0
// A labelled corpus for the detector of sensitive data: values that are something, look-alikes that are not, and
// columns of both. Made up by a generator with a seed, the same every time; no value is anybody's.

import { luhn, uscc } from '../demo/idnum.mjs';

const SURNAMES = '王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕';
const GIVEN = '伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建国文志晓红小玉兰海燕';
const ROADS = ['湖滨南', '嘉禾', '中山', '人民', '解放', '建设', '滨海', '长江'];
const CITIES = [['福建省', '厦门市', '思明区'], ['广东省', '深圳市', '南山区'], ['浙江省', '杭州市', '西湖区'], ['四川省', '成都市', '武侯区']];
const PLATES = '京沪粤闽浙苏鲁川渝鄂';
const GOODS = ['乌龙茶礼盒', '不锈钢保温杯', '儿童雨衣', '蓝牙耳机', '棉麻衬衫', '陶瓷花瓶', '登山背包', '无线键盘'];

class Random {
  constructor(seed) { this.s = BigInt(seed); }
  below(n) {
    this.s = (this.s * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number((this.s >> 33n) % BigInt(n));
  }
  of(list) { return list[this.below(list.length)]; }
  digits(n) { return Array.from({ length: n }, () => this.below(10)).join(''); }
}

const two = (n) => String(n).padStart(2, '0');
const day = (r) => [1940 + r.below(75), 1 + r.below(12), 1 + r.below(28)];

function idCard(r) {
  const [y, m, d] = day(r);
  const first = `${r.of(['350203', '440305', '330106', '510107', '110105', '310115'])}${y}${two(m)}${two(d)}${r.digits(3)}`;
  const sum = [...first].reduce((s, c, k) => s + Number(c) * (2 ** (17 - k) % 11), 0);
  return first + '10X98765432'[sum % 11];
}

const grouped = (s) => s.replace(/(\d{4})(?=\d)/g, '$1 ');
const mobile = (r) => `1${r.of(['30', '31', '35', '38', '39', '50', '58', '59', '66', '77', '80', '86', '88', '89', '91', '98'])}${r.digits(8)}`;
const name = (r) => r.of([...SURNAMES]) + r.of([...GIVEN]) + (r.below(3) ? r.of([...GIVEN]) : '');

// What a value of a kind looks like, its less tidy spellings among them.
export const KINDS = {
  'id-card': (r) => { const s = idCard(r); return r.below(10) ? s : s.toLowerCase(); },
  uscc: (r) => uscc(r.of(['350203', '440305', '330106']), r.digits(8)),
  'bank-card': (r) => { const s = luhn(r.of(['622202', '621700', '622848', '625955', '411111', '520000']) + r.digits(r.below(2) ? 9 : 9)); return r.below(5) ? s : grouped(s); },
  mobile: (r) => { const s = mobile(r); return r.of([s, s, s, `+86 ${s}`, `${s.slice(0, 3)}-${s.slice(3, 7)}-${s.slice(7)}`]); },
  email: (r) => `${r.of(['li', 'wang', 'zhang.san', 'a_b', 'Trade'])}${r.below(9999)}@${r.of(['mail.example.com', 'example.cn', 'mail.example.org'])}`,
  plate: (r) => `${r.of([...PLATES])}${r.of([...'ABCDE'])}${r.of(['', '·'])}${r.digits(2)}${r.of([...'ABCDEFGH'])}${r.digits(2)}`,
  address: (r) => `${r.of(CITIES).join('')}${r.of(ROADS)}路${1 + r.below(900)}号${r.of(['', '1栋', `${r.below(20)}楼`, `${r.below(2000)}室`])}`,
  'person-name': name,
  birthday: (r) => { const [y, m, d] = day(r); return r.of([`${y}-${two(m)}-${two(d)}`, `${y}年${m}月${d}日`, `${y}${two(m)}${two(d)}`]); },
  passport: (r) => r.of([`E${r.digits(8)}`, `E${r.of([...'ABCDEFGH'])}${r.digits(7)}`, `G${r.digits(8)}`]),
  'bank-account': (r) => r.digits(r.of([12, 15, 17, 21])),
};

// What is none of it and looks like some of it. Chance is left to chance: one such number in ten has a right check digit.
export const LOOK_ALIKES = {
  'order number, 18 digits': (r) => `2026${two(1 + r.below(12))}${two(1 + r.below(28))}${r.digits(10)}`,
  'payment number, 16 digits from 62': (r) => `62${r.digits(14)}`,
  'payment number, 19 digits': (r) => `${r.of(['10', '20', '88'])}${r.digits(17)}`,
  'serial, 11 digits from 1': (r) => `1${r.of(['0', '1', '2'])}${r.digits(9)}`,
  'serial, 12 digits': (r) => `13${r.digits(10)}`,
  'identity number with a wrong check digit': (r) => { const s = idCard(r); return s.slice(0, 17) + (s[17] === '1' ? '2' : '1'); },
  'enterprise code with a wrong check digit': (r) => { const s = uscc('350203', r.digits(8)); return s.slice(0, 17) + (s[17] === 'A' ? 'B' : 'A'); },
  'handle without a domain': (r) => `@user${r.below(9999)}`,
  'container number': (r) => `${r.of(['MSCU', 'CSNU', 'OOLU'])}${r.digits(7)}`,
  'HS code': (r) => r.digits(10),
  'IP address': (r) => `10.${r.below(255)}.${r.below(255)}.${r.below(255)}`,
  uuid: (r) => `${r.digits(8)}-${r.digits(4)}-4${r.digits(3)}-8${r.digits(3)}-${r.digits(12)}`,
  company: (r) => `${r.of(['厦门', '深圳', '杭州'])}${r.of(['港务', '远航', '新港', '四海'])}${r.of(['物流', '贸易', '电子'])}有限公司`,
  goods: (r) => `${r.of(GOODS)}${r.below(90)}号款`,
  city: (r) => r.of(['厦门市', '成都市', '武汉市', '安庆市', '深圳市', '石家庄市']),
  amount: (r) => `${r.below(100000)}.${two(r.below(100))}`,
  timestamp: (r) => `2026-${two(1 + r.below(12))}-${two(1 + r.below(28))}T${two(r.below(24))}:${two(r.below(60))}:00Z`,
  remark: (r) => r.of(['货已收到，质量很好', '请尽快发货', 'Leave it at the gate', '周末不在家']),
  version: (r) => `v${r.below(9)}.${r.below(99)}.${r.below(999)}`,
  'tariff category': (r) => r.of(['高级', '普通', '马口铁', '黄金', '石油', '白酒', '江鲜']),
};

const TELLING = { 'id-card': 'id_card_no', uscc: 'credit_code', 'bank-card': 'card_no', mobile: 'mobile', email: 'email', plate: 'plate_no', address: 'address', 'person-name': 'contact_name',
  birthday: 'birthday', passport: 'passport_no', 'bank-account': 'account_no' };
const SUPPORTED = new Set(['person-name', 'birthday', 'passport', 'bank-account']); // what values alone cannot prove

// {values: [{label, value}], columns: [{name, label, telling, values}]}: label null of what is nothing.
export function corpus(seed = 20261126, each = 1000) {
  const r = new Random(seed), values = [], columns = [];
  for (const [label, make] of Object.entries(KINDS)) if (!SUPPORTED.has(label)) for (let i = 0; i < each; i++) values.push({ label, value: make(r) });
  for (const [like, make] of Object.entries(LOOK_ALIKES)) for (let i = 0; i < each; i++) values.push({ label: null, like, value: make(r) });
  for (const label of ['id-card', 'bank-card', 'mobile', 'email']) { // in running text
    for (let i = 0; i < each / 4; i++) values.push({ label, text: true, value: `${r.of(['请联系', '备注：', 'see '])}${KINDS[label](r)}${r.of(['，谢谢', ' ok', '。'])}` });
  }
  let n = 0;
  for (const [label, make] of Object.entries(KINDS)) {
    for (let k = 0; k < 12; k++) {
      const telling = SUPPORTED.has(label) || k % 2 === 0, noise = k % 4; // up to 3 in 10 values are something else
      const other = r.of(Object.values(LOOK_ALIKES));
      columns.push({ name: telling ? `${TELLING[label]}` : `c${n++}`, label, telling, values: Array.from({ length: 100 }, () => (r.below(10) < noise ? other(r) : make(r))) });
    }
  }
  const misleading = ['order_no', 'serial_no', 'remark', 'product_name', 'company_name', 'created_at', 'status', 'amount'];
  for (const [like, make] of Object.entries(LOOK_ALIKES)) {
    for (let k = 0; k < 6; k++) columns.push({ name: k % 2 ? r.of(misleading) : `c${n++}`, label: null, like, telling: false, values: Array.from({ length: 100 }, () => make(r)) });
  }
  return { values, columns };
}
