import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const AGENT = fileURLToPath(new URL('../../recipes/debian/node-tools/node-agent', import.meta.url));

/** What the agent gives its commands for a PATH: in a stand-in that is the host's, and must not be. */
const AGENT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Makes a program that stands in for a User-Mode Linux kernel: it behaves on its console and towards the host as a node
 * does, in milliseconds. Commands run on the host, but `shutdown`, `corosync-quorumtool` and `dlm_tool` are its own, and so
 * is `crash`, which ends the node; root's home folder is one that all of them share. Each start is a line in `record`.
 * Words of its command line say how it behaves:
 *
 *   standin=silent        never says anything
 *   standin=failing       says NODE-FAILED and ends
 *   standin=dying         ends in the middle
 *   standin=hanging       comes up, but does not shut down
 *   standin=impatient     joins without waiting for the host
 *   standin=deaf          comes up, but has no agent
 *   standin=flooding      shows more than anybody wants
 *   standin=late          takes a while to become a member
 *   standin=later         takes longer than others wait for it
 *   standin=mounting      takes a while to get locks for the root
 *   standin=fleeting      dies when it has them
 *   only=N                … but only node N does
 */
export function makeStandInKernel(folder: string): { kernel: string; record: string } {
  const kernel = join(folder, 'stand-in-kernel');
  const record = join(folder, 'record');
  const agent = join(folder, 'node-agent');
  const text = readFileSync(AGENT, 'utf8');
  if (!text.includes(`'${AGENT_PATH}'`))
    throw new Error("the agent has another PATH: its shutdown would be the host's");
  const home = join(folder, 'root');
  mkdirSync(home, { recursive: true });
  // The folder of the node that runs it comes first, and no folder with a real shutdown is left.
  const changed = text.replace(`'${AGENT_PATH}'`, `$ENV{STANDIN} . ':/usr/bin:/bin'`);
  writeFileSync(agent, changed.replaceAll(`'/root'`, `'${home}'`));
  writeFileSync(record, '');
  writeFileSync(
    kernel,
    `#!/bin/bash
echo "$*" >> '${record}'
number= folder= cluster= standin= only= umid=
for word; do
  case $word in
    node=*) number=\${word#node=} ;;
    hostfs=*) folder=\${word#hostfs=} ;;
    cluster=*) cluster=\${word#cluster=} ;;
    standin=*) standin=\${word#standin=} ;;
    only=*) only=\${word#only=} ;;
    umid=*) umid=\${word#umid=} ;;
    meet=*) meet=\${word#meet=} ;;
  esac
done
[ -z "$only" ] || [ "$only" = "$number" ] || standin=
if [ "$umid" = lock-server ]; then
  echo "LOCK-SERVER-READY 10.0.0.1"
  exec sleep 1000
fi
case $standin in
  silent) exec sleep 1000 ;;
  failing) echo "NODE-FAILED node$number: no luck today"; exit 0 ;;
  dying) echo "Kernel panic - not syncing: made up"; exit 1 ;;
esac
if [ -z "$cluster" ]; then
  printf 'Red Hat Linux release 7.2 (Enigma)\\n\\nnode%s login: ' "$number"
  exec sleep 1000
fi
while_held() { while [ -e "$folder/$1" ]; do sleep 0.02; done; }
if [ $cluster = new ]; then
  echo "ramdisk[0.01]: corosync up"
else
  [ "$standin" = impatient ] || while_held hold
  echo "ramdisk[0.01]: looks for others"
  case $standin in late) sleep 0.7 ;; later) sleep 8 ;; *) sleep 0.05 ;; esac
  echo "ramdisk[0.02]: joined the membership"
  while_held hold-locks
fi
echo "ramdisk[0.03]: dlm_controld up, fencing by the host"
[ "$standin" != mounting ] || sleep 0.7
echo "ramdisk[0.04]: joined the lockspace"
[ "$standin" != fleeting ] || { echo "Kernel panic - not syncing: made up"; exit 1; }
mkdir -p bin
printf '#!/bin/sh\\ntouch "%s/goodbye"\\n' "$PWD" > bin/shutdown
printf '#!/bin/sh\\necho "Nodeid Votes Name"; echo "  %s  1 node%s (local)"\\n' "$number" "$number" > bin/corosync-quorumtool
printf '#!/bin/sh\\nprintf "dlm lockspaces\\\\nname          root\\\\nid            0x1\\\\nmembers       %s \\\\n\\\\n"\\n' "$number" > bin/dlm_tool
printf '#!/bin/sh\\nkill -KILL %s\\n' $$ > bin/crash
chmod 755 bin/*
if [ "$standin" = deaf ]; then
  exec 4<&-
else
  STANDIN=$PWD/bin perl '${agent}' - <&4 >&5 2>/dev/null &
fi
echo "NODE-READY node$number"
[ "$standin" != flooding ] || { while :; do echo "all work and no play makes node$number a dull node"; done; }
# What is typed on the console comes back.
{ while read -r line; do echo "typed: $line"; done; } <&0 &
while [ ! -e goodbye ] || [ "$standin" = hanging ]; do sleep 0.02; done
echo "NODE-LEFT node$number"
kill -KILL %% 2> /dev/null
exit 0
`,
    { mode: 0o755 },
  );
  return { kernel, record };
}
