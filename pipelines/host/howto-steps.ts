import type {
  Base,
  CvsSource,
  MmdebstrapSettings,
  ModulesSettings,
  RamdiskSettings,
  Recipe,
  Source,
} from '../recipe/recipe.js';
import { isRemote } from '../stages/fetch.js';
import { RAMDISK_NAME } from '../stages/ramdisk.js';
import { decoderOf } from './decoders.js';
import { FileNames } from './file-names.js';
import { imageSteps } from './image-steps.js';
import { rootSteps } from './root-steps.js';
import { type Step, word } from './step.js';

export interface HowtoOptions {
  /** Where the root is mounted while it is made: the HOWTO's `/mnt`. An empty directory. */
  readonly mountPoint: string;
  /** How the recipe was named on the command line, with its `--set`, for `ssi-image edit-root`. */
  readonly recipeArguments: readonly string[];
}

/** All that a host build does, in the order of the HOWTO, and what comes out. */
export interface HowtoSteps {
  readonly steps: readonly Step[];
  /** Files in the folder that the steps run in; the root's image is the first. */
  readonly images: readonly string[];
  /** The node's ramdisk there, where a program of the root makes it. */
  readonly ramdisk?: string;
}

/** The commands of HOWTO 5.1 to 5.7 for a recipe. */
export function howtoSteps(recipe: Recipe, options: HowtoOptions): HowtoSteps {
  const { mountPoint: root } = options;
  const { images, make, release } = imageSteps(recipe, root);
  const names = new FileNames(images);
  const base = baseSteps(recipe.base, root, names);
  const tools =
    recipe.clusterTools === undefined
      ? []
      : toolsSteps(recipe.clusterTools.source, recipe.clusterTools.rule, root, names);
  const modules = recipe.modules === undefined ? [] : modulesSteps(recipe.modules, root, names);
  const ramdisk = ramdiskSteps(recipe.ramdisk, root);
  const steps = [
    ...base.open,
    // What is made from here on is later than this; the root's clock counts seconds.
    { section: '5.2', stage: 'root-image', title: 'Note the time', text: 'touch stamp\nsleep 1' },
    ...make,
    ...base.copy,
    ...base.close,
    ...tools,
    ...modules,
    ...rootSteps(recipe, root, options.recipeArguments),
    ...ramdisk,
    {
      section: '5.6',
      stage: 'configure',
      title: 'The time of the recipe for what was made or changed',
      text: `find ${word(root)} -xdev -newer stamp -exec touch -h -d @${recipe.epoch} {} +`,
    },
    ...release,
  ];
  return { steps, images, ...(ramdisk.length === 0 ? {} : { ramdisk: RAMDISK_NAME }) };
}

/** 4.8: the version of the HOWTO's own program that came with the cluster tools. It runs as root, in the root. */
function ramdiskSteps(ramdisk: RamdiskSettings | undefined, root: string): Step[] {
  if (ramdisk?.format !== 'ext2' || ramdisk.mkinitrd === undefined) return [];
  const name = 'initrd-ssi.img';
  const made = word(`${root}/${name}`);
  const version = word(ramdisk.kernelVersion ?? '');
  const text = [
    `inside ${word(root)} ${made}`,
    `chroot ${word(root)} ${word(ramdisk.mkinitrd)} --uml /${name} ${version}`,
    `if [ -h ${made} ] || [ ! -f ${made} ]; then echo "it made no file /${name}" >&2; exit 1; fi`,
    `mv ${made} ${RAMDISK_NAME}`,
  ].join('\n');
  return [{ section: '4.8', stage: 'ramdisk', title: 'Build the ramdisk', text }];
}

interface BaseSteps {
  readonly open: readonly Step[];
  readonly copy: readonly Step[];
  readonly close: readonly Step[];
}

