// Stands in for Playwright's runner: sends results, as version 1.49 does, to the reporters of the command line.
const path = require('path');
const words = process.argv.slice(2);
if (words[0] !== 'test' || !words.includes('--pass-with-no-tests')) process.exit(64);
const names = words.filter((word) => word.startsWith('--reporter=')).pop().slice('--reporter='.length).split(',');
const reporter = new (require(names.find((name) => path.isAbsolute(name))))();
const use = { chromium: {}, phone: { defaultBrowserType: 'webkit' } };
const file = path.resolve('e2e/shop.spec.js');
const missing = { message: "browserType.launch: Executable doesn't exist at /root/.cache", stack: '' };
const wrong = { message: 'Error: expected "Bye"', stack: `Error: expected "Bye"\n    at ${file}:4:33` };
const play = (project, title, status, more) => {
  const test = {
    retries: 1, expectedStatus: 'passed', location: { file, line: 4 }, parent: { project: () => ({ use: use[project] }) },
    titlePath: () => ['', project, 'shop.spec.js', 'shop', title], ...more,
  };
  for (const [retry, each] of status.entries()) {
    const errors = each === 'failed' ? [project === 'phone' ? missing : wrong] : [];
    reporter.onTestEnd(test, { status: each, retry, errors, duration: 250 });
  }
};
play('chromium', 'title [x]', ['passed']);
play('chromium', 'heading', ['failed', 'failed']);
play('chromium', 'flaky', ['failed', 'passed']);
play('chromium', 'later', ['skipped'], { expectedStatus: 'skipped' });
play('chromium', 'known bug', ['failed'], { expectedStatus: 'failed' });
play('phone', 'title [x]', ['failed', 'failed']);
reporter.onError({ message: 'Error: cannot load', location: { file: path.resolve('e2e/bad.spec.js') } });
reporter.onEnd({ status: 'failed' });
process.exit(1);
