import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NodeAgent, type RunningCommand } from '../../../pipelines/nodes/agent.js';
import { describeWith } from '../../support/tools.js';

const program = fileURLToPath(new URL('../../../recipes/debian/node-tools/node-agent', import.meta.url));

describeWith(['perl'], "a node's agent", () => {
  let child: ChildProcess;
  let line: Duplex;
  let agent: NodeAgent;

  // What Node calls a pipe is a socket: both ways in one, as the agent wants it. Only of standard input it reads nothing.
  function startAgent(): ChildProcess {
    const started = spawn('sh', ['-c', 'exec perl "$0" - <&3 >&3 3<&-', program], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    });
    line = started.stdio[3] as Duplex;
    return started;
  }

  beforeEach(async () => {
    child = startAgent();
    agent = new NodeAgent('node1', line, line);
    expect(await agent.whenThere(5000)).toBe(true);
  });
  afterEach(() => {
    agent.close();
    child.kill('SIGKILL');
  });

  interface Ran {
    readonly running: RunningCommand;
    readonly output: () => Buffer;
    readonly errors: () => string;
    taken: number;
  }

  function run(...command: string[]): Ran {
    const chunks: { stream: 1 | 2; bytes: Buffer }[] = [];
    const ran: Ran = {
      running: agent.run(command, {
        onOutput: (stream, bytes, taken) => {
          chunks.push({ stream, bytes: Buffer.from(bytes) });
          taken();
        },
        onTaken: (bytes) => {
          ran.taken += bytes;
        },
      }),
      output: () => Buffer.concat(chunks.filter(({ stream }) => stream === 1).map(({ bytes }) => bytes)),
      errors: () =>
        Buffer.concat(chunks.filter(({ stream }) => stream === 2).map(({ bytes }) => bytes)).toString(),
      taken: 0,
    };
    return ran;
  }

  test('keeps output, errors and exit codes apart', async () => {
    const { running, output, errors } = run('sh', '-c', 'echo out; echo err >&2; exit 7');
    running.endInput();
    expect(await running.end).toEqual({ kind: 'exit', code: 7 });
    expect(output().toString()).toBe('out\n');
    expect(errors()).toBe('err\n');
  });

  test('hands arguments over as they are', async () => {
    const words = ['a  b', '$HOME', "it's", '', 'ü\n'];
    const { running, output } = run('printf', '[%s]', ...words);
    expect(await running.end).toEqual({ kind: 'exit', code: 0 });
    expect(output().toString()).toBe(words.map((word) => `[${word}]`).join(''));
  });

  test('takes and gives megabytes of anything', async () => {
    const bytes = randomBytes(3_000_000);
    const { running, output } = run('cat');
    await feed(running, bytes);
    expect(await running.end).toEqual({ kind: 'exit', code: 0 });
    expect(output().equals(bytes)).toBe(true);
  });

  /** Gives input as far as it may be under way: this command's output is its input, so what came back was taken. */
  async function feed(running: RunningCommand, bytes: Buffer): Promise<void> {
    for (let offset = 0; offset < bytes.length; offset += 16_384) {
      running.input(bytes.subarray(offset, offset + 16_384));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    running.endInput();
  }

  test('tells how much input was taken', async () => {
    const ran = run('sh', '-c', 'cat > /dev/null');
    ran.running.input(Buffer.alloc(5000));
    ran.running.endInput();
    await ran.running.end;
    expect(ran.taken).toBe(5000);
  });

  test('one that is not read holds up nobody else', async () => {
    const untaken: (() => void)[] = [];
    let received = 0;
    const slow = agent.run(['sh', '-c', 'head -c 1000000 /dev/zero'], {
      onOutput: (_, bytes, taken) => {
        received += bytes.length;
        untaken.push(taken);
      },
    });
    const deaf = run('sleep', '100');
    deaf.running.input(Buffer.alloc(200_000));
    for (let round = 0; round < 20; round++)
      expect(await run('true').running.end).toEqual({ kind: 'exit', code: 0 });
    // No more than the window is under way.
    expect(received).toBe(65_536);
    const taking = setInterval(() => {
      for (const taken of untaken.splice(0)) taken();
    }, 1);
    expect(await slow.end).toEqual({ kind: 'exit', code: 0 });
    clearInterval(taking);
    expect(received).toBe(1_000_000);
    deaf.running.signal('KILL');
    expect(await deaf.running.end).toEqual({ kind: 'signal', number: 9 });
  });

  test('many at once', async () => {
    const all = Array.from({ length: 30 }, (_, index) =>
      run('sh', '-c', `sleep 0.1; echo ${index}; exit ${index}`),
    );
    for (const [index, { running, output }] of all.entries()) {
      expect(await running.end).toEqual({ kind: 'exit', code: index });
      expect(output().toString()).toBe(`${index}\n`);
    }
  });

  test('a signal is for all processes of a command', async () => {
    const { running } = run('sh', '-c', 'sleep 100 & sleep 100');
    await new Promise((resolve) => setTimeout(resolve, 100));
    running.signal('TERM');
    expect(await running.end).toEqual({ kind: 'signal', number: 15 });
  });

  test('a program that is not there', async () => {
    await expect(run('/no/such/program').running.end).rejects.toThrow(
      'node1: /no/such/program: No such file or directory',
    );
    await expect(run('').running.end).rejects.toThrow('node1');
    expect(await run('true').running.end).toEqual({ kind: 'exit', code: 0 });
  });

  test('what a command leaves running does not hold it up', async () => {
    const start = performance.now();
    const { running, output } = run('sh', '-c', 'sleep 3 & echo done');
    expect(await running.end).toEqual({ kind: 'exit', code: 0 });
    expect(output().toString()).toBe('done\n');
    expect(performance.now() - start).toBeLessThan(2500);
  });

  test('commands that are too long, or hold a NUL, are refused', async () => {
    expect(() => run('true', 'x'.repeat(200_000))).toThrow('the command is too long');
    expect(() => run('true', 'a\0b')).toThrow('a NUL character');
    const long = run('sh', '-c', 'printf %s "$1" | wc -c', 'sh', 'x'.repeat(100_000));
    expect(await long.running.end).toEqual({ kind: 'exit', code: 0 });
    expect(long.output().toString().trim()).toBe('100000');
  });

  test('something else on the line is passed over', async () => {
    line.write('kernel: something\n\x1e\x53\x1e\x1eR');
    expect(await run('true').running.end).toEqual({ kind: 'exit', code: 0 });
  });

  test('commands end with the node', async () => {
    const { running } = run('sleep', '100');
    agent.close();
    await expect(running.end).rejects.toThrow('node1: the node ended');
    expect(agent.isThere).toBe(false);
    expect(await agent.whenThere(10)).toBe(false);
    expect(() => run('true')).toThrow('its agent does not answer');
  });
});
