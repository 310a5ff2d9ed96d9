/** What holds where a recipe has no value, as recipes write it. */
export const DEFAULTS = {
  callbackPort: 3001,
  timeout: 30,
  stomith: 'NUN',
  poolType: 'gfs_data',
  lockProtocol: 'memexp',
  journalSize: '32MiB',
  blockSize: 4096,
  timeLimit: '30min',
  modulesPath: '/lib/modules',
  ubdDevices: 8,
  ubdMinorStep: 16,
  inittabSource: '/etc/inittab.ssi',
  getty: 'tty0',
  debianVariant: 'minbase',
  debianComponents: ['main'],
  debianMirror: 'http://deb.debian.org/debian',
} as const;
