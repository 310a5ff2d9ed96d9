export function compileBlockDecoder(dist: string): Promise<void>;
export function compileForSources(): Promise<void>;
export function compile(entry: string, target: string): Promise<void>;
