// Packs dist/ into packed/: every file gzip'd, for the binary. Fails above the size the console may have.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';

const kBudget = 300 * 1024; // bytes of all files together, gzip'd

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

rmSync('packed', { recursive: true, force: true });
let total = 0;
for (const file of filesBelow('dist').sort()) {
  const packed = gzipSync(readFileSync(file), { level: 9 });
  const target = join('packed', `${relative('dist', file)}.gz`);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, packed);
  total += packed.length;
}
console.log(`console: ${total} bytes gzip'd (at most ${kBudget})`);
if (total > kBudget) {
  console.error(`console: the bundle is ${total - kBudget} bytes too large`);
  process.exit(1);
}
