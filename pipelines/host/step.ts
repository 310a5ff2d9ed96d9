/** What a step leaves on the host. Files are named relative to the folder that the steps run in. */
export type Making = { readonly id: string } & (
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'loop'; readonly file: string; readonly device?: string }
  | { readonly kind: 'mount'; readonly target: string; readonly file: string }
  | { readonly kind: 'mount'; readonly target: string; readonly device: string }
  | { readonly kind: 'pools'; readonly names: readonly string[]; readonly files: readonly string[] }
);

/** One or a few commands of the HOWTO that belong together: text for `sh`, below what `SHELL_FUNCTIONS` defines. */
export interface Step {
  /** Section of the HOWTO, such as `5.2`. */
  readonly section: string;
  /** The stage of the native build that does the same. */
  readonly stage: string;
  /** What it is for. */
  readonly title: string;
  readonly text: string;
  /** What is written down before it runs. */
  readonly makes?: Making;
  /** Ids of what it takes away again. */
  readonly unmakes?: readonly string[];
  /** Name of a shell variable that it sets and later steps read. */
  readonly sets?: string;
  /**
   * A build does it otherwise, to the same end: `input` is a file that the build has fetched and checked already,
   * `edit` is the program itself.
   */
  readonly by?: { readonly input: string; readonly as: string } | 'edit';
}

/** A word for `sh`: as it is where that is safe, else in quotes. */
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** What the texts of the steps use besides programs. */
export const SHELL_FUNCTIONS = `set -eu
umask 022

# Ends the script when a path leads out of the root $1 through a symbolic link of it: root would write to the host.
inside() {
  case $(realpath -m -- "$2")/ in
  "$(realpath -m -- "$1")"/*) ;;
  *) echo "$2 leads out of the root through a symbolic link" >&2; exit 1 ;;
  esac
}

# Makes the ubd device $1 anew with the minor number $2. One that is there keeps owner and mode, others get group $3.
remake() {
  if [ ! -h "$1" ] && { [ -b "$1" ] || [ -c "$1" ]; }; then
    if [ -b "$1" ] && [ "$(stat -c %t,%T "$1")" = "$(printf '62,%x' "$2")" ]; then return; fi
    owner=$(stat -c %u:%g "$1") mode=$(stat -c %a "$1")
    rm "$1"
  else
    owner=0:$3 mode=660
    if [ -h "$1" ]; then rm "$1"; fi
  fi
  mknod "$1" b 98 "$2"
  chown "$owner" "$1"
  chmod "$mode" "$1"
}

# The same for a device of another name, $3, if it is one of those; they are $2 apart.
renumber() {
  if [ -h "$1" ] || [ ! -b "$1" ] || [ "$(stat -c %t "$1")" != 62 ]; then return; fi
  case $3 in
  *[!0-9a-z]* | 0?* | ??????*) return ;;
  [a-z]) number=$(($(printf %d "'$3") - 97)) ;;
  *[!0-9]*) return ;;
  *) number=$3 ;;
  esac
  remake "$1" $((number * $2)) 0
}
`;
