/** How a command ended; of several reasons the one that comes first in the list counts. */
export const EXIT = {
  interrupted: 130,
  providerUnavailable: 5,
  budget: 4,
  configuration: 3,
  usage: 2,
  someFailed: 1,
  ok: 0,
} as const;
