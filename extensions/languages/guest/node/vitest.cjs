// A reporter for vitest, which calls it after each module from version 3 on, before that at the end.
'use strict';

const { write, result } = require('./lines.cjs');

function outcome(task) {
  if (task.mode === 'skip' || task.mode === 'todo' || !task.result || task.result.state === 'skip') return 'skipped';
  return { pass: 'passed', fail: 'failed' }[task.result.state] || '';
}

class Reporter {
  constructor() {
    this.reported = 0;
    this.files = new Set();
  }

  file(task) {
    if (this.files.has(task.filepath)) return;
    this.files.add(task.filepath);
    const errors = (task.result && task.result.errors) || [];
    if (errors.length && !(task.tasks || []).length) this.one(task, task.filepath, [], 'error', errors[0]);
    this.tasks(task.tasks || [], task.filepath, []);
  }

  tasks(tasks, file, above) {
    for (const task of tasks) {
      const names = above.concat([task.name]);
      const errors = (task.result && task.result.errors) || [];
      if (task.tasks) {
        if (errors.length) this.one(task, file, names, 'error', errors[0]);
        this.tasks(task.tasks, file, names);
      } else if (outcome(task)) {
        this.one(task, file, names, outcome(task), errors[0]);
      }
    }
  }

  one(task, file, names, how, error) {
    const seconds = ((task.result && task.result.duration) || 0) / 1000;
    const line = task.location ? task.location.line : 0;
    const said = error ? `${error.name || 'Error'}: ${error.message}` + (error.diff ? `\n${error.diff}` : '') : '';
    const stack = error ? error.stack || error.stackStr || '' : '';
    this.reported += result(file, names, how, seconds, line, said, stack);
  }

  onTestModuleEnd(module) {
    if (module.task) this.file(module.task);
  }

  onFinished(files, errors) {
    this.end(files || [], errors || []);
  }

  onTestRunEnd(modules, errors) {
    this.end(modules.map((module) => module.task).filter(Boolean), errors || []);
  }

  end(files, errors) {
    for (const file of files) this.file(file);
    if (this.done) return;
    this.done = true;
    write({ finish: errors.length ? 1 : 0, expected: this.reported });
  }
}

module.exports = Reporter;
module.exports.default = Reporter;
