/** What owns a block. */
export const Claim = { none: 0, data: 1, metadata: 2, dinode: 3, unusedDinode: 4 } as const;
export type ClaimValue = (typeof Claim)[keyof typeof Claim];

const CHUNK_BLOCKS = 65536;

/** Who claims each block: a byte a block, in chunks that are made when something in them is claimed. */
export class Claims {
  private readonly chunks = new Map<number, Uint8Array>();

  get(block: number): ClaimValue {
    const chunk = this.chunks.get(Math.floor(block / CHUNK_BLOCKS));
    return (chunk?.[block % CHUNK_BLOCKS] ?? Claim.none) as ClaimValue;
  }

  set(block: number, claim: ClaimValue): void {
    const number = Math.floor(block / CHUNK_BLOCKS);
    let chunk = this.chunks.get(number);
    if (chunk === undefined) {
      chunk = new Uint8Array(CHUNK_BLOCKS);
      this.chunks.set(number, chunk);
    }
    chunk[block % CHUNK_BLOCKS] = claim;
  }
}
