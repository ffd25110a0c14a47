/** Names that banks had, and what people call them for short: old archives and vendors use either. */
const OTHER_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^(中国)?工行$/, "工商银行"],
  [/^(中国)?农行$/, "农业银行"],
  [/^(中国)?建行$/, "建设银行"],
  [/^(中国银行|中行)$/, "中国"],
  [/^交行$/, "交通银行"],
  [/^招行$/, "招商银行"],
  [/邮政储蓄/, "邮储"],
  [/广东发展银行/, "广发银行"],
  [/(上海)?浦东发展银行/, "浦发银行"],
  [/深圳发展银行|深圳市?商业银行/, "平安银行"],
  [/武汉市?商业银行/, "汉口银行"],
  [/沈阳市?商业银行/, "盛京银行"],
  [/济南市?商业银行/, "齐鲁银行"],
  [/太原市?商业银行/, "晋商银行"],
  [/淄博市?商业银行/, "齐商银行"],
  [/昆明市?商业银行/, "富滇银行"],
  [/长春市?商业银行/, "吉林银行"],
  [/合肥市?商业银行/, "徽商银行"],
  [/福州市?商业银行/, "海峡银行"],
  [/南充市?商业银行/, "天府银行"],
  [/呼和浩特市?商业银行/, "内蒙古银行"],
  [/南昌银行/, "江西银行"],
  [/华融湘江银行/, "湖南银行"],
];
const LEGAL_FORM = /股份有限公司|有限责任公司|有限公司|\(.*?\)|[\s·]/g;
/** What stands behind a bank's name and is only a part of it. */
const PART = /(?<=银行).*?(分行|支行|营业部|中心)$/;
const RURAL = /农村商业|农商|农村合作|农合|农村信用|农信|信合|信用社|信用联社/;
const VILLAGE = /村镇/;
const GENERIC =
  /中国(?=.)|银行|商业|商行|农村|合作|信用|村镇|农商|农合|农信|信合|联合社|联社|社|行$|[市省]|(壮族|回族|维吾尔)?自治区/g;
const PROVINCE =
  /^(河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|陕西|甘肃|青海|内蒙古|广西|西藏|宁夏|新疆)$/;

interface BankName {
  /** What is left without the words that many banks share. */
  readonly core: string;
  /** Beijing's bank and Beijing's rural bank share nothing but the town. */
  readonly kind: "rural" | "village" | "other";
}

/**
 * Whether two names can mean the same bank. A vendor may write the short name, the legal name, or one that the bank has
 * had; where a name says too little to tell, they can.
 */
export function isSameBank(one: string, other: string): boolean {
  const [a, b] = [parseName(one), parseName(other)];
  if (!/\p{Script=Han}/u.test(a.core) || !/\p{Script=Han}/u.test(b.core)) return true;
  if (a.kind !== b.kind) return false;
  // A place in front of the name may be left out.
  if (a.core.endsWith(b.core) || b.core.endsWith(a.core)) return true;
  // The rural banks of a province issue under the prefixes of its union.
  return a.kind === "rural" && PROVINCE.test(a.core) !== PROVINCE.test(b.core);
}

function parseName(name: string): BankName {
  let text = name.normalize("NFKC").replace(LEGAL_FORM, "").replace(PART, "");
  for (const [pattern, replacement] of OTHER_NAMES) text = text.replace(pattern, replacement);
  const kind = VILLAGE.test(text) ? "village" : RURAL.test(text) ? "rural" : "other";
  return { core: text.replace(GENERIC, ""), kind };
}
