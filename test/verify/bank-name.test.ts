import { describe, expect, test } from "vitest";
import { BANK_NAMES } from "../../src/domain/iin-table.js";
import { isSameBank } from "../../src/verify/bank-name.js";

const LISTED = BANK_NAMES.trim()
  .split("\n")
  .map((line) => line.slice(line.indexOf(" ") + 1));

describe("isSameBank", () => {
  test.each([
    ["short and legal", "招商银行", "招商银行股份有限公司"],
    ["short and legal", "中国工商银行", "工商银行"],
    ["what people say", "工行", "中国工商银行股份有限公司"],
    ["what people say", "中行", "中国银行"],
    ["what people say", "建行", "中国建设银行"],
    ["with a number behind it", "招商银行(03080000)", "招商银行"],
    ["a branch", "交通银行香港分行", "交通银行"],
    ["its credit card centre", "中国民生银行信用卡中心", "民生银行"],
    ["a country in brackets", "汇丰银行（中国）有限公司", "汇丰银行"],
    ["two ways to write the savings bank", "中国邮政储蓄银行有限责任公司", "邮储银行"],
    ["an old name", "上海浦东发展银行", "浦发银行"],
    ["an old name", "广东发展银行股份有限公司", "广发银行"],
    ["an old name", "深圳发展银行", "平安银行股份有限公司"],
    ["an old name", "武汉市商业银行", "汉口银行"],
    ["an old name", "南昌银行", "江西银行"],
    ["a town's bank before and after", "贵阳市商业银行", "贵阳银行股份有限公司"],
    ["a province left out", "浙江泰隆商业银行", "泰隆银行"],
    ["ways to write a rural bank", "北京农商银行", "北京农村商业银行股份有限公司"],
    ["ways to write a rural bank", "湖南农村信用社联合社", "湖南省农村信用社"],
    ["a rural bank and the union it issues for", "萧山农商银行", "浙江省农村信用社联合社"],
    ["spaces and widths", " 招 商 银 行 ", "招商银行"],
    ["nothing to go by", "银行", "招商银行"],
    ["another script", "China Merchants Bank", "招商银行"],
    ["nothing at all", "", "招商银行"],
  ])("%s: %s is %s", (_, one, other) => {
    expect(isSameBank(one, other)).toBe(true);
    expect(isSameBank(other, one)).toBe(true);
  });

  test.each([
    ["招商银行", "中国工商银行"],
    ["中国银行", "招商银行"],
    ["中行", "中信银行"],
    ["中国银行", "中国农业银行"],
    ["北京银行", "北京农村商业银行"],
    ["上海银行", "上海浦东发展银行"],
    ["浙江泰隆商业银行", "浙江稠州商业银行"],
    ["宁波银行", "宁波通商银行"],
    ["江苏银行", "江苏江阴农村商业银行"],
    ["深圳农村商业银行", "深圳发展银行"],
    ["湖南省农村信用社", "湖北省农村信用社"],
    ["新华村镇银行", "新华银行"],
    ["兴业银行", "中国光大银行"],
  ])("%s is not %s", (one, other) => {
    expect(isSameBank(one, other)).toBe(false);
    expect(isSameBank(other, one)).toBe(false);
  });

  test("every listed bank is itself, also by its legal name", () => {
    for (const name of LISTED) {
      expect(isSameBank(name, name), name).toBe(true);
      expect(isSameBank(name, `${name.replace(/(股份)?有限公司$/, "")}股份有限公司`), name).toBe(true);
    }
  });

  test("few listed banks pass for another", () => {
    const named = LISTED.filter((name) => /^\p{Script=Han}+$/u.test(name) && !/农村|农商|农信|信合/.test(name));
    const pairs = named.flatMap((one, i) => named.slice(i + 1).filter((other) => isSameBank(one, other)));
    // The same bank listed twice, or with its branch abroad; of some 19,000 pairs.
    expect(pairs.length).toBeLessThan(20);
  });
});
