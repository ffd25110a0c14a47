/** Names that one bank has had, or is written by. */
const ALIASES: readonly (readonly [RegExp, string])[] = [
  [/广东发展银行/g, "广发银行"],
  [/上海浦东发展银行|浦东发展银行/g, "浦发银行"],
  [/深圳发展银行/g, "平安银行"],
  [/邮政储蓄|邮储/g, "邮储"],
];
const LEGAL_FORM = /股份有限公司|有限责任公司|有限公司|信用卡中心|\(.*?\)|（.*?）|[\s·]/g;
const GENERIC = /中国|银行|商业|农村|合作|信用社|联合社|联社|农商|农信|[市省行]/g;

/**
 * Whether two names can mean the same bank. Says no only when both name a bank and have nothing in common, since a
 * vendor may write the short name, the legal name, or one that the bank has had.
 */
export function isSameBank(one: string, other: string): boolean {
  const a = core(one);
  const b = core(other);
  if (a === "" || b === "") return true;
  return a.includes(b) || b.includes(a) || a.slice(0, 2) === b.slice(0, 2);
}

function core(name: string): string {
  let text = name.normalize("NFKC").replace(LEGAL_FORM, "");
  for (const [pattern, replacement] of ALIASES) text = text.replace(pattern, replacement);
  return text.replace(GENERIC, "");
}
