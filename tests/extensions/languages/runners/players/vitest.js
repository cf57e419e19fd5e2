// Stands in for vitest: sends recorded results of version 2 or 4 to the reporters of the command line.
const files = JSON.parse(require('fs').readFileSync(__dirname + '/recorded.json', 'utf8').split('ROOT').join(process.cwd()));
const named = process.argv.filter((word) => word.startsWith('--reporter=/')).map((word) => word.slice('--reporter='.length));
for (const name of named) {
  const reporter = new (require(name).default)();
  if (process.env.VITEST_PLAYED === '2') {
    reporter.onFinished(files, []);
  } else {
    for (const task of files) reporter.onTestModuleEnd({ task });
    reporter.onTestRunEnd(files.map((task) => ({ task })), [], 'failed');
  }
}
process.exit(1);
