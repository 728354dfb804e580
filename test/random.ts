// Choices that a seed decides.

import { seededRandom } from '../src/bad-link.ts';

/** A number of 0 up to and without `below`. */
export type Random = (below: number) => number;

export function randomFrom(seed: number): Random {
  const random = seededRandom(seed);
  return (below) => random() * below;
}
