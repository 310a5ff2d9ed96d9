/** What a cluster tells of while a command is carried out. */
export type ClusterEvent =
  /** Before anything happens to these. */
  | { readonly type: 'begin'; readonly work: 'start' | 'stop'; readonly nodes: readonly string[] }
  | { readonly type: 'node-start'; readonly node: string }
  | { readonly type: 'node-step'; readonly node: string; readonly text: string }
  | { readonly type: 'node-ready'; readonly node: string; readonly milliseconds: number }
  | { readonly type: 'node-failed'; readonly node: string }
  | { readonly type: 'node-leaving'; readonly node: string }
  | {
      readonly type: 'node-ended';
      readonly node: string;
      readonly how: string;
      readonly milliseconds: number;
    }
  | { readonly type: 'copy'; readonly done: number; readonly total: number }
  | { readonly type: 'note'; readonly message: string; readonly hint?: string };

export type ClusterListener = (event: ClusterEvent) => void;
