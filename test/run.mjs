// The test runner: node test/run.mjs [--unit] [--integration] [part of a file name ...]
// Without --unit or --integration: type check, linter, unit tests, integration tests. Each test file is a process of
// its own with a time limit, so that one which hangs is named and ended. The last line is always the sum.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs, stripVTControlCharacters } from 'node:util';

const FILE_TIMEOUT_MS = 180_000;
const MAX_OUTPUT = 1 << 20; // of a file that floods, the end is what counts
const UNIT_AT_ONCE = 2;
const INTEGRATION_AT_ONCE = 2; // they wait more than they work
const WAITING = ['files-stall', 'accounts', 'soak', 'uploads-stall', 'irc-clients'].map(
  (name) => `${name}.integration.test.ts`,
);

const root = path.join(import.meta.dirname, '..');
const bin = path.join(root, 'node_modules', '.bin');
const node = Number.parseInt(process.versions.node, 10) >= 26 ? process.execPath : path.join(bin, 'node');
const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}` };
const running = new Set(); // process groups
const sum = { passed: 0, failed: 0, skipped: 0 };

function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // all of it is gone already
  }
}

/** Runs a program to its end. What it started and left behind ends with it. */
function run(command, args) {
  return new Promise((resolve) => {
    const since = performance.now();
    let output = '';
    let trouble;
    const child = spawn(command, args, { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
        if (output.length > 2 * MAX_OUTPUT) output = output.slice(-MAX_OUTPUT);
      });
    }
    const timer = setTimeout(() => {
      trouble = `no end after ${FILE_TIMEOUT_MS / 1000} s`;
      endGroup(child.pid);
    }, FILE_TIMEOUT_MS);
    const done = () => {
      clearTimeout(timer);
      running.delete(child.pid);
      resolve({ output: stripVTControlCharacters(output), trouble, ms: Math.round(performance.now() - since) });
    };
    child.on('error', (err) => {
      trouble = err.message;
      done();
    });
    child.on('exit', (code, signal) => {
      if (signal) trouble ??= `killed by ${signal}`;
      else if (code !== 0) trouble = `exit status ${code}`;
      endGroup(child.pid);
      // A process that left the group may hold the pipes open for ever.
      const patience = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, 1000);
      child.on('close', () => {
        clearTimeout(patience);
        done();
      });
    });
    if (child.pid !== undefined) running.add(child.pid);
  });
}

/** One line for what was run; all its output too if it failed, set off so that no line of it looks like ours. */
function report(name, counts, result, note) {
  for (const key of Object.keys(sum)) sum[key] += counts[key] ?? 0;
  const bad = counts.failed > 0;
  const of = counts.total === undefined ? '' : `  ${counts.passed}/${counts.total}`;
  const skipped = counts.skipped ? `  ${counts.skipped} skipped` : '';
  console.log(`${bad ? 'FAIL' : 'ok  '}  ${name}${of}${skipped}  ${result.ms} ms${note ? `  (${note})` : ''}`);
  if (bad && result.output) console.log(result.output.trimEnd().replace(/^/gm, '    | '));
}

async function check(name, command, args) {
  const result = await run(path.join(bin, command), args);
  const ok = result.trouble === undefined;
  report(name, { passed: ok ? 1 : 0, failed: ok ? 0 : 1 }, result, result.trouble);
}

async function testFile(name) {
  const result = await run(node, [path.join('test', name)]);
  // uvu's closing lines; a file that stops before them, or has no test, has proved nothing
  const found = [...result.output.matchAll(/^ {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)$/gm)].at(-1);
  const [total, passed, skipped] = found ? found.slice(1).map(Number) : [0, 0, 0];
  const note = result.trouble ?? (total + skipped === 0 ? 'no test ran' : undefined);
  const ownFailure = note !== undefined && !(note === 'exit status 1' && passed < total); // 1 is uvu's, for its tests
  report(name, { total, passed, failed: total - passed + (ownFailure ? 1 : 0), skipped }, result, note);
}

async function testFiles(names, atOnce) {
  const left = [...names];
  const lane = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) await testFile(name);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

function finish() {
  const skipped = sum.skipped > 0 ? `, ${sum.skipped} skipped` : '';
  console.log(`${sum.passed} passed, ${sum.failed} failed${skipped}`);
  process.exitCode = sum.failed > 0 ? 1 : 0;
}

function readArguments() {
  try {
    return parseArgs({
      options: { unit: { type: 'boolean' }, integration: { type: 'boolean' } },
      allowPositionals: true,
    });
  } catch (err) {
    console.error(`test/run.mjs: ${err.message.split('. ')[0]}`);
    process.exit(2);
  }
}

// In groups of their own, the tests do not hear the terminal's Ctrl-C.
for (const [signal, status] of Object.entries({ SIGHUP: 129, SIGINT: 130, SIGTERM: 143 })) {
  process.on(signal, () => {
    for (const pid of running) endGroup(pid);
    process.exit(status);
  });
}

const { values, positionals: filters } = readArguments();
const everything = !values.unit && !values.integration;
const files = fs
  .readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.test.ts') && (filters.length === 0 || filters.some((part) => name.includes(part))))
  .sort();
const isIntegration = (name) => name.endsWith('.integration.test.ts');
const unit = everything || values.unit ? files.filter((name) => !isIntegration(name)) : [];
const integration = everything || values.integration ? files.filter(isIntegration) : [];

if (!fs.existsSync(node)) {
  console.log('The build tools are missing: run ./compile.sh first.');
  sum.failed++;
} else {
  if (everything) {
    await Promise.all([check('type check', 'tsc', ['-p', 'tsconfig.json']), check('linter', 'biome', ['check'])]);
  }
  await testFiles(unit, UNIT_AT_ONCE);
  // some files mostly wait, for limits that are half a minute long, or go on for a minute: they do so beside the others
  const waiting = integration.filter((name) => WAITING.includes(name));
  await Promise.all([
    testFiles(
      integration.filter((name) => !WAITING.includes(name)),
      INTEGRATION_AT_ONCE,
    ),
    testFiles(waiting, 1),
  ]);
  if (unit.length + integration.length === 0) {
    console.log('FAIL  no test file of that name');
    sum.failed++;
  }
}
finish();
