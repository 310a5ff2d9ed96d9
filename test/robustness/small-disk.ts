import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOMY = 'size=2g,nr_inodes=1000000';

const mounted = new Set<SmallDisk>();

/** Unmounts what is still mounted: for a program that ends before its trials do. */
export function unmountDisks(): void {
  for (const disk of mounted) disk.remove();
}

/** What this host or user lacks for a small filesystem; undefined when nothing. */
export function missingForDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'ssi-images-mount-'));
  try {
    new SmallDisk(folder).remove();
    return undefined;
  } catch {
    return 'the right to mount a filesystem in memory (root)';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A filesystem in memory whose room can be changed. */
export class SmallDisk {
  /** Mounts one with much room at a folder, which is made if need be. */
  constructor(readonly folder: string) {
    mkdirSync(folder, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', ROOMY, 'ssi-images', folder], { stdio: 'pipe' });
    mounted.add(this);
  }

  /** What is taken. */
  get used(): { bytes: number; files: number } {
    const { blocks, bfree, bsize, files, ffree } = statfsSync(this.folder);
    return { bytes: (blocks - bfree) * bsize, files: files - ffree };
  }

  /** Leaves so many bytes, or so many files, besides what is taken. */
  leave(what: 'bytes' | 'files', count: number): void {
    const { bytes, files } = this.used;
    this.remount(what === 'bytes' ? `size=${bytes + count}` : `nr_inodes=${files + count}`);
  }

  makeRoomy(): void {
    this.remount(ROOMY);
  }

  remove(): void {
    execFileSync('umount', ['-l', this.folder]);
    mounted.delete(this);
  }

  private remount(options: string): void {
    execFileSync('mount', ['-o', `remount,${options}`, this.folder], { stdio: 'pipe' });
  }
}
