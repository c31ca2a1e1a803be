// SPDX-License-Identifier: Apache-2.0
// Check characters of the identifiers in the demo, so that masks and checks meet real shapes.

const USCC_ALPHABET = '0123456789ABCDEFGHJKLMNPQRTUWXY'; // GB 32100: no I, O, S, V, Z

// GB 32100-2015 section 4.6: weights are powers of 3 modulo 31.
export function usccCheck(first17) {
  let sum = 0;
  let weight = 1;
  for (const ch of first17) {
    sum += USCC_ALPHABET.indexOf(ch) * weight;
    weight = (weight * 3) % 31;
  }
  return USCC_ALPHABET[(31 - (sum % 31)) % 31];
}

// GB 11714: the organisation code inside it, eight digits and a check modulo 11.
export function organisationCode(eightDigits) {
  const weights = [3, 7, 9, 10, 5, 8, 4, 2];
  const sum = weights.reduce((all, w, i) => all + w * Number(eightDigits[i]), 0);
  const rest = 11 - (sum % 11);
  return eightDigits + (rest === 10 ? 'X' : rest === 11 ? '0' : String(rest));
}

// 91 = an enterprise registered with the market regulator.
export function uscc(divisionCode, eightDigits) {
  const first = '91' + divisionCode + organisationCode(eightDigits);
  return first + usccCheck(first);
}

export function luhn(digits) {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const d = Number(digits[digits.length - 1 - i]);
    sum += i % 2 ? d : d * 2 > 9 ? d * 2 - 9 : d * 2;
  }
  return digits + ((10 - (sum % 10)) % 10);
}