/** 5.1, and the parts of 5.2 that copy the base and let go of it. */
function baseSteps(base: Base, root: string, names: FileNames): BaseSteps {
  const step = { section: '5.1', stage: 'base-tree' } as const;
  const copying = { section: '5.2', stage: 'root-image', title: 'Copy the base to the root' } as const;
  if (base.kind === 'given') return { open: [], copy: [], close: [] };
  if (base.kind === 'directory') {
    return {
      open: [],
      copy: [{ ...copying, text: `cp -a ${word(base.source.location)}/. ${word(root)}` }],
      close: [],
    };
  }
  if (base.kind === 'mmdebstrap' || base.kind === 'tar') {
    const name = 'source' in base ? names.of(base.source) : 'base.tar';
    const first = 'source' in base ? input(step, base.source, 'base', names) : debootstrap(base.mmdebstrap);
    const text = `tar --numeric-owner --xattrs --xattrs-include='*' -xpf ${word(name)} -C ${word(root)}`;
    return { open: [first], copy: [{ ...copying, text }], close: [] };
  }
  const point = `${root}.ext2`;
  const image = decoded(base.source, 'root_fs.ext2', names);
  return {
    open: [
      input(step, base.source, 'base', names),
      ...image.steps.map((each) => ({ ...step, stage: 'base-unpack', ...each })),
      {
        ...step,
        title: 'A folder for it',
        text: `mkdir ${word(point)}`,
        makes: { id: 'base folder', kind: 'folder', path: point },
      },
      {
        ...step,
        title: 'Loopback mount the base',
        text: `mount ${word(image.name)} ${word(point)} -o loop,ro`,
        makes: { id: 'base', kind: 'mount', target: point, file: image.name },
      },
    ],
    copy: [{ ...copying, text: `cp -a ${word(point)}/. ${word(root)}` }],
    close: [
      { ...copying, title: 'Clean up', text: `umount ${word(point)}`, unmakes: ['base'] },
      { ...copying, title: 'Clean up', text: `rmdir ${word(point)}`, unmakes: ['base folder'] },
      { ...copying, title: 'Clean up', text: `rm ${word(image.name)}` },
    ],
  };
}

function debootstrap(settings: MmdebstrapSettings): Step {
  const { suite, variant, include, exclude, components, mirror } = settings;
  const options = [
    `--variant=${variant}`,
    `--components=${word(components.join(','))}`,
    ...(include.length === 0 ? [] : [`--include=${word(include.join(','))}`]),
    ...exclude.map((path) => `--dpkgopt=${word(`path-exclude=${path}`)}`),
  ].join(' ');
  return {
    section: '5.1',
    stage: 'base-debootstrap',
    title: 'Make the base',
    text: `mmdebstrap ${options} ${word(suite)} base.tar ${word(mirror)}`,
    by: { input: 'base', as: 'base.tar' },
  };
}

/** A file that the recipe names, under its own name where the steps run. */
function input(
  step: { section: string; stage: string },
  source: Source,
  name: string,
  names: FileNames,
): Step {
  const as = names.of(source);
  const get = isRemote(source)
    ? `wget -O ${word(as)} ${word(source.location)}`
    : `ln -s ${word(source.location)} ${word(as)}`;
  const check = source.sha256 === undefined ? [] : [`echo '${source.sha256}  '${word(as)} | sha256sum -c`];
  return {
    ...step,
    stage: isRemote(source) ? `${name}-fetch` : step.stage,
    title: isRemote(source) ? 'Download it' : 'It is here',
    text: [get, ...check].join('\n'),
    by: { input: name, as },
  };
}

/** `bunzip2 -c root_fs.bz2 >root_fs.ext2`, where a file is compressed. */
function decoded(
  source: Source,
  to: string,
  names: FileNames,
): { name: string; steps: readonly Pick<Step, 'title' | 'text'>[] } {
  const name = names.of(source);
  const decoder = decoderOf(name)?.program;
  if (decoder === undefined) return { name, steps: [] };
  return { name: to, steps: [{ title: 'Extract the image', text: `${decoder} -c ${word(name)} >${to}` }] };
}

const TOOLS = 'cluster-tools';

/** 5.3 and 5.4 */
function toolsSteps(source: Source | CvsSource, rule: string, root: string, names: FileNames): Step[] {
  const step = { section: '5.3', stage: 'cluster-tools' } as const;
  return [
    ...toolsSource(step, source, names),
    {
      ...step,
      section: '5.4',
      title: 'Build and install the cluster tools',
      text: `cd ${TOOLS}\nmake ${word(rule)} UML_ROOT=${word(root)}\ncd ..`,
    },
  ];
}

