/**
 * Whether the last digit is the check digit of the others (ISO/IEC 7812-1, Annex B).
 * @param digits decimal digits only; an empty string is not valid
 */
export function isLuhnValid(digits: string): boolean {
  if (digits === "") return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
