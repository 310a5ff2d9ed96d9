import { stateAt } from '../bitmap.js';
import type { ResourceIndexRecord } from '../resource-group.js';
import { Claim, type ClaimValue } from './claims.js';
import type { CheckContext } from './context.js';

/** What the states of a dialect's bitmaps stand for. */
export interface StateRules {
  /** What each of the four states is called. */
  readonly names: readonly [string, string, string, string];
  /** Whether a block of this state may be claimed so. */
  agree(state: number, claim: ClaimValue): boolean;
  /** Looks at a block that is not simply free. True when it is to be taken as good whatever `agree` says. */
  excuses?(block: number, state: number, claim: ClaimValue): boolean;
}

/** Blocks that have the same wrong state for what they hold. */
interface WrongRun {
  readonly state: number;
  readonly claim: ClaimValue;
  readonly first: number;
  count: number;
}

const PIECE_BLOCKS = 65536;

/** Compares each block's state with its claim; neighbours that are wrong in the same way are one fault. */
export class BitmapComparison {
  readonly states: [number, number, number, number] = [0, 0, 0, 0];
  readonly claimed: Record<ClaimValue, number> = { 0: 0, 1: 0, 2: 0, 3: 0, 4: 0 };
  private wrong: WrongRun | undefined;

  constructor(
    private readonly context: CheckContext,
    private readonly group: ResourceIndexRecord,
    private readonly bitmap: Buffer,
    private readonly rules: StateRules,
  ) {}

  async run(): Promise<void> {
    const { pace } = this.context;
    for (let from = 0; from < this.group.data; from += PIECE_BLOCKS) {
      if (pace.due()) await pace.breathe();
      this.compare(from, Math.min(this.group.data, from + PIECE_BLOCKS));
    }
    this.report();
  }

  private compare(from: number, to: number): void {
    const { context, group, bitmap, states, claimed } = this;
    for (let index = from; index < to; index++) {
      const block = group.firstData + index;
      const state = stateAt(bitmap, index) as 0 | 1 | 2 | 3;
      const claim = context.claims.get(block);
      states[state] += 1;
      claimed[claim] += 1;
      // State 0 is free in every dialect.
      if (state === 0 && claim === Claim.none) {
        if (this.wrong !== undefined) this.report();
      } else this.judge(block, state, claim);
    }
  }

  private judge(block: number, state: number, claim: ClaimValue): void {
    const { wrong, rules } = this;
    const excused = rules.excuses?.(block, state, claim) ?? false;
    if (excused || rules.agree(state, claim)) this.report();
    else if (wrong?.state === state && wrong.claim === claim && wrong.first + wrong.count === block)
      wrong.count += 1;
    else {
      this.report();
      this.wrong = { state, claim, first: block, count: 1 };
    }
  }

  private report(): void {
    const { wrong } = this;
    if (wrong === undefined) return;
    this.wrong = undefined;
    const { state, claim, first, count } = wrong;
    const one = count === 1;
    const marked = `${one ? 'this block is' : `blocks ${first}..${first + count - 1} are`} marked as ${this.rules.names[state]}`;
    if (claim === Claim.none) {
      this.context.faults.add('block-leak', first, `${marked}, and nothing refers to ${one ? 'it' : 'them'}`);
    } else {
      const holds = one ? 'holds' : 'hold';
      this.context.faults.add('block-state', first, `${marked}, but ${holds} ${claimNames[claim]}`);
    }
  }
}

const claimNames = ['nothing', 'data', 'metadata', 'a dinode', 'an unused dinode'] as const;
