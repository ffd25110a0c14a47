/** The vendors' words for our types of card. */
export const TYPE_WORDS: Readonly<Record<string, string>> = {
  debit: "借记卡",
  credit: "信用卡",
  "semi-credit": "准贷记卡",
  prepaid: "预付费卡",
};
