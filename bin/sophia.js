#!/usr/bin/env node
const [major, minor] = process.versions.node.split('.').map(Number);
const old = major < 20 || (major === 20 && minor < 19);

if (old && process.argv[2] !== 'doctor') {
  process.stderr.write(
    `sophia needs Node 20.19 or newer, this is ${process.versions.node}: see nodejs.org\n`,
  );
  process.exitCode = 1;
} else {
  const { main } = await import('../dist/cli/main.js');
  process.exitCode = await main(process.argv.slice(2));
}
