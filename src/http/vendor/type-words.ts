import type { CardType } from "../../domain/iin.js";

/** The words of Huawei's page for our types of card; what is not known is empty there. */
export const TYPE_WORDS: Readonly<Record<CardType, string>> = {
  debit: "借记卡",
  credit: "信用卡",
  "semi-credit": "准贷记卡",
  prepaid: "预付费卡",
  unknown: "",
};
