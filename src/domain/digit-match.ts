/** How the digits that were read compare with those of a label: counts, which tell no digit. */
export interface DigitMatch {
  readonly labelled: number;
  /** Labelled digits that were read, in their order. */
  readonly right: number;
  /** Digits that were read and stand for none of the label's. */
  readonly extra: number;
}
