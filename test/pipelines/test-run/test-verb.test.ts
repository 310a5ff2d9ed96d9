import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { temporaryFolder } from '../../support/temporary.js';
import { TEST_VERB_TOOLS, TestVerb } from '../../support/test-verb.js';
import { describeWith } from '../../support/tools.js';

describeWith(TEST_VERB_TOOLS, 'ssi-image test, with a stand-in for the kernel', () => {
  const verb = new TestVerb(temporaryFolder());
  const junit = join(verb.folder, 'junit.xml');
  const logs = `${verb.out}.test-logs`;

  afterEach(async () => {
    for (const pid of verb.processes()) process.kill(pid, 'SIGKILL');
    rmSync(join(verb.home, '.ssiuml'), { recursive: true, force: true });
    rmSync(logs, { recursive: true, force: true });
    rmSync(junit, { force: true });
  });

  /** What became of each check, without the time and the reason: `ok name (node1)`. */
  const results = (stdout: string): string[] =>
    stdout.split('\n').flatMap((line) => {
      const [, done, skipped] =
        /^((?:ok|failed) .+?) {2}[\d.]+ s(?::|$)|^(skipped .+? \(node\d\)|skipped [^:]+):/.exec(line) ?? [];
      return (done ?? skipped)?.replace(/ +/, ' ') ?? [];
    });

  const readRecord = (): string => readFileSync(join(verb.folder, 'record'), 'utf8');
  const waitFor = async (condition: () => boolean): Promise<void> => {
    for (let tries = 0; !condition() && tries < 500; tries++) await sleep(20);
  };

  test('boots the nodes, runs every test where it belongs, stops, and leaves nothing', async () => {
    verb.write([
      { name: 'a number', run: 'echo $SSI_NODE of $SSI_NODES', node: 2, expect: { output: '2 of 2' } },
      {
        name: 'each node',
        run: 'printf "node\\n%s\\n" $SSI_NODE',
        node: 'all',
        expect: { matches: '^[12]$' },
      },
      { name: 'a code', run: 'exit 7', expect: { code: 7 } },
    ]);
    const { status, stdout, stderr } = await verb.run('test', '--junit', junit);
    expect(results(stdout), stderr).toEqual([
      'ok comes up (node1)',
      'ok comes up (node2)',
      'ok single root: a node makes a file (node1)',
      'ok single root: it is on every other (node2)',
      'ok single root: one of them changes it (node2)',
      'ok single root: all see the change (node1)',
      'ok single root: all see the change (node2)',
      'ok single root: it is removed where it was made (node1)',
      'ok single root: it is gone everywhere (node2)',
      'ok a number (node2)',
      'ok each node (node1)',
      'ok each node (node2)',
      'ok a code (node1)',
      'ok leaves in good order (node1)',
      'ok leaves in good order (node2)',
      'ok the root is in order',
    ]);
    expect(stdout).toMatch(/^small: 16 checks ok, 0 failed \([\d.]+ s\)$/m);
    expect(status).toBe(0);
    expect(await verb.left()).toEqual([]);
    expect(existsSync(logs)).toBe(false);
    const xml = readFileSync(junit, 'utf8');
    expect(xml).toContain('<testsuite name="small" tests="16" failures="0" errors="0" skipped="0"');
    expect(xml).toMatch(/<testcase classname="small" name="each node \(node2\)" time="[\d.]+"\/>/);
  });

  test('no stage depends on the tests', async () => {
    verb.write([{ name: 'one', run: 'true' }]);
    await verb.run('build');
    verb.write([{ name: 'other', run: 'false', node: 'all', timeout: 3 }]);
    const { stdout, stderr, status } = await verb.run('build', '--json');
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ unchanged: true, ran: 0 });
  });

  test('tells what was expected and what came, for people and in XML, and keeps the consoles', async () => {
    verb.write([
      { name: 'a wrong code', run: 'echo why >&2; exit 3' },
      { name: 'a wrong <output>', run: 'printf "\\033[31mred\\n"', expect: { output: 'blue' }, node: 2 },
      { name: 'no match', run: 'echo some; echo lines', expect: { matches: 'line$' } },
      { name: 'a search without end', run: 'printf %40sb | tr " " a', expect: { matches: '^(a+)+$' } },
      { name: 'too much', run: 'yes | head -c 3000000', expect: { output: 'y' } },
      { name: 'a signal', run: 'kill -TERM $$' },
      { name: 'no such program', run: '/no/such/program' },
      { name: 'after all that', run: 'true' },
    ]);
    const { status, stdout } = await verb.run('test', '--nodes', '2', '--junit', junit);
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /^failed {3}a wrong code \(node1\) {2}[\d.]+ s: it ended with exit code 3, not with exit code 0\n +command: echo why >&2; exit 3\n +expected: exit code 0\n +got: exit code 3\n +output: nothing\n +error output: why\n/m,
    );
    expect(stdout).toContain('expected output: blue\n           got output: \\x1b[31mred\n');
    expect(stdout).toMatch(/no match \(node1\) .*: its output does not match\n/);
    expect(stdout).toMatch(/a search without end .*: the search .* takes more than 1 s\n/);
    expect(stdout).toMatch(/too much .*: its output is another one: it was too long to be kept\n/);
    expect(stdout).toMatch(/… \d+ more lines\n/);
    expect(stdout).toMatch(/a signal .*: it ended with signal 15, not with exit code 0\n/);
    expect(stdout).toMatch(/no such program .*: it ended with exit code 127/);
    expect(stdout).toMatch(/^ok +after all that/m);
    expect(stdout).toMatch(/^small: 13 checks ok, 7 failed /m);
    expect(stdout).toContain('The consoles: out.test-logs/node1.log …');
    expect(readFileSync(join(logs, 'node2.log'), 'utf8')).toContain('NODE-READY node2');
    const xml = readFileSync(junit, 'utf8');
    expect(xml).toContain('failures="7"');
    expect(xml).toMatch(
      /name="a wrong &lt;output&gt; \(node2\)" time="[\d.]+"><failure message="its output is another one">[^<]*\\x1b\[31mred<\/failure><system-out>[^<]*NODE-READY node2[^<]*<\/system-out>/,
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there.
    expect(xml).not.toMatch(/[\x00-\x08\x0b-\x1f]/);
    expect(await verb.left()).toEqual([]);
  });

  test('a build that fails is a failure in the report', async () => {
    verb.write([{ name: 'one', run: 'true' }]);
    const { status, stdout, stderr } = await verb.run(
      'test',
      '--junit',
      junit,
      '--set',
      'filesystem.size=20MiB',
    );
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('mkfs.gfs2 failed');
    const xml = readFileSync(junit, 'utf8');
    expect(xml).toContain('<testsuite name="small" tests="1" failures="1"');
    expect(xml).toMatch(/name="build" time="[\d.]+"><failure message="mkfs.gfs2 failed/);
    expect(await verb.left()).toEqual([]);
  });

  test('ends a command when its time is up, and goes on', async () => {
    verb.write([
      { name: 'hangs', run: "trap '' TERM HUP; echo first; sleep 4321 & sleep 4321", timeout: 1 },
      { name: 'is gone', run: '! grep -aqs "sleep.432[1]" /proc/[0-9]*/cmdline' },
    ]);
    const { status, stdout } = await verb.run('test', '--logs', join(verb.folder, 'given'));
    expect(status).toBe(1);
    expect(stdout).toMatch(/hangs \(node1\) {2}1\.\d+ s: no end after 1 s: it was ended\n +output: first\n/);
    expect(results(stdout).filter((line) => !line.startsWith('ok'))).toEqual(['failed hangs (node1)']);
    expect(readdirSync(join(verb.folder, 'given'))).toEqual([
      'node1.log',
      'node2.log',
      'supervisor.log',
      'switch.log',
    ]);
    expect(existsSync(logs)).toBe(false);
    expect(await verb.left()).toEqual([]);
  });

  test('a node that ends in the middle is told, and the others are tested on', async () => {
    verb.write([
      { name: 'crashes', run: 'crash; sleep 2', node: 2 },
      { name: 'later', run: 'true', node: 'all' },
    ]);
    const { status, stdout } = await verb.run('test', '--junit', junit);
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /failed {3}crashes \(node2\) .*: node2: the node ended\n +the last lines of its console:\n(.*\n)*? +NODE-READY node2\n/,
    );
    expect(results(stdout).slice(-6)).toEqual([
      'failed crashes (node2)',
      'ok later (node1)',
      'skipped later (node2)',
      'ok leaves in good order (node1)',
      'failed leaves in good order (node2)',
      'skipped the root is in order',
    ]);
    expect(stdout).toContain('skipped  later (node2): it ended by itself\n');
    expect(await verb.left()).toEqual([]);
  });

  test.each([
    [
      'fails',
      ['standin=failing', 'only=2'],
      /^failed {3}comes up \(node2\) .*: node2 did not come up: no luck today\n(.*\n)*? +NODE-FAILED node2/m,
    ],
    [
      'says nothing',
      ['standin=silent', 'only=2'],
      /^failed {3}comes up \(node2\) .*: node2 did not come up: it is not up after 2 s\n/m,
    ],
  ])(
    'a node that does not come up (%s) is shown with its console, and no test runs',
    async (_name, words, expected) => {
      verb.write([{ name: 'one', run: 'true', node: 'all' }]);
      const append = words.flatMap((word) => ['--append', word]);
      const { status, stdout } = await verb.run('test', '--timeout', '2', '--junit', junit, ...append);
      expect(status).toBe(1);
      expect(stdout).toMatch(expected);
      const rest = results(stdout);
      expect(rest.slice(0, 2)).toEqual(['ok comes up (node1)', 'failed comes up (node2)']);
      expect(rest.slice(-5)).toEqual([
        'skipped one (node1)',
        'skipped one (node2)',
        'ok leaves in good order (node1)',
        'skipped leaves in good order (node2)',
        'skipped the root is in order',
      ]);
      expect(rest.filter((line) => line.startsWith('ok'))).toHaveLength(2);
      expect(readFileSync(junit, 'utf8')).toContain('<skipped message="not all nodes are up"/>');
      expect(await verb.left()).toEqual([]);
    },
  );

  test('a node that does not leave in good order is a failure', async () => {
    verb.write([]);
    const words = ['--append', 'standin=hanging', '--append', 'only=2', '--stop-timeout', '1'];
    const { status, stdout } = await verb.run('test', ...words);
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /^failed {3}leaves in good order \(node2\) .*: it did not shut down in time and was ended\n/m,
    );
    expect(results(stdout).slice(-3)).toEqual([
      'ok leaves in good order (node1)',
      'failed leaves in good order (node2)',
      'skipped the root is in order',
    ]);
    expect(await verb.left()).toEqual([]);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s while a test runs: nothing is left', async (signal) => {
    // For ever, but not longer than the node: a stand-in's commands are processes of the host, with sessions of their own.
    verb.write([{ name: 'long', run: 'while kill -0 $PPID; do sleep 0.1; done' }]);
    const { child, end, said } = verb.start('test', '--junit', junit);
    await waitFor(() => said().includes('it is gone everywhere'));
    await sleep(100);
    child.kill(signal);
    const { status, stdout, stderr } = await end;
    expect(status).toBe(130);
    expect(stderr).toMatch(/\nerror: interrupted\n$/);
    expect(results(stdout).slice(-4)).toEqual([
      'skipped long (node1)',
      'skipped leaves in good order (node1)',
      'skipped leaves in good order (node2)',
      'skipped the root is in order',
    ]);
    expect(readFileSync(junit, 'utf8')).toContain('<skipped message="interrupted"/>');
    expect(await verb.left()).toEqual([]);
  });

  test('SIGTERM while nodes start: nothing is left', async () => {
    verb.write([{ name: 'one', run: 'true' }]);
    writeFileSync(join(verb.folder, 'record'), '');
    const { child, end } = verb.start('test', '--append', 'standin=silent');
    await waitFor(() => readRecord().includes('node=2'));
    child.kill('SIGTERM');
    expect((await end).status).toBe(130);
    expect(await verb.left()).toEqual([]);
  });

  test('killed, the nodes end with it, and the next run removes what it could not', async () => {
    verb.write([{ name: 'long', run: 'sleep 3' }]);
    const { child, end, said } = verb.start('test');
    await waitFor(() => said().includes('it is gone everywhere'));
    child.kill('SIGKILL');
    await end;
    const [name = '', ...others] = verb.clusters();
    expect(others).toEqual([]);
    expect(await verb.left()).toEqual([name]);
    verb.write([]);
    expect((await verb.run('test', '--nodes', '1')).status).toBe(0);
    expect(await verb.left()).toEqual([]);
  });

  test('--keep leaves the cluster running when something fails, and says what its name is', async () => {
    verb.write([{ name: 'wrong', run: 'false' }]);
    const { status, stdout } = await verb.run('test', '--keep');
    expect(status).toBe(1);
    const [name = ''] = verb.clusters();
    expect(stdout).toContain(`npx ssi-stop --name ${name} `);
    expect(results(stdout).at(-1)).toBe('failed wrong (node1)');
    // Another run has one of its own, and lets this one be.
    verb.write([]);
    expect((await verb.run('test', '--keep')).status).toBe(0);
    expect(verb.clusters()).toEqual([name]);
    const exec = verb.cluster('exec', name, '2', 'echo still there');
    expect(exec).toMatchObject({ status: 0, stdout: 'still there\n' });
    expect(verb.cluster('stop', name).status).toBe(0);
    expect((await verb.run('test', '--nodes', '1')).status).toBe(0);
    expect(await verb.left()).toEqual([]);
  });

  test.each([
    ['too many nodes', ['--nodes', '3'], /^error: --nodes 3: the recipe small has 2 nodes\n/m],
    ['no nodes', ['--nodes', '0'], /^error: --nodes 0: /m],
    [
      'no ramdisk',
      ['--set', 'ramdisk=null'],
      /small.yaml:1:1: error: there is no ramdisk, which nodes start from\n/,
    ],
    ['too little memory', ['--mem', '9000GiB'], /^error: 2 nodes of 9216000 MiB need .* of memory/m, 1],
  ])(
    'what can not be tested is said before anything is built: %s',
    async (_name, words, expected, code = 2) => {
      verb.write([]);
      rmSync(verb.out, { recursive: true, force: true });
      const { status, stderr, stdout } = await verb.run('test', '--junit', junit, ...words);
      expect(stderr).toMatch(expected);
      expect({ status, stdout }).toEqual({ status: code, stdout: '' });
      expect(existsSync(verb.out)).toBe(false);
      expect(await verb.left()).toEqual([]);
    },
  );
});
