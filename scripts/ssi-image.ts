#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { ExitCode, runCommand } from './command-line/run.js';

/** Gathers the values of an option that may be given several times. */
function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

const POOL_DEVICE = [
  '--pool-device <IMAGE>',
  'a further device of the same pool (repeatable)',
  collect,
  [] as string[],
] as const;
const DEVICE = [
  '--device <NAME=IMAGE>',
  'the image that stands for a device named in FILE (repeatable)',
  collect,
  [] as string[],
] as const;

/**
 * The table of commands. Each verb's module is loaded when it is called: looking into an image should not wait for
 * code that writes them.
 */
function commands(finish: (code: number) => void): Command {
  const program = new Command('ssi-image');
  program
    .description('Root images, lock tables and ramdisks for clusters of User-Mode Linux nodes, without root.')
    .version(packageVersion())
    .option('--debug', 'show stack traces of errors')
    .showSuggestionAfterError()
    .showHelpAfterError('(see "ssi-image --help")')
    .exitOverride();
  const verb = (usage: string, description: string): Command =>
    program.command(usage).description(description).exitOverride();

  verb('info <IMAGE>', 'what an image is: pool label, filesystem, journals, resource groups, use, lock table')
    .option('--json', 'as JSON')
    .option(...POOL_DEVICE)
    .action(async (image, options) => finish(await (await import('./verbs/info.js')).info(image, options)));
  verb('ls <IMAGE> [PATH]', 'list a directory of an image')
    .option('-R, --recursive', 'with all below it')
    .option('-l, --long', 'with type, mode, links, owner, size and time')
    .option('--json', 'one JSON object a line')
    .option('--digest', 'with the SHA-256 of each file')
    .option(...POOL_DEVICE)
    .action(async (image, path, options) =>
      finish(await (await import('./verbs/ls.js')).ls(image, path ?? '/', options)),
    );
  verb('cat <IMAGE> <PATH>', 'print a file of an image')
    .option(...POOL_DEVICE)
    .action(async (image, path, options) =>
      finish(await (await import('./verbs/cat.js')).cat(image, path, options)),
    );
  verb('stat <IMAGE> <PATH>', 'all that an image says of one file')
    .option('--json', 'as JSON')
    .option(...POOL_DEVICE)
    .action(async (image, path, options) =>
      finish(await (await import('./verbs/stat.js')).stat(image, path, options)),
    );
  verb(
    'extract <IMAGE> <PATH> <DEST>',
    'copy a file or directory out of an image to DEST, which must not exist',
  )
    .option(...POOL_DEVICE)
    .action(async (image, path, destination, options) =>
      finish(await (await import('./verbs/extract.js')).extract(image, path, destination, options)),
    );
  verb('diff <A> <B>', 'what differs between two images, archives or directories; exit 1 when something does')
    .option('--json', 'one JSON object a difference')
    .action(async (a, b, options) => finish(await (await import('./verbs/diff.js')).diff(a, b, options)));
  verb('copy-in <SOURCE> <IMAGE>', 'fill an empty filesystem from a directory, a tar or another image')
    .option(...POOL_DEVICE)
    .action(async (source, image, options) =>
      finish(await (await import('./verbs/copy-in.js')).copyIn(source, image, options)),
    );
  verb('fsck <IMAGE>', 'check an image; exit 4 when there are faults')
    .option('--json', 'as JSON')
    .option(...POOL_DEVICE)
    .action(async (image, options) => finish(await (await import('./verbs/fsck.js')).fsck(image, options)));
  verb('ptool <FILE>', 'write the pool labels that a pool configuration asks for')
    .option(...DEVICE)
    .option('-O, --override', 'write over whatever the devices hold')
    .action(async (file, options) => finish(await (await import('./verbs/ptool.js')).ptool(file, options)));
  verb('pinfo <IMAGE...>', 'show the pool labels of images')
    .option('--json', 'as JSON')
    .action(async (images, options) =>
      finish(await (await import('./verbs/pinfo.js')).pinfo(images, options)),
    );
  verb('gfsconf', 'write a lock table to its cidev')
    .requiredOption('-c <FILE>', 'the lock table configuration')
    .option(...DEVICE)
    .action(async (options) =>
      finish(await (await import('./verbs/gfsconf.js')).gfsconf(options.c, options)),
    );
  mkfsCommand(verb, finish);
  return program;
}

function mkfsCommand(
  verb: (usage: string, description: string) => Command,
  finish: (code: number) => void,
): void {
  verb('mkfs_gfs <IMAGE>', 'make an OpenGFS filesystem on an image')
    .requiredOption('-p, --protocol <PROTO>', 'lock protocol, such as memexp')
    .requiredOption('-t, --table <TABLE>', 'lock table, such as /dev/pool/pool0cidev')
    .requiredOption('-j, --journals <N>', 'number of journals: one for each node')
    .option('-J, --journal-size <MiB>', 'size of a journal (default 128, at least 32)')
    .option('-b, --block-size <BYTES>', 'block size: a power of two from 512 to 65536 (default 4096)')
    .option('-r, --resource-group-size <MiB>', 'size of a resource group (default 256)')
    .option('-s, --segment <BLOCKS>', 'blocks in a journal segment (default 16)')
    .option('-i, --internal', 'journals inside the filesystem, also on a pool with journal subpools')
    .option('-q, --quiet', 'print nothing')
    .option('-X, --expert', 'lower the limits, take any lock protocol')
    .option('-O, --override', 'overwrite whatever the image holds')
    .option('--fs-format <NUMBER>', 'filesystem format number: 1309 (default), or 1308 as in 2002')
    .option('--multihost-format <NUMBER>', 'multihost format number: 1401 (default) or 1400')
    .option('--size <SIZE>', 'make a new image of this size first, such as 2GiB')
    .option('-d, --source <SOURCE>', 'fill it from a directory, a tar or another image, as copy-in does')
    .option(...POOL_DEVICE)
    .action(async (image, options) =>
      finish(await (await import('./verbs/mkfs-gfs.js')).mkfsGfs(image, options)),
    );
}

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

await runCommand(async () => {
  let exitCode: number = ExitCode.done;
  try {
    await commands((code) => {
      exitCode = code;
    }).parseAsync(process.argv);
  } catch (error) {
    // Commander has printed the message; help and version are no errors.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
    throw error;
  }
  return exitCode;
});
