/** What processes of the sample could have said. `#` stands for a number. */
const events = [
  ['kernel', 'eth0: # packets since the last look'],
  ['kernel', 'VFS: busy inodes on a changed medium: #'],
  ['crond', '(root) CMD (run-parts /etc/cron.hourly)'],
  ['sshd', 'accepted a key of guest from 192.168.50.#'],
  ['sshd', 'session closed for user guest'],
  ['named', 'cache of # names, nothing to do'],
  ['sendmail', 'alias database is up to date'],
  ['httpd', 'served # pages'],
  ['squid', 'kept # objects, dropped none'],
  ['ntpd', 'offset of # microseconds'],
  ['smb', 'browser list has # hosts'],
  ['innd', '# articles, no space wasted'],
] as const;

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Numbers that are the same on every computer: a multiplicative generator modulo 2^31 - 1 (Park and Miller, 1988). */
function* numbers(): Generator<number, never> {
  for (let state = 20_011_018; ; state = (state * 48_271) % 2_147_483_647) yield state;
}

/** A log of so many lines in syslog's form, the last of them at `end`, in seconds since 1970. */
export function madeUpLog(lines: number, end: number): string {
  const random = numbers();
  const below = (limit: number): number => Math.floor(random.next().value / 64) % limit;
  const written: string[] = [];
  // Written from the last line to the first.
  let time = end;
  for (let line = 0; line < lines; line++) {
    const [name, message] = events[below(events.length)] ?? events[0];
    const date = new Date(time * 1000);
    const clock = date.toISOString().slice(11, 19);
    const day = `${date.getUTCDate()}`.padStart(2);
    written.push(
      `${months[date.getUTCMonth()]} ${day} ${clock} sample ${name}: ${message.replace('#', () => `${below(200)}`)}\n`,
    );
    time -= below(100);
  }
  return written.reverse().join('');
}
