// Stands in for mocha: sends recorded events to the reporter of the command line, or to the last of several.
const { EventEmitter } = require('events');
const read = require('fs').readFileSync(__dirname + '/recorded.json', 'utf8').split('ROOT').join(process.cwd());
const { failures, events } = JSON.parse(read);
const words = process.argv.slice(2, process.argv.includes('--') ? process.argv.indexOf('--') : undefined);
const line = words.join('\0').replace(/(^|\0)(?:--reporter|-R)\0/g, '$1--reporter=').split('\0');
const name = line.filter((word) => word.startsWith('--reporter=')).pop().slice('--reporter='.length);
if (name.startsWith('/')) {
  const runner = Object.assign(new EventEmitter(), { failures });
  new (require(name))(runner, {});
  for (const { event, names, error, ...test } of events) runner.emit(event, { ...test, titlePath: () => names }, error);
  runner.emit('end');
}
process.exit(failures);
