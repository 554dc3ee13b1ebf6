/**
 * The arrows of docs/architecture.md as lint rules. The list of rooms below is the whole rule: a room may
 * import itself, rooms that stand after it and src/errors.ts. Imports of types count as imports.
 */
const rooms = [
  'cli',
  'studio',
  'serve',
  'experiments',
  'train',
  'eval',
  'trm',
  'worlds',
  'data',
  'engine',
  'models',
  'graph',
  'rewards',
  'trust',
];
/** Rooms that also run in a browser tab. */
const pure = ['worlds', 'models', 'graph', 'rewards', 'trust'];
/** Packages without Node in them that the pure rooms may use. */
const purePackages = ['zod', 'protobufjs', 'stemmer'];

const inside = (names) => `^src/(${names.join('|')})/`;
const ERRORS = '^src/errors\\.ts$';

const downOnly = rooms.map((room, index) => ({
  name: `arrows-${room}`,
  comment: `src/${room} may import only ${['itself', ...rooms.slice(index + 1), 'src/errors.ts'].join(', ')}`,
  severity: 'error',
  from: { path: inside([room]) },
  to: { path: '^src/', pathNot: [inside(rooms.slice(index)), ERRORS] },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...downOnly,
    {
      name: 'known-rooms',
      comment: 'A new folder in src needs its place in docs/architecture.md and in the list of rooms',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: inside(rooms) },
      to: {},
    },
    {
      name: 'errors-is-a-leaf',
      severity: 'error',
      from: { path: ERRORS },
      to: {},
    },
    {
      name: 'trust-imports-nothing',
      severity: 'error',
      from: { path: inside(['trust']) },
      to: { pathNot: inside(['trust']) },
    },
    {
      name: 'pure-imports-pure',
      comment:
        'worlds, models, graph, rewards and trust may import only one another (downwards) and src/errors.ts',
      severity: 'error',
      from: { path: inside(pure) },
      to: { path: '^src/', pathNot: [inside(pure), ERRORS] },
    },
    {
      name: 'pure-without-node',
      severity: 'error',
      from: { path: inside(pure) },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pure-packages',
      comment: `The pure rooms may use only ${purePackages.join(', ')}`,
      severity: 'error',
      from: { path: inside(pure) },
      to: {
        pathNot: ['^src/', `(^|/)(${purePackages.join('|')})(/|$)`],
        dependencyTypesNot: ['core', 'local'],
      },
    },
    {
      name: 'onnxruntime-behind-the-engine',
      comment: 'Only src/engine/local knows what computes',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/engine/local/' },
      to: { path: '(^|/)onnxruntime-(node|common|web)(/|$)' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'src-without-tests',
      comment: 'src imports nothing from test, bench or scripts',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    {
      name: 'no-dev-dependencies',
      comment: 'What src imports is installed with the package (that one file is not part of it)',
      severity: 'error',
      from: { path: '^src/', pathNot: '/worker-from-source\\.mjs$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg'], pathNot: '(^|/)@types/' },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
};
