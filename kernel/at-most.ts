/** So many entries of an `LRUCache`. Told by `max`, it sets aside room for all of them when it is made: 50 ms and 10 MiB at the start of a gateway. */
export function atMost(entries: number): { maxSize: number; sizeCalculation: () => number } {
  return { maxSize: entries, sizeCalculation: () => 1 }
}
