import { usageError } from '../../images/diagnostic.js';

/**
 * The images that stand for device names in a configuration file: `--device /dev/loop1=root_cidev`. Throws a
 * DiagnosticError of kind `usage` on anything else.
 */
export function parseDeviceMap(options: readonly string[]): Map<string, string> {
  const map = new Map<string, string>();
  for (const option of options) {
    const separator = option.indexOf('=');
    if (separator < 1 || separator === option.length - 1) {
      throw usageError(
        `--device ${option}: needs the form NAME=IMAGE`,
        'For example --device /dev/loop2=root_fs.',
      );
    }
    const name = option.slice(0, separator);
    if (map.has(name)) throw usageError(`--device names ${name} twice`);
    map.set(name, option.slice(separator + 1));
  }
  return map;
}
