/** The wall clock. Signatures and token lifetimes are measured with it. */
export interface Clock {
  /** @unit milliseconds since 1970 */
  now(): number;
}
