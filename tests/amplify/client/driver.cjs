// Has a program do operations by lines of JSON: {op, args} on standard input, {result} or {error} on standard output, one for each.
'use strict';
const readline = require('node:readline');

module.exports = async (operations) => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { op, args } = JSON.parse(line);
    let answer;
    try {
      answer = { result: (await operations[op](args)) ?? null };
    } catch (e) {
      answer = { error: `${e.name}: ${e.message}` };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
};
