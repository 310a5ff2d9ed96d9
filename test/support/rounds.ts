/**
 * How often a test does one thing at random: `few` times in `npm test`, which is run often, `all` times in
 * `npm run test:judges`. A number in the environment variable `variable` says otherwise.
 */
export function rounds(few: number, all: number, variable?: string): number {
  const given = variable === undefined ? undefined : process.env[variable];
  return given === undefined ? (process.env.ALL_ROUNDS === '1' ? all : few) : Number(given);
}
