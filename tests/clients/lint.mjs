// What @graphql-eslint says of a schema, an object of JSON for each problem: node lint.mjs schema.graphql

import { readFileSync } from "node:fs";
import { ESLint } from "eslint";

const eslint = new ESLint({ cwd: import.meta.dirname });
const [result] = await eslint.lintText(readFileSync(process.argv[2], "utf8"), { filePath: "schema.graphql" });
for (const { line, ruleId, message } of result.messages) {
  console.log(JSON.stringify({ line, ruleId, message }));
}
process.exitCode = result.messages.length > 0 ? 1 : 0;