function toolsSource(
  step: { section: string; stage: string },
  source: Source | CvsSource,
  names: FileNames,
): Step[] {
  if ('module' in source) {
    const { root, module, date, tag } = source;
    const state = date === undefined ? (tag === undefined ? '' : ` -r ${word(tag)}`) : ` -D ${word(date)}`;
    const text = `cvs -d ${word(root)} checkout -P${state} -d ${TOOLS} ${word(module)}`;
    return [{ ...step, title: 'Check it out', text, by: { input: 'cluster-tools', as: TOOLS } }];
  }
  const name = names.of(source);
  if (!/\.t?(ar|bz2|gz|xz|zst)$/i.test(name)) {
    const text = `cp -a ${word(source.location)}/. ${TOOLS}`;
    return [{ ...step, title: 'It is here', text: `mkdir ${TOOLS}\n${text}` }];
  }
  const letter = /bz2$/i.test(name) ? 'j' : /gz$/i.test(name) ? 'z' : /xz$/i.test(name) ? 'J' : '';
  return [
    input(step, source, 'cluster-tools', names),
    {
      ...step,
      title: 'Extract it',
      text: `tar ${letter}xvf ${word(name)}${/zst$/i.test(name) ? ' --zstd' : ''}\n[ -d ${TOOLS} ] || mv ${TOOLS}-*/ ${TOOLS}`,
    },
  ];
}

/** 5.5: versions that are in both are replaced wholly. */
function modulesSteps(modules: ModulesSettings, root: string, names: FileNames): Step[] {
  const step = { section: '5.5', stage: 'modules' } as const;
  const copy = (from: string): string =>
    [
      `inside ${word(root)} ${word(`${root}/lib/modules`)}`,
      `mkdir -p ${word(`${root}/lib/modules`)}`,
      `for each in ${word(from)}/*; do`,
      `  rm -rf ${word(root)}/lib/modules/"\${each##*/}"`,
      `  cp -a "$each" ${word(`${root}/lib/modules/`)}`,
      'done',
    ].join('\n');
  if (modules.kind === 'base') {
    if (modules.path === '/lib/modules') return [];
    return [{ ...step, title: 'Copy the modules', text: copy(`${root}${modules.path}`) }];
  }
  if (modules.kind === 'tree') {
    const name = names.of(modules.source);
    const isArchive = /\.t?(ar|bz2|gz|xz|zst)$/i.test(name);
    const get = isArchive
      ? `mkdir modules\ntar -xmf ${word(name)} -C modules`
      : `mkdir modules\ncp -dR --preserve=mode,links ${word(modules.source.location)}/. modules`;
    return [
      ...(isArchive ? [input(step, modules.source, 'modules', names)] : []),
      {
        ...step,
        title: 'Modules of this host',
        text: `${get}\nchmod -R u=rwX,go=rX modules\nchown -hR 0:0 modules`,
      },
      { ...step, title: 'Copy the modules', text: copy('modules') },
    ];
  }
  const point = `${root}.old`;
  const image = decoded(modules.source, 'root_fs.old', names);
  return [
    input(step, modules.source, 'modules', names),
    ...image.steps.map((each) => ({ ...step, ...each })),
    {
      ...step,
      title: 'A folder for the old root image',
      text: `mkdir ${word(point)}`,
      makes: { id: 'old folder', kind: 'folder', path: point },
    },
    {
      ...step,
      title: 'Mount the old root image',
      text: `mount ${word(image.name)} ${word(point)} -o loop,ro`,
      makes: { id: 'old', kind: 'mount', target: point, file: image.name },
    },
    {
      ...step,
      title: 'Copy the modules',
      text: `inside ${word(point)} ${word(point + modules.path)}\n${copy(point + modules.path)}`,
    },
    { ...step, title: 'Unmount it', text: `umount ${word(point)}`, unmakes: ['old'] },
    { ...step, title: 'Unmount it', text: `rmdir ${word(point)}`, unmakes: ['old folder'] },
  ];
}
