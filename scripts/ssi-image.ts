#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { ExitCode, runCommand } from './command-line/run.js';
import { packageVersion } from './command-line/version.js';

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
  recipeCommands(verb, finish);
  cacheCommands(program, finish);
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

const SET = [
  '--set <KEY=VALUE>',
  'set a variable or a key of the recipe (repeatable)',
  collect,
  [] as string[],
] as const;
const CACHE_DIR = [
  '--cache-dir <DIR>',
  'folder of the cache (default: SSI_IMAGES_CACHE, or ~/.cache/ssi-images)',
] as const;
const OUT = ['--out <DIR>', 'output folder (default: out/NAME)'] as const;

/** What verbs take that build all of a recipe. */
function withBuildOptions(command: Command): Command {
  return command
    .option(...OUT)
    .option(...SET)
    .option('--jobs <N>', 'stages that run at once (default: one for each processor)')
    .option(...CACHE_DIR)
    .option('--no-cache', 'neither use nor keep results of stages')
    .option('--remote-cache <URL|DIR>', 'a cache for what this one lacks (default: SSI_IMAGES_REMOTE_CACHE)')
    .option(
      '--remote-mode <MODE>',
      'read, write or readwrite (default: SSI_IMAGES_REMOTE_MODE, or readwrite)',
    )
    .option('--remote-patience <SECONDS>', 'how much of the time of the build it may cost (default: 25)')
    .option('--offline', 'use no network: fetch nothing that is not here')
    .option('--locked', 'a Debian base has to come out with the packages that DIR/manifest.json records')
    .option('--keep-work', 'leave the work folders of the stages that run');
}

/** The verbs that take a recipe. */
function recipeCommands(
  verb: (usage: string, description: string) => Command,
  finish: (code: number) => void,
): void {
  withBuildOptions(
    verb('build <RECIPE>', 'build the images of a recipe; RECIPE is a name (see "recipes") or a path'),
  )
    .option('--until <STAGE>', 'stop after a stage; what is made by then goes to DIR.until-STAGE')
    .option('--only <STAGE>', 'run one stage, on results that the cache has')
    .option('--rerun <STAGE>', 'run a stage though its result is known (repeatable)', collect, [] as string[])
    .option('--check', 'build twice, in different surroundings, and compare')
    .option('--backend <NAME>', "native (default), or host: the HOWTO's own commands, as root")
    .option('--dry-run', 'print the shell script that --backend host runs, and do nothing')
    .option('--mount-point <DIR>', 'with --backend host: where the root is mounted (default: /mnt)')
    .option('--host-tools <DIR>', 'with --backend host: a folder of programs to look into first')
    .option('--summary <FILE>', 'append a table of the stages to a file, in Markdown')
    .option('--junit <FILE>', 'write the stages as JUnit XML')
    .option('--json', 'events on standard error and the result on standard output as JSON')
    .action(async (recipe, options) =>
      finish(await (await import('./verbs/build.js')).build(recipe, options)),
    );
  withBuildOptions(
    verb(
      'test <RECIPE>',
      "build a recipe, boot a cluster of it, run the recipe's tests in the nodes, stop it",
    ),
  )
    .option('--nodes <N>', 'boot nodes 1 to N (default: all that the recipe has)')
    .option('--mem <SIZE>', 'memory of each node', '256MiB')
    .option('--timeout <SECONDS>', 'how long a node may take to be ready', '120')
    .option('--stop-timeout <SECONDS>', 'how long a node may take to shut down before it is ended', '30')
    .option(
      '--append <WORD>',
      "add a word to the kernels' command lines (repeatable)",
      collect,
      [] as string[],
    )
    .option('--logs <DIR>', 'copy the consoles there (default: to OUT.test-logs, when something fails)')
    .option('--keep', 'leave the cluster running when something fails')
    .option('--summary <FILE>', 'as build has it')
    .option('--junit <FILE>', 'write the checks as JUnit XML')
    .action(async (recipe, options) => finish(await (await import('./verbs/test.js')).test(recipe, options)));
  verb(
    'plan <RECIPE>',
    'what a build would do: stages, hit or miss, size, what is missing here; runs nothing',
  )
    .option(...OUT)
    .option(...SET)
    .option('--rerun <STAGE>', 'as build has it (repeatable)', collect, [] as string[])
    .option(...CACHE_DIR)
    .option('--offline', 'as build has it')
    .option('--json', 'as JSON')
    .action(async (recipe, options) => finish(await (await import('./verbs/plan.js')).plan(recipe, options)));
  verb('explain <RECIPE> [STAGE]', 'why a stage hits or misses, field by field against the nearest entry')
    .option(...SET)
    .option(...CACHE_DIR)
    .option('--json', 'as JSON')
    .action(async (recipe, stage, options) =>
      finish(await (await import('./verbs/explain.js')).explain(recipe, stage, options)),
    );
  verb('check <RECIPE...>', 'validate recipes: every error at once; nothing is fetched or written')
    .option(...SET)
    .action(async (recipes, options) =>
      finish(await (await import('./verbs/check.js')).check(recipes, options)),
    );
  verb('doctor [RECIPE]', 'what this host has and lacks; exit 1 when RECIPE needs what is missing')
    .option(...SET)
    .option('--backend <NAME>', 'native (default) or host')
    .option('--mount-point <DIR>', 'as build has it')
    .option('--host-tools <DIR>', 'as build has it')
    .option('--out <DIR>', 'as build has it')
    .option('--cache-dir <DIR>', 'as build has it')
    .option('--clean', 'take away what host builds left that were killed')
    .option('--json', 'as JSON')
    .action(async (recipe, options) =>
      finish(await (await import('./verbs/doctor.js')).doctor(recipe, options)),
    );
  verb(
    'edit-root <RECIPE> <ROOT>',
    'do to a mounted root what the HOWTO leaves to an editor: files, inittab, network scripts',
  )
    .option(...SET)
    .action(async (recipe, root, options) =>
      finish(await (await import('./verbs/edit-root.js')).editRoot(recipe, root, options)),
    );
  verb('schema', 'the JSON Schema of a recipe, for editors').action(async () =>
    finish(await (await import('./verbs/schema.js')).schema()),
  );
  verb('recipes', 'list the recipes that can be called by their names')
    .option('--json', 'one JSON object a line')
    .action(async (options) => finish(await (await import('./verbs/recipes.js')).recipes(options)));
}

function cacheCommands(program: Command, finish: (code: number) => void): void {
  const cache = program.command('cache').description('look after the cache of stages').exitOverride();
  const verb = (usage: string, description: string): Command =>
    cache
      .command(usage)
      .description(description)
      .exitOverride()
      .option(...CACHE_DIR);
  verb('ls', 'list its entries, the latest used first')
    .option('--json', 'one JSON object a line')
    .action(async (options) => finish(await (await import('./verbs/cache.js')).cacheLs(options)));
  verb('du', 'what it takes on the disk, by recipe and stage')
    .option('--json', 'as JSON')
    .action(async (options) => finish(await (await import('./verbs/cache.js')).cacheDu(options)));
  verb('prune', 'remove what was not used for longest, what nothing refers to, and what was damaged')
    .option('--max-size <SIZE>', 'what may stay, such as 10GiB')
    .option('--max-age <AGE>', 'entries not used for so long go, such as 30d, 12h')
    .option('--all', 'everything goes')
    .option('--dry-run', 'only say what would go')
    .action(async (options) => finish(await (await import('./verbs/cache.js')).cachePrune(options)));
  verb('pin <ENTRY...>', 'keep entries when it is pruned; ENTRY is a key, RECIPE or RECIPE/STAGE').action(
    async (entries, options) =>
      finish(await (await import('./verbs/cache.js')).cachePin(entries, options, true)),
  );
  verb('unpin <ENTRY...>', 'let them go again').action(async (entries, options) =>
    finish(await (await import('./verbs/cache.js')).cachePin(entries, options, false)),
  );
  verb('export <FILE|DIR>', 'write entries to one archive; in a DIR its name says what it holds')
    .option('--used <MANIFEST>', 'only what that build used (repeatable)', collect, [] as string[])
    .option('--json', 'as JSON')
    .action(async (file, options) =>
      finish(await (await import('./verbs/cache.js')).cacheExport(file, options)),
    );
  verb('import <FILE...>', 'take the entries of archives, checked')
    .option('--json', 'one JSON object a line')
    .action(async (files, options) =>
      finish(await (await import('./verbs/cache.js')).cacheImport(files, options)),
    );
  verb('verify', 'read everything and compare it with its digest; what is damaged is put aside')
    .option('--json', 'as JSON')
    .action(async (options) => finish(await (await import('./verbs/cache.js')).cacheVerify(options)));
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
